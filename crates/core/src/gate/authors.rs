//! Makers of what is gated: none of them can approve it.
//!
//! They are the people who made its commits (authors, committers and co-authors, by the forge's
//! record), who opened the pull requests that brought them, and who pushed them. Merging alone does
//! not count. But if a commit names an address that belongs to no account, anyone may be its
//! author: then whoever merged a part of it counts, too.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::{
    domain::{
        event::RefName,
        fact::commit::PushFacts,
        id::{Account, AccountId, ItemId, Sha},
        needs::{Answer, Authors, Need},
        rule::ConditionName,
        turn::Turn,
    },
    gate::{ConditionContext, condition_result::ConditionResult},
};

/// Greatest age of an answer about authors: the accounts of a commit's addresses rarely change.
const AGE_OF_AUTHORS: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Greatest age of an answer about pull requests: who opened and merged one rarely changes.
const AGE_OF_PULLS: SignedDuration = SignedDuration::from_hours(24);
/// Limit on the commits that are examined one by one.
const MOST_COMMITS: usize = 250;
/// Limit on the commits of unknown pusher that are asked about.
const MOST_UNKNOWN: usize = 20;

/// Accounts that took part in a subject, each with its part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Makers(BTreeMap<AccountId, String>);

impl Makers {
    /// Returns the part that an account had, such as `made a commit of it`.
    pub(crate) fn part_of(&self, account: &Account) -> Option<&str> {
        self.0.get(&account.id?).map(String::as_str)
    }

    /// Adds an account's part; the first one found is kept.
    fn add(&mut self, account: &Account, part: impl FnOnce() -> String) {
        if let Some(id) = account.id {
            self.0.entry(id).or_insert_with(part);
        }
    }
}

/// Ways in which commits came, as far as recorded.
#[derive(Default)]
struct Ways<'f> {
    pulls: BTreeSet<ItemId>,
    pushers: BTreeSet<&'f Account>,
    /// Accounts that pushed a pull request's merge.
    mergers: BTreeSet<&'f Account>,
    /// Commits of unknown pusher.
    strange: Vec<Sha>,
}

/// Returns everyone who took part in the subject; `Err`: that can't be known, or not yet.
pub(super) fn makers(ctx: ConditionContext<'_, '_>) -> Result<Makers, Box<ConditionResult>> {
    let commits = carried(ctx)?;
    let authors = authors(ctx, &commits)?;
    let mut makers = Makers::default();
    for person in &authors.people {
        makers.add(person, || "made a commit of it".to_owned());
    }
    let mut ways = Ways::default();
    for sha in &commits {
        ways.add(ctx, sha);
    }
    ask_about_strange(ctx, &mut ways)?;
    for pusher in &ways.pushers {
        makers.add(pusher, || "pushed a commit of it".to_owned());
    }
    for pull in &ways.pulls {
        add_pull(ctx, *pull, authors.anonymous.as_ref(), &mut makers)?;
    }
    if let Some(sha) = &authors.anonymous {
        for merger in &ways.mergers {
            makers.add(merger, || merged(sha));
        }
    }
    Ok(makers)
}

fn merged(anonymous: &Sha) -> String {
    format!("merged a part of it, and {} names an address that belongs to no account", anonymous.code())
}

/// Returns the turn where the record does not tell who took part: nobody's approval can count.
fn unknown(ctx: ConditionContext<'_, '_>) -> Turn {
    ctx.overrides(ConditionName::Approval)
}

/// Returns the commits that the subject brings, its own included.
fn carried(ctx: ConditionContext<'_, '_>) -> Result<BTreeSet<Sha>, Box<ConditionResult>> {
    let sha = &ctx.subject.sha;
    let what = "what it carries";
    let new = ctx.new_commits().map_err(|unknown| Box::new(unknown.finding(ctx, "approval", what)))?;
    let mut commits = BTreeSet::from([sha.clone()]);
    commits.extend(new.into_iter().flatten().cloned());
    if commits.len() > MOST_COMMITS {
        let words = format!("it carries {} commits, more than can be looked at for their authors", commits.len());
        return Err(Box::new(ConditionResult::error("approval_too_many", words, unknown(ctx)).by_hand()));
    }
    Ok(commits)
}

