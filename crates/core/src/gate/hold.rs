//! `hold`: no item that the subject brings is on hold.

use std::collections::BTreeSet;

use crate::{
    commits::landing::Work,
    context::rights::WRITERS,
    domain::{
        fact::command::Guard,
        id::{ItemId, Sha},
        needs::{Answer, Need},
        turn::{Act, Turn},
    },
    gate::{ConditionContext, condition_result::ConditionResult, contents::Unknown},
    text::message::{command_line, person, quoted, reason},
};

/// Limit on the commits of unknown origin that are asked about.
const MOST_UNKNOWN: usize = 20;
/// Limit on the holds and people that a sentence names.
const MOST_NAMED: usize = 3;
/// Limit on the holds that are listed.
const MOST_PARTS: usize = 20;

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>) -> ConditionResult {
    let facts = ctx.eval.facts;
    let mut standing: Vec<Guard<'_>> = Vec::new();
    for item in facts.held_items() {
        let holds = facts.holds(item);
        if holds.is_empty() {
            continue;
        }
        match carries(ctx, item) {
            Ok(true) => standing.extend(holds),
            Ok(false) => {}
            Err(Unclear::Base(unknown)) => {
                return unknown.finding(ctx, "hold", &format!("whether #{item}, which is on hold, is in it"));
            }
            Err(Unclear::TooMany(commits)) => {
                let words = format!(
                    "#{item} is on hold, and of {commits} commits it is not known which pull requests brought them"
                );
                return ConditionResult::error("hold_unknown", words, lifts(&holds)).by_hand();
            }
            Err(Unclear::Unseen(pull)) => {
                let held = if pull == item { String::new() } else { format!(" for #{item}") };
                let words =
                    format!("#{pull} is on hold{held}, and it is not known what it brings: no event reported it");
                let turn = Turn::people(WRITERS, format!("edit #{pull}, so that an event reports it"));
                return ConditionResult::error("hold_unknown", words, turn).by_hand();
            }
        }
    }
    standing.sort_by_key(|hold| (hold.since, hold.item));
    let since = standing.first().map(|hold| hold.since);
    match standing.as_slice() {
        [] => ConditionResult::pass("hold_none", "nothing in it is on hold"),
        [one] => {
            let words = format!("#{} is on hold by {}{}", one.item, quoted(&one.by.login), reason(one.reason));
            ConditionResult::wait("held", words, lifts(&standing)).seen(since).by_hand()
        }
        several => {
            let people: BTreeSet<&str> = several.iter().map(|hold| hold.by.login.as_str()).collect();
            let named: Vec<String> = people.iter().take(MOST_NAMED).map(|login| quoted(login)).collect();
            let more = people.len().saturating_sub(MOST_NAMED);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let words = format!("on hold by {}{more} ({} holds)", named.join(" and "), several.len());
            let parts = several.iter().take(MOST_PARTS).map(|hold| part(hold).condition).collect();
            let mut result = ConditionResult::wait("held", words, lifts(several)).seen(since).by_hand();
            result.condition.parts = parts;
            result
        }
    }
}

/// Returns one hold among several.
fn part(hold: &Guard<'_>) -> ConditionResult {
    let words = format!("{} on #{} by {}{}", quoted(hold.name), hold.item, quoted(&hold.by.login), reason(hold.reason));
    ConditionResult::wait("held", words, Turn::Untold).seen(Some(hold.since)).named("hold")
}

