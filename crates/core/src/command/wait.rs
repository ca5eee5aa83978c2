//! Commands that wait until the forge has answered what their sender may do.
//!
//! The commands of one repository are decided in the order in which they were written, and so are
//! those of one comment. Those that stop or undo something ([`crate::command::Row::is_safety`]) go
//! first and wait for no other.

use jiff::{SignedDuration, Timestamp};

use crate::{
    command::{
        caller::CallerPermissions,
        extract::Request,
        parse::{self, Call, Line},
        permissions, share,
    },
    domain::{
        fact::{
            RepoFacts,
            command::CommandId,
            waiting::{Piece, WaitingCommand},
        },
        id::Account,
        policy::Policy,
    },
    plan::DecisionContext,
    text::message::quoted,
};

/// Time after which a command is refused if its sender's permissions are still unknown.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(10);
/// First and longest pause between two tries; the pause doubles.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// Limit on one person's waiting commands in one repository. Anyone may write comments, and every
/// waiting command causes questions.
const MOST_OF_ONE: usize = 20;
/// Limit on the waiting commands in one repository.
const MOST: usize = 500;

/// Decision about a line at this try.
pub(super) enum Verdict {
    /// Everything needed is known.
    Decide,
    /// It is decided as if the forge had refused to answer.
    GiveUp(CallerPermissions),
    /// It is stored and tried again.
    Wait(Box<WaitingCommand>),
}

/// Returns whether a line can be decided now.
pub(super) fn verdict(
    facts: &RepoFacts,
    request: &Request,
    (id, line): (CommandId, &Line),
    standing: &CallerPermissions,
    terms: &DecisionContext<'_>,
) -> Verdict {
    let Call::Known(row, _) = &line.call else { return Verdict::Decide };
    // The sender's permissions are not asked for, so waiting would bring no answer.
    if share::is_refused_unasked(facts, request) {
        return Verdict::Decide;
    }
    let behind = !row.is_safety() && facts.waits_before(request.at, id);
    let known = facts.waiting.get(&id);
    let since = known.map_or(terms.now, |known| known.since);
    let deadline = later(since, LONGEST_WAIT);
    // The last try may be a little late. After a longer gap, such as a downtime of phasebot, the
    // command is not what its author expects any more.
    let overdue = known.is_some() && terms.now >= later(deadline, LONGEST_PAUSE);
    let (why, again_at) = match permissions::unanswered(terms.policy, &line.call, standing, &request.by.login) {
        _ if behind => ("an earlier command in this repository waits", None),
        Some((why, again_at)) => (why, Some(again_at)),
        None if overdue => ("it could not be asked in time", None),
        None => return Verdict::Decide,
    };
    if terms.now >= deadline || (known.is_none() && is_full(facts, &request.by, row.is_safety())) {
        let because = if terms.now >= deadline {
            format!("phasebot tried for {} minutes.", LONGEST_WAIT.as_mins())
        } else {
            "Too many commands wait for an answer already.".to_owned()
        };
        return Verdict::GiveUp(permissions::give_up(terms.policy, &line.call, standing, why, &because));
    }
    let tries = known.map_or(0, |known| known.tries).saturating_add(u32::from(!behind));
    // A command behind others is tried together with them.
    let try_at = again_at.map_or(deadline, |at| at.max(later(terms.now, pause(tries))).min(deadline));
    Verdict::Wait(Box::new(WaitingCommand {
        at: request.at,
        by: request.by.clone(),
        line: line.pieces.clone(),
        reviewed: request.reviewed.clone(),
        head: request.commit(facts).cloned(),
        node: request.node.clone(),
        since,
        tries,
        try_at,
        why: why.to_owned(),
    }))
}

/// Returns when a waiting command is next to be tried.
pub fn next_try(facts: &RepoFacts) -> Option<Timestamp> {
    facts.waiting.values().map(|waiting| waiting.try_at).min()
}

/// Returns all waiting commands, in the order in which they are to be tried; empty while none is
/// due.
pub fn due(facts: &RepoFacts, policy: &Policy, now: Timestamp) -> Vec<Request> {
    if next_try(facts).is_none_or(|at| at > now) {
        return Vec::new();
    }
    let read = |(id, waiting): (&CommandId, &WaitingCommand)| {
        let pieces: Vec<Piece> = waiting.line.clone();
        let line = parse::again(id.index, pieces, &policy.commands, waiting.at);
        let is_safety = matches!(&line.call, Call::Known(row, _) if row.is_safety());
        let request = Request {
            item: id.item,
            source: id.source,
            by: waiting.by.clone(),
            at: waiting.at,
            node: waiting.node.clone(),
            reviewed: waiting.reviewed.clone(),
            head: waiting.head.clone(),
            lines: vec![line],
            waited: true,
        };
        (!is_safety, waiting.at, *id, request)
    };
    let mut all: Vec<(bool, Timestamp, CommandId, Request)> = facts.waiting.iter().map(read).collect();
    all.sort_by_key(|(last, at, id, _)| (*last, *at, *id));
    let mut requests: Vec<(bool, Request)> = Vec::new();
    for (last, _, _, request) in all {
        match requests.last_mut() {
            // Lines of one comment are answered together.
            Some((of, open)) if *of == last && (open.item, open.source) == (request.item, request.source) => {
                open.lines.extend(request.lines);
            }
            _ => requests.push((last, request)),
        }
    }
    requests.into_iter().map(|(_, request)| request).collect()
}

/// Returns the line for the delivery's notes, which are logged: nothing of the comment's text.
pub(super) fn log_line(request: &Request, line: &Line) -> String {
    let verb = match &line.call {
        Call::Known(row, _) => format!("`/{}`", row.name),
        Call::Near(_) | Call::Unknown | Call::TooMany => "a command".to_owned(),
    };
    format!("{verb} by {}: waits for what they may do", quoted(&request.by.login))
}

/// Returns whether no further command may wait. Safety commands have twice the room.
fn is_full(facts: &RepoFacts, by: &Account, is_safety: bool) -> bool {
    let of_one = || facts.waiting.values().filter(|waiting| waiting.by.same_as(by) == Some(true)).count();
    let room = if is_safety { 2 } else { 1 };
    facts.waiting.len() >= MOST * room || of_one() >= MOST_OF_ONE * room
}

fn pause(tries: u32) -> SignedDuration {
    let doublings = tries.saturating_sub(1).min(16);
    (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
