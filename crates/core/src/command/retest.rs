//! `/retest`: re-runs the failed jobs of the head commit.

use crate::{
    command::{
        Place, Row,
        grammar::Given,
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{effect::Effect, permission::Role},
};

pub(super) static ROW: Row = Row {
    name: "retest",
    forms: &[&[]],
    least: Role::Triage,
    place: Place::Pulls,
    forks: false,
    help: "Runs the failed jobs of the head commit again",
    run,
};

fn run(turn: &mut Invocation<'_>, _: &Given) -> CommandResult {
    let pull = turn.id.item;
    if turn.item().is_some_and(|item| item.closed(turn.now).is_some()) {
        return CommandResult::Refused(messages::pull_closed());
    }
    let known = turn.request.commit(turn.facts).cloned();
    let Some(known) = known else {
        let found = turn.standing.head.as_ref().and_then(|head| head.as_ref().ok()).map(|head| head.sha.clone());
        if let Some(sha) = &found {
            turn.learn_head(sha);
        }
        return CommandResult::Refused(messages::head_unknown(found.as_ref()));
    };
    // A later push is known before the forge is asked.
    let newest = turn.facts.pull(pull).and_then(|facts| facts.shape.as_ref());
    if let Some(found) = newest.map(|shape| &shape.value.head_sha).filter(|found| **found != known) {
        return CommandResult::Refused(messages::head_moved(&known, found));
    }
    CommandResult::Effect(Box::new(Effect::RerunFailed { pull, sha: known, command: turn.id }))
}
