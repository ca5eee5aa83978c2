//! Who may run what: what has to be asked of the forge, and what follows.

use crate::{
    command::{Row, extract::Request, gate, messages, parse::Call, share},
    context::rights::{member_need, role_need},
    domain::{
        fact::{
            DocumentKey, RepoFacts,
            command::{CommandAction, CommandFacts, Evidence},
        },
        needs::{Answer, Answered, PullHead},
        permission::{Grant, Role},
        policy::Policy,
    },
};
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// What a request needs to know of the forge before it can be decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asks {
    /// Anything at all; then the sender's role.
    pub role: bool,
    /// Whether the sender is in these teams.
    pub teams: BTreeSet<String>,
    /// The pull request's head: its commit, or whether it is a fork's, was never seen.
    pub head: bool,
}

/// Why a question about a sender has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The forge's words, or ours.
    pub why: String,
    /// From when on the forge may answer; `None`: it refused for good.
    pub again_at: Option<Timestamp>,
    /// Why it is not asked again, in a sentence of ours.
    pub given_up: Option<String>,
}

impl Unanswered {
    /// The forge refuses to answer, and will refuse again.
    pub fn refused(why: impl Into<String>) -> Self {
        Self { why: why.into(), again_at: None, given_up: None }
    }

    /// The forge may answer from `again_at` on.
    pub fn until(again_at: Timestamp, why: impl Into<String>) -> Self {
        Self { why: why.into(), again_at: Some(again_at), given_up: None }
    }
}

/// What the forge said.
#[derive(Debug, Clone)]
pub struct CallerPermissions {
    /// The sender's role.
    pub role: Result<Role, Unanswered>,
    /// The sender's teams.
    pub teams: BTreeMap<String, Result<bool, Unanswered>>,
    /// The pull request's head, if it was asked for.
    pub head: Option<Result<PullHead, Unanswered>>,
    /// When it was asked.
    pub asked_at: Timestamp,
}

impl CallerPermissions {
    /// For the record.
    pub(super) fn evidence(&self) -> Evidence {
        Evidence {
            role: self.role.as_ref().ok().copied(),
            teams: self.teams.iter().map(|(team, member)| (team.clone(), member.as_ref().ok().copied())).collect(),
            asked_at: self.asked_at,
        }
    }
}

/// What to ask before [`crate::command::run::run`].
pub(super) fn asks(facts: &RepoFacts, policy: &Policy, request: &Request) -> Asks {
    let mut asks = Asks::default();
    if share::is_refused_unasked(facts, request) {
        return asks;
    }
    for (id, line) in request.undecided(facts) {
        let row = match &line.call {
            // It waits for others, whoever says it.
            Call::Known(row, _) if !row.is_safety() && facts.waits_before(request.at, id) => continue,
            Call::Known(row, _) | Call::Near(row) => row,
            Call::Unknown | Call::TooMany => {
                asks.role = true;
                continue;
            }
        };
        asks.role = true;
        if row.name == "help" {
            // It tells of every command whether this person may use it.
            asks.teams.extend(policy.commands.permissions.values().flat_map(teams).cloned());
        }
        asks.teams.extend(policy.commands.permissions.get(row.name).into_iter().flat_map(teams).cloned());
        asks.teams.extend(approvers(policy, &line.call).into_iter().cloned());
        let known = request.commit(facts).is_some();
        let head = [crate::command::retest::ROW.name, crate::command::deploy::ROW.name].contains(&row.name);
        let shape = facts.pull(request.item).and_then(|pull| pull.shape.as_ref());
        let is_pull = facts.items.get(&request.item).is_some_and(|item| item.is_pull);
        asks.head |= is_pull && ((head && !known) || (!row.forks && shape.is_none()));
    }
    asks
}

/// The teams whose members a gate asks for, if the line approves something there.
fn approvers<'p>(policy: &'p Policy, call: &Call) -> Vec<&'p String> {
    let Call::Known(row, Ok(given)) = call else { return Vec::new() };
    if row.name != crate::command::approve::ROW.name {
        return Vec::new();
    }
    match gate::named(policy, given) {
        Ok(Some(gate)) => gate::approvals(policy, &gate).into_iter().flatten().collect(),
        _ => Vec::new(),
    }
}

/// Why the forge must be asked again before anyone can say whether the sender
/// may use a command as this line has it, and from when on; `None`: it is known.
pub(super) fn unanswered<'s>(
    policy: &Policy,
    call: &Call,
    standing: &'s CallerPermissions,
    by: &str,
) -> Option<(&'s str, Timestamp)> {
    let Call::Known(row, _) = call else { return None };
    let named = approvers(policy, call);
    // An approval is counted by the same answers once more.
    if row.name != crate::command::approve::ROW.name && permit_line(policy, call, standing, by).is_ok() {
        // Whether it stands on a fork's pull request may not be known either.
        let fork = standing.head.as_ref().filter(|_| !row.forks)?.as_ref().err()?;
        return Some((fork.why.as_str(), fork.again_at?));
    }
    let (grant, _) = grant(policy, row);
    let role = match &grant {
        Grant::AtLeast(_) => standing.role.as_ref().err(),
        Grant::Teams(_) => None,
    };
    let teams: Vec<&String> = named.into_iter().chain(teams(&grant)).collect();
    if teams.iter().any(|team| !standing.teams.contains_key(*team)) {
        // An earlier line of the comment stood before this one: nobody asked for it yet.
        return Some(("the forge was not asked yet", standing.asked_at));
    }
    let teams = teams.into_iter().filter_map(|team| standing.teams.get(team)?.as_ref().err());
    let mut open = role.into_iter().chain(teams).filter_map(|open| Some((open.why.as_str(), open.again_at?)));
    open.next()
}

