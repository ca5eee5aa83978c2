//! `/promote`: deploys the commit that runs in the environment before.

use crate::{
    command::{
        Place, Row, deploy,
        grammar::{Given, Kind, may, must},
        run::{CommandResult, Invocation},
    },
    context::EvalContext,
    deploy::upstream,
    domain::{effect::RefGuard, fact::deploy_request::RequestKind, permission::Role},
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

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let (environment, rule) = match deploy::place(turn, given) {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    if let Some(why) = deploy::locked_elsewhere(turn, given, &environment) {
        return CommandResult::Refused(why);
    }
    if let Some(why) = deploy::changed_meanwhile(turn, &rule.after) {
        return CommandResult::Refused(why);
    }
    match upstream(turn.facts, turn.policy, &rule, turn.now) {
        Ok(sha) => {
            let eval = EvalContext::new(turn.facts, turn.policy, turn.now);
            if let Err(Refusal::No(why)) = permitted(&eval, &environment, &sha, Basis::BARE) {
                return CommandResult::Refused(why);
            }
            let mut request = turn.ask(&environment, RequestKind::Promote, "", RefGuard::Commit, Some(sha));
            request.replace = given.has("replace");
            CommandResult::Deploy(Box::new(request))
        }
        Err(why) => CommandResult::Refused(why),
    }
}
