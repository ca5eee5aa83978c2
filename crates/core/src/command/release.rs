//! `/release publish`: publishes a draft release through its gate.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, must},
        messages,
        run::{CommandResult, Invocation},
    },
    deploy,
    domain::permission::Role,
};

pub(super) static ROW: Row = Row {
    name: "release",
    forms: &[&[must("publish", Kind::Literal), must("TAG", Kind::Word)]],
    least: Role::Maintain,
    place: Place::Anywhere,
    forks: false,
    help: "Publishes the draft release of a tag through its gate",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let tag = given.text("TAG");
    if let Some(why) = messages::gates_off(turn.facts, turn.policy) {
        return CommandResult::Refused(why);
    }
    if !turn.policy.gates.values().any(|gate| gate.draft) {
        return CommandResult::Refused(messages::no_gate("gate before draft releases", "gates"));
    }
    let drafts = deploy::drafts(turn.facts, turn.policy, turn.now);
    let Some(draft) = drafts.iter().find(|draft| draft.tag == tag) else {
        return CommandResult::Refused(messages::no_draft(
            tag,
            &drafts.iter().map(|d| d.tag.as_str()).collect::<Vec<_>>(),
        ));
    };
    let decision = draft.evaluate(turn.facts, turn.policy, Some(&turn.request.by), turn.now);
    if !decision.standing.is_open() {
        return CommandResult::Refused(deploy::gate_closed(turn.facts, &decision));
    }
    CommandResult::Effect(Box::new(deploy::publication(draft, Some(turn.id))))
}