/// The same without any hope for what is not answered: it counts as refused.
pub(super) fn give_up(
    policy: &Policy,
    call: &Call,
    standing: &CallerPermissions,
    why: &str,
    because: &str,
) -> CallerPermissions {
    let mut standing = standing.clone();
    let refused = || Unanswered { given_up: Some(because.to_owned()), ..Unanswered::refused(why) };
    // What was answered counts no more either: given up is never run.
    standing.role = Err(refused());
    standing.head = standing.head.map(|_| Err(refused()));
    if let Call::Known(row, _) = call {
        let (grant, _) = grant(policy, row);
        for team in approvers(policy, call).into_iter().chain(teams(&grant)) {
            standing.teams.insert(team.clone(), Err(refused()));
        }
    }
    standing
}

/// Whether the sender may use a command as this line has it. Whom a gate
/// asks for by name may approve, whatever their role.
pub(super) fn permit_line(policy: &Policy, call: &Call, standing: &CallerPermissions, by: &str) -> Result<(), String> {
    let (Call::Known(row, _) | Call::Near(row)) = call else { return Ok(()) };
    let named = approvers(policy, call);
    let is_member = named.iter().any(|team| standing.teams.get(*team) == Some(&Ok(true)));
    if is_member && !policy.commands.permissions.contains_key(row.name) {
        return Ok(());
    }
    let denied = permit(policy, row, standing, by);
    match denied {
        Err(why) if !named.is_empty() && !policy.commands.permissions.contains_key(row.name) => {
            let teams: Vec<String> = named.into_iter().cloned().collect();
            Err(format!("{why} {}", messages::approvers(&teams)))
        }
        denied => denied,
    }
}

fn teams(grant: &Grant) -> &[String] {
    match grant {
        Grant::Teams(teams) => teams,
        Grant::AtLeast(_) => &[],
    }
}

/// Who may use a command, and whether the policy says so.
pub(super) fn grant(policy: &Policy, row: &Row) -> (Grant, bool) {
    match policy.commands.permissions.get(row.name) {
        Some(grant) => (grant.clone(), true),
        None => (Grant::AtLeast(row.least), false),
    }
}

/// Whether the sender may use a command; if not, why, and who may.
pub(super) fn permit(policy: &Policy, row: &Row, standing: &CallerPermissions, by: &str) -> Result<(), String> {
    let (grant, by_policy) = grant(policy, row);
    match &grant {
        Grant::AtLeast(least) => match &standing.role {
            Ok(role) if role >= least => Ok(()),
            Ok(role) => Err(messages::role_too_low(row, *least, *role, by_policy, by)),
            Err(unanswered) => Err(messages::role_unknown(by, unanswered)),
        },
        Grant::Teams(teams) => {
            let answers: Vec<_> = teams.iter().filter_map(|team| standing.teams.get(team)).collect();
            if answers.iter().any(|answer| **answer == Ok(true)) {
                return Ok(());
            }
            match answers.iter().find_map(|answer| answer.as_ref().err()) {
                Some(unanswered) => Err(messages::teams_unknown(by, teams, unanswered)),
                None => Err(messages::not_in_teams(row, teams, by)),
            }
        }
    }
}

/// Keeps what the forge said just now of who approves or overrides: it is
/// counted by the same answers a moment later.
pub(crate) fn learn(facts: &mut RepoFacts, standing: &CallerPermissions, command: &CommandFacts) -> Vec<DocumentKey> {
    if !matches!(command.action, Some(CommandAction::Approve { .. } | CommandAction::Override { .. })) {
        return Vec::new();
    }
    let account = &command.by;
    let role = standing.role.as_ref().ok().and_then(|role| Some((role_need(account)?, Answer::Role(*role))));
    let members = standing
        .teams
        .iter()
        .filter_map(|(team, member)| Some((member_need(account, team)?, Answer::Member(*member.as_ref().ok()?))));
    let mut changed = Vec::new();
    for (need, answer) in role.into_iter().chain(members) {
        let answered = Answered { need: need.clone(), answer, at: standing.asked_at };
        if facts.answers.get(&need).is_none_or(|known| known.at < answered.at) {
            facts.answers.insert(need.clone(), answered);
            changed.push(DocumentKey::Answer(need));
        }
    }
    changed
}
