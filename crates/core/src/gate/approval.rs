//! `approval`: enough people approved, none of whom asked for it or took part in making it, and all
//! of whom are still allowed to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::rights::{self, PermissionState, approve_grant},
    domain::{
        decision::{Condition, MissingApproval},
        fact::command::{CommandAction, CommandFacts, Ending},
        id::{Account, AccountId},
        needs::{Answer, Need},
        permission::Role,
        turn::{Act, CommandLine, Turn},
    },
    gate::{ConditionContext, authors, condition_result::ConditionResult, turns},
    text::{
        links::Links,
        message::{command_line, quoted},
    },
};

/// Greatest age of an answer about who started a run: anyone may re-run it, and no event announces
/// that first.
const AGE_OF_STARTERS: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, count: u8, teams: &[String], mention: bool) -> ConditionResult {
    let (askers, makers) = match askers(ctx, AGE_OF_STARTERS).and_then(|askers| Ok((askers, authors::makers(ctx)?))) {
        Ok(found) => found,
        Err(finding) => return *finding,
    };
    let mut agreed: BTreeMap<AccountId, (&str, Timestamp)> = BTreeMap::new();
    let mut lost: BTreeMap<AccountId, &str> = BTreeMap::new();
    let mut unclear: BTreeMap<Option<AccountId>, ConditionResult> = BTreeMap::new();
    for command in ctx.eval.facts.words_at_gate(&ctx.subject.gate, &ctx.subject.sha) {
        if !approves(ctx, command) {
            continue;
        }
        let Account { id, login } = &command.by;
        let Some(id) = id else {
            let words = format!("it is not recorded which account approved as {}", quoted(login));
            let again = Act::comment(approve_command(ctx.subject.environment())).and(" again");
            let turn = Turn::people(quoted(login), again);
            unclear.insert(None, ConditionResult::unknown("approval_account_unknown", words, turn).by_hand());
            continue;
        };
        if is_one_of(&askers, &command.by) || makers.part_of(&command.by).is_some() {
            continue;
        }
        let right = may_approve(ctx, &command.by, teams);
        match right.unknown(login, "may approve it") {
            None if right == PermissionState::Held => drop(agreed.entry(*id).or_insert((login, command.at))),
            // Who never could approve for this rule may have approved for another one of the gate.
            None if could_approve(command, teams) => drop(lost.insert(*id, login)),
            None => {}
            Some(words) => {
                let finding = match right {
                    PermissionState::Unavailable(_) => {
                        ConditionResult::error("approval_right_unavailable", words, turns::refused())
                    }
                    PermissionState::Held
                    | PermissionState::Denied
                    | PermissionState::Asked
                    | PermissionState::Nameless => {
                        ConditionResult::unknown("approval_right_asked", words, Turn::asking())
                    }
                };
                unclear.insert(Some(*id), finding);
            }
        }
    }
    let last = agreed.values().map(|(_, at)| *at).max();
    let mut agreed: Vec<(Timestamp, &str)> = agreed.into_values().map(|(by, at)| (at, by)).collect();
    agreed.sort_unstable();
    let so_far: Vec<String> = agreed.iter().map(|(_, by)| (*by).to_owned()).collect();
    let people: Vec<String> = so_far.iter().map(|by| quoted(by)).collect();
    if people.len() >= usize::from(count) {
        return ConditionResult::pass("approved", format!("approved by {}", people.join(", "))).seen(last);
    }
    if people.len() + unclear.len() >= usize::from(count)
        && let Some((_, finding)) = unclear.into_iter().next()
    {
        return finding.seen(last);
    }
    let missing = MissingApproval { count, teams: teams.to_vec(), mention, so_far };
    let mut words = so_far_words(&missing);
    let turn = Turn::people(approvers(&missing, quoted), approve_command(ctx.subject.environment()));
    words.extend(lost.values().map(|login| format!("; {} approved it and may no longer do so", quoted(login))));
    ConditionResult::wait("approval_missing", words, turn).seen(last).by_hand().lacks(missing)
}

/// Returns how many approvals are there.
fn so_far_words(missing: &MissingApproval) -> String {
    let so_far: Vec<String> = missing.so_far.iter().map(|by| quoted(by)).collect();
    match (missing.count, so_far.as_slice()) {
        (1, _) => "no approval yet".to_owned(),
        (count, []) => format!("none of {count} approvals yet"),
        (count, some) => format!("{} of {count} approvals, by {}", some.len(), some.join(", ")),
    }
}

/// Returns the command that approves a deploy to an environment, or a release.
pub(crate) fn approve_command(environment: Option<&str>) -> CommandLine {
    match environment {
        Some(environment) => command_line(&["approve", "deploy", environment]),
        None => command_line(&["approve", "release"]),
    }
}

