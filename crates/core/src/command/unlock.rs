//! `/unlock`: ends an environment's lock, or stops waiting for a deploy that does not end.

use jiff::{SignedDuration, Timestamp};

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, must},
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{fact::command::CommandAction, permission::Role, rule::name_key},
    text::message::quoted,
};

/// Age of a deploy before which it does not count as stuck.
const LET_GO_AFTER: SignedDuration = SignedDuration::from_mins(5);

pub(super) static ROW: Row = Row {
    name: "unlock",
    forms: &[&[must("ENV", Kind::Word)]],
    least: Role::Write,
    place: Place::Anywhere,
    forks: true,
    help: "Unlocks an environment",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let environment = name_key(given.text("ENV"));
    let locks = turn.facts.locks(turn.now);
    let Some(lock) = locks.get(environment.as_str()) else {
        // A deploy without a reported end must not block the environment for a day.
        let Some((id, request)) = turn.facts.under_way(&environment) else {
            return CommandResult::Refused(messages::nothing_to_lift("unlock", &environment, &turn.environments()));
        };
        // Two people may unlock at once, or one may unlock late: neither means a deploy that has
        // only just begun.
        let free_at = request.started_at.unwrap_or(request.since).checked_add(LET_GO_AFTER).unwrap_or(Timestamp::MAX);
        if turn.at < free_at {
            return CommandResult::Refused(messages::just_begun(&environment, &request.by.login, LET_GO_AFTER));
        }
        let done = format!("stopped tracking the deploy by {}; the workflow keeps running", quoted(&request.by.login));
        let request = id.clone();
        turn.guard(CommandAction::LetGo { request });
        return CommandResult::Done(done);
    };
    let done = format!("ended the lock by {}", quoted(&lock.by.login));
    turn.guard(CommandAction::Unlock { environment });
    CommandResult::Done(done)
}