/// Returns the turn of those who lift holds: whoever set them, each their own.
fn lifts(holds: &[Guard<'_>]) -> Turn {
    let mut people: Vec<String> = Vec::new();
    for hold in holds.iter().take(MOST_NAMED) {
        let by = person(&hold.by.login);
        if !people.contains(&by) {
            people.push(by);
        }
    }
    let when = match holds.len() {
        1 => "when its reason is gone",
        _ => "when the reasons are gone",
    };
    let mut act = Act::from("comment ");
    for (at, hold) in holds.iter().take(MOST_NAMED).enumerate() {
        act = if at == 0 { act } else { act.and(" and ") };
        act = act.with(command_line(&["unhold", hold.name]).on(hold.item));
        if people.len() > 1 {
            act = act.and(format!(" ({})", person(&hold.by.login)));
        }
    }
    Turn::people(people.join(" and "), act.and(format!(" {when}")))
}

/// Reason why it is unknown whether a commit brings a change.
enum Unclear {
    /// The base is being asked for, or is unavailable.
    Base(Unknown),
    /// No event has shown this pull request's branches.
    Unseen(ItemId),
    /// Too many commits came by unknown pull requests; their number.
    TooMany(usize),
}

impl Unclear {
    fn asked(need: Need) -> Self {
        Self::Base(Unknown::Ask(need))
    }
}

/// Returns whether the commit brings a change of the item that is not present yet.
fn carries(ctx: ConditionContext<'_, '_>, item: ItemId) -> Result<bool, Unclear> {
    let facts = ctx.eval.facts;
    let unseen = |number: &ItemId| facts.pull(*number).is_none_or(|pull| pull.shape.is_none());
    if facts.items.get(&item).is_some_and(|held| held.is_pull) && unseen(&item) {
        return Err(Unclear::Unseen(item));
    }
    let mut works: Vec<Work> = Vec::new();
    if facts.pull(item).is_some() {
        works.push(Work::Pull(item));
    }
    works.extend(facts.index.pulls_naming.get(&item).into_iter().flatten().map(|pull| Work::Pull(*pull)));
    let closing = facts.index.commits_closing.get(&item).into_iter().flatten();
    works.extend(closing.map(|sha| Work::Commit(sha.clone())));
    let mut commits: BTreeSet<Sha> = BTreeSet::new();
    // What belongs to other services alone holds nothing back here.
    works.retain(|work| ctx.ships(work));
    let unplaced = works.iter().find_map(|work| match work {
        Work::Pull(number) if unseen(number) && ctx.eval.landings(work).is_empty() => Some(*number),
        Work::Pull(_) | Work::Commit(_) => None,
    });
    for work in works {
        if let Work::Pull(number) = &work
            && facts
                .pull(*number)
                .is_some_and(|pull| pull.merged.is_none() && pull.heads.contains_key(&ctx.subject.sha))
        {
            // The head of an open pull request is deployed as it is.
            return Ok(true);
        }
        let landed = ctx.eval.landings(&work);
        commits
            .extend(landed.iter().filter(|c| c.until.is_none_or(|until| until > ctx.eval.now)).map(|c| c.sha.clone()));
    }
    let bases = ctx.bases();
    let mut unknown = None;
    for commit in commits {
        let brought = ctx.contains(&ctx.subject.sha, &commit);
        let there = is_there(ctx, bases.as_deref().ok(), &commit);
        match (brought, there) {
            (Some(false), _) | (_, Ok(true)) => {}
            (Some(true), Ok(false)) => return Ok(true),
            (None, Ok(false)) => {
                unknown = Some(Need::Commits { base: Some(commit), head: ctx.subject.sha.clone() });
            }
            (_, Err(head)) => {
                bases.clone().map_err(Unclear::Base)?;
                let head = head.unwrap_or_else(|| ctx.subject.sha.clone());
                unknown = Some(Need::Commits { base: Some(commit), head });
            }
        }
    }
    if let Some(need) = unknown {
        return Err(Unclear::asked(need));
    }
    let is_linked = linked_elsewhere(ctx, item)?;
    match unplaced {
        Some(number) if !is_linked => Err(Unclear::Unseen(number)),
        _ => Ok(is_linked),
    }
}

/// Returns whether all bases contain a commit; `false` without any base. `Err`: unknown, with the
/// base for which it is, if the bases are known.
fn is_there(ctx: ConditionContext<'_, '_>, bases: Option<&[Sha]>, commit: &Sha) -> Result<bool, Option<Sha>> {
    let bases = bases.ok_or(None)?;
    let mut unknown = None;
    for base in bases {
        match ctx.contains(base, commit) {
            Some(true) => {}
            Some(false) => return Ok(false),
            None => unknown = Some(base.clone()),
        }
    }
    unknown.map_or(Ok(!bases.is_empty()), |base| Err(Some(base)))
}

/// Returns whether a pull request that the commit brings is linked to a held issue on the forge
/// alone, which no text shows. If that can't be asked, the hold stays in force. Without a base to
/// compare with, only the commit itself is examined.
fn linked_elsewhere(ctx: ConditionContext<'_, '_>, item: ItemId) -> Result<bool, Unclear> {
    let (eval, sha) = (ctx.eval, &ctx.subject.sha);
    if eval.facts.items.get(&item).is_some_and(|held| held.is_pull) {
        return Ok(false);
    }
    let brought = ctx.new_commits().map_err(Unclear::Base)?.unwrap_or_else(|| BTreeSet::from([sha]));
    let mut pulls: BTreeSet<ItemId> = BTreeSet::new();
    let mut strange: Vec<&Sha> = Vec::new();
    for commit in brought {
        let by = ctx.eval.pulls_by(commit);
        if by.is_empty() {
            strange.push(commit);
        }
        pulls.extend(by);
    }
    if strange.len() > MOST_UNKNOWN {
        return Err(Unclear::TooMany(strange.len()));
    }
    // An unrecorded pull request may have brought them. All questions are asked before the first
    // answer decides.
    let mut unanswered: Option<Need> = None;
    for sha in strange {
        let need = Need::PullsOf { sha: sha.clone() };
        match eval.lasting(&need) {
            Some(Answer::BroughtBy(by)) => pulls.extend(by.keys()),
            _ => drop(unanswered.get_or_insert(need)),
        }
    }
    for pull in pulls {
        let need = Need::LinkedIssues { pull };
        match eval.lasting(&need) {
            // For recorded pull requests, the landings in `carries` decide.
            Some(Answer::LinkedIssues(issues)) if issues.contains(&item) && eval.facts.pull(pull).is_none() => {
                return Ok(true);
            }
            Some(Answer::LinkedIssues(_)) => {}
            _ => drop(unanswered.get_or_insert(need)),
        }
    }
    unanswered.map_or(Ok(false), |need| Err(Unclear::asked(need)))
}
