//! Waivers of conditions for a subject: by `/override`, or because it is a rollback.
//!
//! An override applies to its gate, its commit and its policy version, for a limited time, and
//! once: the next deployment or release uses it up.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    context::rights::{PermissionState, override_grant},
    domain::{
        decision::GateName,
        event::DeployState,
        fact::command::{CommandAction, CommandFacts, Ending},
        id::{Account, AccountId},
        rule::ConditionName,
        turn::Turn,
    },
    gate::ConditionContext,
    text::message::{anyone, moment, quoted, reason},
};

/// A condition that is waived this time, or would be.
#[derive(Debug, Clone)]
pub(super) struct Waiver {
    pub(super) condition: ConditionName,
    /// Text of the form "waived by … because …", sanitized.
    pub(super) words: String,
    /// Time at which the waiver ends.
    pub(super) until: Option<Timestamp>,
    /// The waiver counts; otherwise a second person still has to give the same override.
    pub(super) counts: bool,
    /// Who makes it count, if it lacks a second person.
    pub(super) turn: Option<Turn>,
}

/// One person's override of one condition.
struct Said<'a> {
    by: &'a Account,
    at: Timestamp,
    reason: &'a str,
    until: Timestamp,
}

/// Returns all waivers for a subject.
pub(super) fn all(ctx: ConditionContext<'_, '_>) -> Vec<Waiver> {
    let subject = ctx.subject.waived.iter().map(|(condition, word)| Waiver {
        condition: *condition,
        words: format!("waived {word}"),
        until: None,
        counts: true,
        turn: None,
    });
    subject.chain(overrides(ctx)).collect()
}

fn overrides(ctx: ConditionContext<'_, '_>) -> Vec<Waiver> {
    let (eval, subject) = (ctx.eval, ctx.subject);
    let rules = &eval.policy.overrides;
    let applying = eval.facts.words_at_gate(&subject.gate, &subject.sha);
    let applying = applying.into_iter().filter_map(heard).filter(|(gate, sha, policy, _, said)| {
        let here = **gate == subject.gate && **sha == subject.sha && **policy == eval.policy.version;
        here && said.until > eval.now
    });
    let applying: Vec<Heard<'_>> = applying.collect();
    let used = applying.iter().map(|(.., said)| said.at).min().and_then(|oldest| used_at(ctx, oldest));
    let mut said: BTreeMap<ConditionName, Vec<Said<'_>>> = BTreeMap::new();
    for (.., conditions, said_now) in applying.into_iter().filter(|(.., said)| used.is_none_or(|used| said.at > used)) {
        for condition in conditions.iter().filter(|condition| !rules.never.contains(condition)) {
            said.entry(*condition).or_default().push(Said { ..said_now });
        }
    }
    said.into_iter().map(|(condition, said)| waiver(ctx, condition, said)).collect()
}

/// Combines all overrides of one condition: only those by people who may override now count, and
/// each account counts once, until its latest end.
fn waiver(ctx: ConditionContext<'_, '_>, condition: ConditionName, mut said: Vec<Said<'_>>) -> Waiver {
    let eval = ctx.eval;
    let second = eval.policy.overrides.second;
    said.sort_by_key(|word| (word.at, word.by));
    let grant = override_grant(eval.policy);
    let mut people: BTreeMap<AccountId, (&str, Timestamp)> = BTreeMap::new();
    let mut names: Vec<AccountId> = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    let mut why = None;
    for word in &said {
        let right = ctx.is_granted(word.by, &grant);
        match (word.by.id, right.unknown(&word.by.login, "may override")) {
            (Some(id), None) if right == PermissionState::Held => {
                if !names.contains(&id) {
                    names.push(id);
                }
                let known = people.entry(id).or_insert((&word.by.login, word.until));
                known.1 = word.until.max(known.1);
                why = Some(word.reason);
            }
            (_, None) => notes.push(format!("{} would waive it and may no longer do so", quoted(&word.by.login))),
            (_, Some(unknown)) => notes.push(format!("{} would waive it: {unknown}", quoted(&word.by.login))),
        }
    }
    notes.dedup();
    let counts = people.len() > usize::from(second);
    // With two people, it ends when only one override is left.
    let mut ends: Vec<Timestamp> = people.values().map(|(_, until)| *until).collect();
    ends.sort_unstable();
    let until = if second && counts { ends.iter().rev().nth(1) } else { ends.last() }.copied();
    let by: Vec<String> = names.iter().filter_map(|id| people.get(id)).map(|(login, _)| quoted(login)).collect();
    let by = by.join(" and ");
    let why = why.map_or_else(String::new, |why| reason(Some(why)));
    let words = match until {
        Some(until) if counts => format!("waived by {by}{why} until {}", moment(until, &eval.policy.commands.zone)),
        Some(_) => {
            notes.insert(0, format!("{by} would waive it{why}; a second person has to comment the same line"));
            notes.join("; ")
        }
        None => notes.join("; "),
    };
    // A waiver that does not count ends with the last override.
    let until = until.or_else(|| said.iter().map(|word| word.until).max());
    let second_person = (!counts && !people.is_empty())
        .then(|| Turn::people(format!("{} who did not yet", anyone(&grant)), "comment the same `/override` line"));
    Waiver { condition, words, until, counts, turn: second_person }
}

type Heard<'a> = (&'a GateName, &'a crate::domain::id::Sha, &'a String, &'a BTreeSet<ConditionName>, Said<'a>);

fn heard(command: &CommandFacts) -> Option<Heard<'_>> {
    if !matches!(command.ending, Ending::Done(_)) {
        return None;
    }
    match &command.action {
        Some(CommandAction::Override { gate, sha, policy, conditions, reason, until }) => {
            Some((gate, sha, policy, conditions, Said { by: &command.by, at: command.at, reason, until: *until }))
        }
        _ => None,
    }
}

/// Returns when the commit last passed the gate, if at or after `since`: overrides given before
/// then are used up. A deployment whose commit is not known yet may have been this one's. One that
/// phasebot started passed when it was started, whatever was reported of it later.
fn used_at(ctx: ConditionContext<'_, '_>, since: Timestamp) -> Option<Timestamp> {
    let facts = ctx.eval.facts;
    let sha = &ctx.subject.sha;
    match &ctx.subject.gate {
        GateName::Deploy(environment) => {
            let mut begun = ctx.eval.history(environment).attempts_since(since);
            let is_used = |state| matches!(state, DeployState::InProgress | DeployState::Success);
            let found = begun.find(|attempt| {
                let begun = attempt.facts.statuses.iter().any(|status| is_used(status.state));
                begun
                    && attempt.commit.is_none_or(|commit| commit == sha)
                    && facts.request_of(attempt.deployment).is_none()
            });
            // A started deploy has used it, even before its deployment is seen; an override for a deploy
            // also covers that deploy's own jobs.
            let of_commit = facts.requests.index().by_commit.of(sha);
            let others = of_commit.filter(|id| ctx.subject.request.as_ref() != Some(*id));
            let others = others.filter_map(|id| facts.requests.get(id));
            let others = others.filter(|request| request.environment == *environment && !request.dry_run);
            let started = others.filter_map(|request| request.started_at).filter(|at| *at >= since);
            found.map(|attempt| attempt.begun).max(started.max())
        }
        GateName::Release(_) => {
            let published = facts.releases_since(since).rev();
            let mut here =
                published.filter(|(_, state)| ctx.eval.draft_commit(&state.tag, &state.target).as_ref() == Some(sha));
            here.next().map(|(at, _)| at)
        }
    }
}
