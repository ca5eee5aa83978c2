//! `approval`: people agreed, none of them the one who asks or who wrote it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Case, finding::Finding};
use crate::{
    decide::message::quoted,
    domain::{
        fact::command::{CommandFacts, Deed, Ending},
        needs::{Answer, Need},
        permission::Role,
    },
};

/// Who made a commit does not change.
const AGE: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) fn judge(case: Case<'_, '_>, count: u8, teams: &[String]) -> Finding {
    let need = Need::CommitAuthors { sha: case.subject.sha.clone() };
    let Some(Answer::CommitAuthors(authors)) =
        case.look.answered_since(&need, case.look.now.checked_sub(AGE).unwrap_or(Timestamp::MIN))
    else {
        return case.missing(&need, "approval_author", "who made the commit");
    };
    let concerned = authors.iter().chain(case.subject.requester.as_ref());
    let concerned: BTreeSet<String> = concerned.map(|login| login.to_lowercase()).collect();
    let mut agreed: BTreeMap<String, (&str, Timestamp)> = BTreeMap::new();
    for command in case.look.facts.words_at_gate(&case.subject.gate, &case.subject.sha) {
        let by = command.by.to_lowercase();
        if approves(case, command) && entitled(command, teams) && !concerned.contains(&by) {
            agreed.entry(by).or_insert((&command.by, command.at));
        }
    }
    let last = agreed.values().map(|(_, at)| *at).max();
    let people: Vec<String> = agreed.values().map(|(by, _)| quoted(by)).collect();
    let who = if teams.is_empty() {
        "people with maintain".to_owned()
    } else {
        format!("members of {}", teams.iter().map(|team| quoted(team)).collect::<Vec<_>>().join(", "))
    };
    if people.len() >= usize::from(count) {
        return Finding::pass("approved", format!("approved by {}", people.join(", "))).seen(last);
    }
    let so_far = if people.is_empty() { String::new() } else { format!("; so far {}", people.join(", ")) };
    let line = match case.subject.environment() {
        Some(environment) => format!("/approve deploy {environment}"),
        None => "/approve release".to_owned(),
    };
    let words = format!("needs {count} of {who} to say {}{so_far}", quoted(&line));
    Finding::wait("approval_missing", words).seen(last).by_hand()
}

fn approves(case: Case<'_, '_>, command: &CommandFacts) -> bool {
    matches!(command.ending, Ending::Done(_))
        && matches!(&command.deed, Some(Deed::Approve { gate, sha }) if *gate == case.subject.gate && *sha == case.subject.sha)
}

fn entitled(command: &CommandFacts, teams: &[String]) -> bool {
    if teams.is_empty() {
        return command.evidence.role >= Some(Role::Maintain);
    }
    teams.iter().any(|team| command.evidence.teams.get(team) == Some(&Some(true)))
}