/// Returns who has to approve: `one of `sre``, `2 people with maintain access`. `team` are the words
/// for a team.
pub(crate) fn approvers(missing: &MissingApproval, team: impl Fn(&str) -> String) -> String {
    let MissingApproval { count, teams, mention: _, so_far: _ } = missing;
    let number = if *count == 1 { "one".to_owned() } else { count.to_string() };
    if teams.is_empty() {
        return match count {
            1 => "someone with maintain access".to_owned(),
            _ => format!("{count} people with maintain access"),
        };
    }
    format!("{number} of {}", teams.iter().map(|name| team(name)).collect::<Vec<_>>().join(", "))
}

/// Returns who acts next on a condition, with links to the teams whose approval is missing.
pub(crate) fn turn_of(condition: &Condition, links: &Links) -> Turn {
    let leaf = approval_leaf(condition).and_then(|leaf| leaf.approval.as_ref());
    match (leaf, &condition.turn) {
        (Some(missing), Turn::People { act, .. }) if condition.turn.starts_with("approve") => {
            Turn::people(approvers(missing, |team| links.team(team)), act.clone())
        }
        (_, turn) => turn.clone(),
    }
}

/// Returns the approval that a condition waits for: its own, or the one of the part whose turn it has.
fn approval_leaf(condition: &Condition) -> Option<&Condition> {
    if condition.approval.is_some() {
        return Some(condition);
    }
    let mut parts = condition.parts.iter().filter(|part| part.turn == condition.turn);
    parts.find_map(approval_leaf)
}

/// Returns a condition's sentence with whose turn it is, unless it is open.
pub(crate) fn sentence_of(condition: &Condition, links: &Links) -> String {
    if condition.standing.is_open() {
        return condition.sentence.clone();
    }
    turn_of(condition, links).after(&condition.sentence)
}

/// Returns who asks for a subject or initiated it; `Err`: that can't be known, or not yet.
fn askers(ctx: ConditionContext<'_, '_>, age: SignedDuration) -> Result<BTreeSet<Account>, Box<ConditionResult>> {
    let subject = ctx.subject;
    let mut askers: BTreeSet<Account> = subject.requester.iter().chain(&subject.starters).cloned().collect();
    for run in &subject.runs {
        let need = Need::Starters { run: *run };
        match ctx.answer(&need, age) {
            Some(Answer::Starters(found)) => askers.extend(found.iter().cloned()),
            _ => return Err(Box::new(ctx.missing(&need, "approval_starter", "who started the waiting run"))),
        }
    }
    if askers.iter().any(|asker| asker.id.is_none()) {
        let words = "it is not recorded which account asks for it";
        let turn = Turn::people("whoever asked for it", "ask for it again");
        return Err(Box::new(ConditionResult::unknown("approval_account_unknown", words, turn).by_hand()));
    }
    Ok(askers)
}

fn is_one_of(askers: &BTreeSet<Account>, account: &Account) -> bool {
    askers.iter().any(|asker| asker.same_as(account) == Some(true))
}

/// Returns the reason why an account may not approve a subject, such as `asked for it`; `None` if
/// it may. `Err`: a sentence that says why this can't be known, or not yet.
pub(super) fn objection(ctx: ConditionContext<'_, '_>, account: &Account) -> Result<Option<String>, String> {
    if account.id.is_none() {
        return Err("it is not recorded which account says this".to_owned());
    }
    // Approvals are counted again before everything that they open, so an answer of any age is
    // enough.
    let found = askers(ctx, SignedDuration::MAX).and_then(|askers| {
        if is_one_of(&askers, account) {
            return Ok(Some("asked for it".to_owned()));
        }
        Ok(authors::makers(ctx)?.part_of(account).map(str::to_owned))
    });
    found.map_err(|finding| finding.condition.sentence)
}

/// Returns whether an account meets the gate's requirement and may use the command.
fn may_approve(ctx: ConditionContext<'_, '_>, account: &Account, teams: &[String]) -> PermissionState {
    let right = ctx.is_granted(account, &rights::approvers(teams));
    match approve_grant(ctx.eval.policy) {
        Some(grant) if right == PermissionState::Held => ctx.is_granted(account, grant),
        _ => right,
    }
}

/// Returns whether the forge said, when someone approved, that they meet the gate's requirement.
fn could_approve(command: &CommandFacts, teams: &[String]) -> bool {
    let evidence = &command.evidence;
    match teams {
        [] => evidence.role.is_some_and(|role| role >= Role::Maintain),
        teams => teams.iter().any(|team| evidence.teams.get(team) == Some(&Some(true))),
    }
}

fn approves(ctx: ConditionContext<'_, '_>, command: &CommandFacts) -> bool {
    matches!(command.ending, Ending::Done(_))
        && matches!(&command.action, Some(CommandAction::Approve { gate, sha }) if *gate == ctx.subject.gate && *sha == ctx.subject.sha)
}
