//! Permissions for commands: the questions to the forge, and the decision.

use crate::{
    command::{
        Row,
        caller::{Asks, CallerPermissions, Unanswered},
        extract::Request,
        gate, messages,
        parse::Call,
        share,
    },
    context::rights::{member_need, role_need},
    domain::{
        fact::{
            DocumentKey, RepoFacts,
            command::{CommandAction, CommandFacts},
        },
        needs::{Answer, Answered},
        permission::Grant,
        policy::Policy,
    },
    text::{headline::Headline, message::quoted},
};
use jiff::Timestamp;

/// Returns the questions to ask before [`crate::command::run::run`].
pub(super) fn asks(facts: &RepoFacts, policy: &Policy, request: &Request) -> Asks {
    let mut asks = Asks::default();
    if share::is_refused_unasked(facts, request) {
        return asks;
    }
    for (id, line) in request.undecided(facts) {
        let row = match &line.call {
            // It waits behind other commands, whoever its sender is.
            Call::Known(row, _) if !row.is_safety() && facts.waits_before(request.at, id) => continue,
            Call::Known(row, _) | Call::Near(row) => row,
            Call::Unknown | Call::TooMany => {
                asks.role = true;
                continue;
            }
        };
        asks.role = true;
        if row.name == "help" {
            // It shows for every command whether this person may use it.
            asks.teams.extend(policy.commands.permissions.values().flat_map(teams).cloned());
        }
        asks.teams.extend(policy.commands.permissions.get(row.name).into_iter().flat_map(teams).cloned());
        asks.teams.extend(approvers(policy, &line.call).into_iter().cloned());
        let known = request.commit(facts).is_some();
        let shape = facts.pull(request.item).and_then(|pull| pull.shape.as_ref());
        let is_pull = facts.items.get(&request.item).is_some_and(|item| item.is_pull);
        asks.head |= is_pull && ((row.acts_on_head() && !known) || (!row.forks && shape.is_none()));
    }
    asks
}

/// Returns the teams that a gate requires, if the line approves something there.
fn approvers<'p>(policy: &'p Policy, call: &Call) -> Vec<&'p String> {
    let Call::Known(row, Ok(given)) = call else { return Vec::new() };
    if !row.is_approval() {
        return Vec::new();
    }
    match gate::named(policy, given) {
        Ok(Some(gate)) => gate::approvals(policy, &gate).into_iter().flatten().collect(),
        _ => Vec::new(),
    }
}

/// Returns why the forge must be asked again before it is known whether the sender may use a
/// command as this line has it, and from when on; `None`: it is known.
pub(super) fn unanswered<'s>(
    policy: &Policy,
    call: &Call,
    standing: &'s CallerPermissions,
    by: &str,
) -> Option<(&'s str, Timestamp)> {
    let Call::Known(row, _) = call else { return None };
    let named = approvers(policy, call);
    // An approval is counted again by the same answers.
    if !row.is_approval() && permit_line(policy, call, standing, by, "").is_ok() {
        // It may also be unknown whether this is a fork's pull request.
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
        // An earlier line of the comment came first, so this was not asked yet.
        return Some(("the forge was not asked yet", standing.asked_at));
    }
    let teams = teams.into_iter().filter_map(|team| standing.teams.get(team)?.as_ref().err());
    let mut open = role.into_iter().chain(teams).filter_map(|open| Some((open.why.as_str(), open.again_at?)));
    open.next()
}

/// Returns the permissions with every answer replaced by a final refusal.
pub(super) fn give_up(
    policy: &Policy,
    call: &Call,
    standing: &CallerPermissions,
    why: &str,
    because: &str,
) -> CallerPermissions {
    let mut standing = standing.clone();
    let refused = || Unanswered { given_up: Some(because.to_owned()), ..Unanswered::refused(why) };
    // Existing answers don't count either: a command that was given up never runs.
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

/// Checks whether the sender may use a command as this line has it. A member of a team that the
/// gate names may approve, whatever their role, unless the policy restricts the command. `Err`: the
/// reason.
pub(super) fn permit_line(
    policy: &Policy,
    call: &Call,
    standing: &CallerPermissions,
    by: &str,
    line: &str,
) -> Result<(), Headline> {
    let (Call::Known(row, _) | Call::Near(row)) = call else { return Ok(()) };
    let named = approvers(policy, call);
    let is_member = named.iter().any(|team| standing.teams.get(*team) == Some(&Ok(true)));
    if is_member && !policy.commands.permissions.contains_key(row.name) {
        return Ok(());
    }
    let is_open = !policy.commands.permissions.contains_key(row.name);
    let approvers: Vec<String> = named.into_iter().filter(|_| is_open).cloned().collect();
    permit(policy, row, standing, (by, line), &approvers)
}

fn teams(grant: &Grant) -> &[String] {
    match grant {
        Grant::Teams(teams) => teams,
        Grant::AtLeast(_) => &[],
    }
}

/// Returns who may use a command, and whether the policy says so.
pub(crate) fn grant(policy: &Policy, row: &Row) -> (Grant, bool) {
    policy.commands.grant(row.name, row.least)
}

/// Checks whether the sender `by` may use a command, as `line` has it. `Err`: the reason, and who may:
/// `approvers` too.
pub(super) fn permit(
    policy: &Policy,
    row: &Row,
    standing: &CallerPermissions,
    (by, line): (&str, &str),
    approvers: &[String],
) -> Result<(), Headline> {
    let line = quoted(line);
    let (grant, by_policy) = grant(policy, row);
    match &grant {
        Grant::AtLeast(least) => match &standing.role {
            Ok(role) if role >= least => Ok(()),
            Ok(role) => Err(messages::role_too_low(row, *least, *role, by_policy, (by, &line), approvers)),
            Err(unanswered) => Err(messages::role_unknown(by, unanswered)),
        },
        Grant::Teams(teams) => {
            let answers: Vec<_> = teams.iter().filter_map(|team| standing.teams.get(team)).collect();
            if answers.iter().any(|answer| **answer == Ok(true)) {
                return Ok(());
            }
            match answers.iter().find_map(|answer| answer.as_ref().err()) {
                Some(unanswered) => Err(messages::teams_unknown(by, teams, unanswered)),
                None => Err(messages::not_in_teams(row, teams, by, &line)),
            }
        }
    }
}

/// Stores the forge's fresh answers about the sender of an approval or override: the gate counts it
/// by the same answers a moment later.
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