/// Returns the people who made the commits that the subject brings.
fn authors(ctx: ConditionContext<'_, '_>, commits: &BTreeSet<Sha>) -> Result<Authors, Box<ConditionResult>> {
    // A single commit is asked about without a base.
    let bases = if commits.len() > 1 { ctx.last_bases().unwrap_or_default() } else { Vec::new() };
    let bases = if bases.is_empty() { vec![None] } else { bases.into_iter().map(Some).collect() };
    let mut all = Authors::default();
    for base in bases {
        let one = authors_since(ctx, base)?;
        all.people.extend(one.people);
        all.anonymous = all.anonymous.or(one.anonymous);
    }
    Ok(all)
}

fn authors_since(ctx: ConditionContext<'_, '_>, base: Option<Sha>) -> Result<Authors, Box<ConditionResult>> {
    let need = Need::Authors { base, head: ctx.subject.sha.clone() };
    match ctx.eval.answered_since(&need, ctx.eval.now.checked_sub(AGE_OF_AUTHORS).unwrap_or(jiff::Timestamp::MIN)) {
        Some(Answer::Authors(authors)) if authors.people.iter().all(|person| person.id.is_some()) => {
            Ok(authors.clone())
        }
        known => {
            if known.is_some() {
                // An earlier version asked and stored no account ids.
                ctx.eval.want(need.clone());
            }
            Err(Box::new(ctx.missing(&need, "approval_author", "who made what it carries")))
        }
    }
}

impl<'f> Ways<'f> {
    /// Adds how a commit came: the push that first showed it, the push that brought it to a listed
    /// branch, and the pull requests.
    fn add(&mut self, ctx: ConditionContext<'_, 'f>, sha: &Sha) {
        let facts = ctx.eval.facts;
        let index = &facts.index;
        let listed = index.brought_by.get(sha).into_iter().flatten();
        let compared = index.also_brought_by.get(sha).into_iter().flatten().map(|(id, _)| id);
        let pushes: Vec<&PushFacts> = listed.chain(compared).filter_map(|id| facts.pushes.get(id)).collect();
        let landed = |push: &&&PushFacts| matches!(&push.name, RefName::Branch(branch) if ctx.eval.listed(branch));
        let first = pushes.iter().min_by_key(|push| push.at);
        let first_landed = pushes.iter().filter(landed).min_by_key(|push| push.at);
        let (mut pulls, mut known) = (ctx.eval.pulls_by(sha), false);
        pulls.extend(index.pulls_by_head.get(sha).into_iter().flatten());
        for push in first.into_iter().chain(first_landed) {
            let merges = index.merged_as.get(&push.after);
            pulls.extend(merges.into_iter().flatten());
            let Some(pusher) = push.pusher.as_ref().filter(|pusher| pusher.id.is_some()) else { continue };
            known = true;
            if merges.is_some() {
                self.mergers.insert(pusher)
            } else {
                self.pushers.insert(pusher)
            };
        }
        if pulls.is_empty() && !known && first_landed.is_none() {
            // A commit below an open pull request's head came by that pull request.
            pulls.extend(ctx.open_pulls());
        }
        if pulls.is_empty() && !known {
            self.strange.push(sha.clone());
        }
        self.pulls.extend(pulls);
    }
}

impl ConditionContext<'_, '_> {
    /// Returns the pull requests that have the subject's commit as a head, unless it has landed:
    /// then anyone may open one with that head.
    fn open_pulls(self) -> BTreeSet<ItemId> {
        let index = &self.eval.facts.index;
        let mut brought = index.brought_by.get(&self.subject.sha).into_iter().flatten();
        if brought.any(|(name, ..)| self.eval.listed_ref(name)) {
            return BTreeSet::new();
        }
        index.pulls_by_head.get(&self.subject.sha).into_iter().flatten().copied().collect()
    }
}

