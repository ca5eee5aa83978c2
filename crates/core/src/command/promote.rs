//! `/promote`: deploys the commit that runs in the environment before.

use crate::{
    command::{
        Place, Row, deploy,
        grammar::{Given, Kind, may, must},
        run::{Answer, Turn},
    },
    context::Look,
    deploy::upstream,
    domain::{effect::Watched, fact::deploy::RequestKind, permission::Role},
    gate::target::{Basis, Refusal, permitted},
};

pub(super) static ROW: Row = Row {
    name: "promote",
    forms: &[&[must("ENV", Kind::Word), may("replace", Kind::Flag)]],
    least: Role::Write,
    place: Place::Anywhere,
    forks: false,
    help: "Deploys the very commit that runs in the environment before it",
    run,
};

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    let (environment, rule) = match deploy::place(turn, given) {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    if let Some(why) = deploy::locked_elsewhere(turn, given, &environment) {
        return Answer::Refused(why);
    }
    if let Some(why) = deploy::changed_meanwhile(turn, &rule.after) {
        return Answer::Refused(why);
    }
    match upstream(turn.facts, turn.policy, &rule, turn.now) {
        Ok(sha) => {
            let look = Look::new(turn.facts, turn.policy, turn.now);
            if let Err(Refusal::No(why)) = permitted(&look, &environment, &sha, Basis::BARE) {
                return Answer::Refused(why);
            }
            let mut request = turn.ask(&environment, RequestKind::Promote, "", Watched::Commit, Some(sha));
            request.replace = given.has("replace");
            Answer::Deploy(Box::new(request))
        }
        Err(why) => Answer::Refused(why),
    }
}