/// Asks which pull requests brought the commits of unknown pusher. A commit that none brought may
/// be anyone's.
fn ask_about_strange(ctx: ConditionContext<'_, '_>, ways: &mut Ways<'_>) -> Result<(), Box<ConditionResult>> {
    if ways.strange.len() > MOST_UNKNOWN {
        let words = format!("it carries {} commits of which it is not recorded who pushed them", ways.strange.len());
        return Err(Box::new(ConditionResult::error("approval_pusher_unknown", words, unknown(ctx)).by_hand()));
    }
    let mut open: Option<ConditionResult> = None;
    for sha in std::mem::take(&mut ways.strange) {
        let need = Need::PullsOf { sha: sha.clone() };
        match ctx.answer(&need, AGE_OF_PULLS) {
            Some(Answer::BroughtBy(by)) if by.is_empty() => {
                let words = format!("it is not recorded who pushed {}: they may be its author", sha.code());
                open = Some(ConditionResult::unknown("approval_pusher_unknown", words, unknown(ctx)).by_hand());
            }
            Some(Answer::BroughtBy(by)) => ways.pulls.extend(by.keys()),
            _ => {
                let what = format!("which pull request brought {}", sha.code());
                open.get_or_insert_with(|| ctx.missing(&need, "approval", &what));
            }
        }
    }
    open.map_or(Ok(()), |finding| Err(Box::new(finding)))
}

/// Adds who opened a pull request and who pushed to it; if a commit is `anonymous`, also who merged
/// it.
fn add_pull(
    ctx: ConditionContext<'_, '_>,
    number: ItemId,
    anonymous: Option<&Sha>,
    makers: &mut Makers,
) -> Result<(), Box<ConditionResult>> {
    let item = ctx.eval.facts.items.get(&number);
    let pull = item.and_then(|item| item.pull.as_ref());
    let opened = |_: &Account| format!("opened #{number}");
    let author = item.and_then(|item| item.author.as_ref()).map(crate::domain::id::Actor::account);
    let merged_by = pull.and_then(|pull| pull.merged.as_ref()).map(|merge| merge.by.clone());
    for pusher in pull.into_iter().flat_map(|pull| &pull.pushers) {
        makers.add(pusher, || format!("pushed to #{number}"));
    }
    let has_account = author.as_ref().is_some_and(|author| author.id.is_some());
    let tells_merger = match &merged_by {
        Some(by) => by.as_ref().is_some_and(|by| by.id.is_some()),
        None => pull.is_some_and(|pull| pull.shape.is_some()),
    };
    if let Some(author) = author.filter(|_| has_account) {
        makers.add(&author, || opened(&author));
    }
    if let (Some(sha), Some(Some(by))) = (anonymous, &merged_by) {
        makers.add(by, || merged(sha));
    }
    if !has_account || (anonymous.is_some() && !tells_merger) {
        let need = Need::Reviews { pull: number };
        let Some(Answer::Reviews { author, merged_by, .. }) = ctx.answer(&need, AGE_OF_PULLS) else {
            return Err(Box::new(ctx.missing(&need, "approval", &format!("who opened #{number}"))));
        };
        let nameless = author.iter().chain(merged_by).any(|account| account.id.is_none());
        if nameless {
            let words = format!("it is not recorded which account opened or merged #{number}");
            return Err(Box::new(ConditionResult::unknown("approval_account_unknown", words, unknown(ctx)).by_hand()));
        }
        // A deleted account approves nothing.
        if let Some(author) = author {
            makers.add(author, || opened(author));
        }
        if let (Some(sha), Some(by)) = (anonymous, merged_by) {
            makers.add(by, || merged(sha));
        }
    }
    let from_the_start = item.is_some_and(|item| item.created_at.is_some_and(|at| !item.before_record(at)));
    if anonymous.is_some() && !from_the_start {
        let words = format!("a commit names an address of no account, and who pushed to #{number} is not recorded");
        return Err(Box::new(ConditionResult::unknown("approval_pusher_unknown", words, unknown(ctx)).by_hand()));
    }
    Ok(())
}
