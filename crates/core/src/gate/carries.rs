//! Contents of a deployment or release, for people: the pull requests, and the commits that came
//! without one, between what runs and the subject's commit.
//!
//! The commits are those that `hold` and `reviews` examine ([`super::contents`]). A change that was
//! cherry-picked is listed once, under its original. Pull requests from one listed branch into
//! another only move commits, so they are left out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    commits::{brought::Brought, landing::Work},
    context::EvalContext,
    domain::{
        id::{ItemId, Sha},
        needs::{Answer, Need},
    },
    gate::{ConditionContext, Subject, contents::Unknown},
    text::message::{deployment_name, forge_words},
};

/// Limit on reverts of reverts.
const DEEPEST: usize = 8;

/// Contents of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// Nothing ran there before, or there is no earlier version: it carries everything.
    First,
    /// The difference to what runs, or to the earlier version.
    Changes(Contents),
    /// Not known.
    Unknown {
        /// The reason, for people.
        why: String,
        /// The forge is being asked.
        asked: bool,
    },
}

/// Difference between what runs and a subject's commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The commit that runs, or the earlier version's.
    pub from: Sha,
    /// The subject's commit.
    pub to: Sha,
    /// The two commits have no common history.
    pub unrelated: bool,
    /// Changes that it brings, newest first.
    pub brings: Vec<Change>,
    /// Changes that run and that it does not contain, newest first: a rollback takes them away.
    pub removes: Vec<Change>,
    /// Number of changes that belong to other services alone.
    pub others: usize,
}

/// A pull request, or a commit that came without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The pull request; `None`: a commit without one.
    pub pull: Option<ItemId>,
    /// The commit; of a pull request, its newest one.
    pub sha: Sha,
    /// Time at which it landed, if that is recorded.
    pub at: Option<Timestamp>,
    /// Pull requests that cherry-picked it.
    pub picked_by: BTreeSet<ItemId>,
    /// Name of the change that takes it back: it has no effect.
    pub taken_back_by: Option<String>,
    /// Pull requests that run and that it takes back.
    pub takes_back: BTreeSet<ItemId>,
    /// Commit that runs already and is a cherry-pick of it.
    pub runs_as: Option<Sha>,
}

impl Carried {
    /// Returns the pull requests that it brings and that did not run before in any form.
    pub fn pulls(&self) -> BTreeSet<ItemId> {
        let Self::Changes(contents) = self else { return BTreeSet::new() };
        let new = contents.brings.iter().filter(|change| change.is_new());
        new.flat_map(|change| change.pull.into_iter().chain(change.picked_by.iter().copied())).collect()
    }
}

impl Change {
    /// Returns whether it has an effect that what runs does not have.
    pub fn is_new(&self) -> bool {
        self.taken_back_by.is_none() && self.runs_as.is_none()
    }
}

impl EvalContext<'_> {
    /// Returns what a subject carries. Asks for what is not known.
    pub(crate) fn carried(&self, subject: &Subject) -> Carried {
        let ctx = ConditionContext { eval: self, subject };
        let bases = match ctx.last_bases() {
            Ok(bases) => bases,
            Err(unknown) => return self.not_known(&unknown),
        };
        let Some(from) = bases.first().cloned() else { return Carried::First };
        let brought = match ctx.new_commits() {
            Ok(commits) => commits.unwrap_or_default(),
            Err(unknown) => return self.not_known(&unknown),
        };
        let to = subject.sha.clone();
        let goes_forward = self.known_to_contain(&to, &from) == Some(true);
        let removed = if goes_forward { Some(BTreeSet::new()) } else { self.ask_commits_between(&to, &from) };
        let Some(removed) = removed else {
            return self.not_known(&Unknown::Ask(Need::Commits { base: Some(to), head: from }));
        };
        let compared = |base: &Sha, head: &Sha| {
            let need = Need::Commits { base: Some(base.clone()), head: head.clone() };
            self.facts.answers.get(&need).map(|known| &known.answer)
        };
        let unrelated = matches!(compared(&from, &to), Some(Answer::Commits { merge_base: None, .. }));
        let mut brings = changes(ctx, &brought, &bases);
        let mut removes = changes(ctx, &removed, std::slice::from_ref(&to));
        let all = brings.len() + removes.len();
        let ships =
            |change: &Change| ctx.ships(&change.pull.map_or_else(|| Work::Commit(change.sha.clone()), Work::Pull));
        brings.retain(ships);
        removes.retain(ships);
        let others = all - brings.len() - removes.len();
        Carried::Changes(Contents { from, to, unrelated, brings, removes, others })
    }

    /// Returns the changes that a subject's commits belong to.
    pub(crate) fn works_among(&self, subject: &Subject, commits: &BTreeSet<&Sha>) -> BTreeSet<Work> {
        gathered(ConditionContext { eval: self, subject }, commits).into_keys().collect()
    }

    /// Returns the commits with which a subject is compared, or its own if there are none; empty: its
    /// contents are not known. `known` is the last result.
    pub(super) fn bases_of(&self, subject: &Subject, known: &[Sha]) -> Vec<Sha> {
        // The version before a release stays the same.
        if !known.is_empty() && subject.environment().is_none() {
            return known.to_vec();
        }
        let Ok(mut bases) = (ConditionContext { eval: self, subject }).last_bases() else { return Vec::new() };
        // Once it runs, the list stays as it was when it began.
        if bases.contains(&subject.sha) {
            return known.to_vec();
        }
        if bases.is_empty() {
            bases.push(subject.sha.clone());
        }
        if bases == known || !matches!(self.carried(subject), Carried::Unknown { .. }) { bases } else { Vec::new() }
    }

    fn not_known(&self, unknown: &Unknown) -> Carried {
        match unknown {
            Unknown::Ask(need) => match self.facts.answers.get(need).map(|known| &known.answer) {
                Some(Answer::Unavailable { why }) => Carried::Unknown { why: forge_words(why), asked: false },
                Some(_) => {
                    Carried::Unknown { why: "there are more commits than GitHub lists".to_owned(), asked: false }
                }
                None => Carried::Unknown { why: "GitHub is being asked for the commits".to_owned(), asked: true },
            },
            Unknown::Run(deployment) => Carried::Unknown {
                why: format!("it is not known yet which commit {} brought", deployment_name(*deployment)),
                asked: true,
            },
        }
    }
}

/// Changes while they are gathered, by the work that they are.
type Gathered = BTreeMap<Work, Change>;

/// Groups commits into changes. `others`: the commits that the other side of the comparison
/// contains.
fn changes(ctx: ConditionContext<'_, '_>, commits: &BTreeSet<&Sha>, others: &[Sha]) -> Vec<Change> {
    let eval = ctx.eval;
    let mut found = gathered(ctx, commits);
    let works: BTreeSet<Work> = found.keys().cloned().collect();
    for (work, change) in &mut found {
        change.taken_back_by = taken_back_by(eval, work, &works, 0).as_ref().map(name);
        change.takes_back = takes_back(ctx, work, commits);
        change.takes_back.retain(|pull| !works.contains(&Work::Pull(*pull)));
        change.runs_as = runs_as(ctx, work, commits, others);
    }
    let mut all: Vec<Change> = found.into_values().collect();
    all.sort_by(|a, b| (b.at, b.pull, &b.sha).cmp(&(a.at, a.pull, &a.sha)));
    all
}

/// Groups commits into the changes that they belong to.
fn gathered(ctx: ConditionContext<'_, '_>, commits: &BTreeSet<&Sha>) -> Gathered {
    let eval = ctx.eval;
    let mut found: Gathered = BTreeMap::new();
    for sha in commits {
        let Brought { work, picked_by } = eval.brought_with(sha);
        for work in work {
            let pull = work.pull();
            let change = add(ctx, &mut found, work, sha);
            change.picked_by.extend(picked_by.iter().filter(|by| Some(**by) != pull));
        }
    }
    found
}

/// Adds a commit to the change that it belongs to.
fn add<'a>(ctx: ConditionContext<'_, '_>, found: &'a mut Gathered, work: Work, sha: &Sha) -> &'a mut Change {
    let facts = ctx.eval.facts;
    let pull = work.pull();
    let merge = pull.and_then(|number| facts.pull(number)).and_then(|pull| pull.merged.as_ref());
    let pushed = || {
        let pushes = facts.index.brought_by.get(sha).into_iter().flatten();
        pushes.filter_map(|id| facts.pushes.get(id)).map(|push| push.at).min()
    };
    let at = merge.map(|merge| merge.at).or_else(pushed);
    found.entry(work).or_insert_with(|| Change {
        pull,
        sha: merge.map_or_else(|| sha.clone(), |merge| merge.sha.clone()),
        at,
        picked_by: BTreeSet::new(),
        taken_back_by: None,
        takes_back: BTreeSet::new(),
        runs_as: None,
    })
}

fn name(work: &Work) -> String {
    match work {
        Work::Pull(number) => format!("#{number}"),
        Work::Commit(sha) => sha.code(),
    }
}

/// Returns the change among `works` that takes a change back and is not taken back itself.
fn taken_back_by(eval: &EvalContext<'_>, work: &Work, works: &BTreeSet<Work>, depth: usize) -> Option<Work> {
    if depth >= DEEPEST {
        return None;
    }
    let mut reverters = eval.reverters(work, &eval.own_landings(work)).into_iter();
    reverters.find(|by| works.contains(by) && taken_back_by(eval, by, works, depth + 1).is_none())
}

/// Returns the pull requests that a change says it takes back.
fn takes_back(ctx: ConditionContext<'_, '_>, work: &Work, commits: &BTreeSet<&Sha>) -> BTreeSet<ItemId> {
    let facts = ctx.eval.facts;
    let (said, shas): (Vec<ItemId>, Vec<&Sha>) = match work {
        Work::Pull(number) => {
            let pull = facts.pull(*number);
            let said = pull.and_then(|pull| pull.refs.as_ref()).map(|refs| refs.value.reverts.clone());
            (said.unwrap_or_default(), pull.and_then(|pull| pull.merged.as_ref()).map(|m| &m.sha).into_iter().collect())
        }
        Work::Commit(sha) => (Vec::new(), vec![sha]),
    };
    let reverted = shas.into_iter().filter(|sha| commits.contains(sha)).filter_map(|sha| facts.commits.get(sha));
    let reverted = reverted.flat_map(|commit| &commit.reverts).flat_map(|sha| ctx.eval.pulls_of(sha).0);
    said.into_iter().chain(reverted).collect()
}

/// Returns the commit by which the other side of the comparison contains a change already.
fn runs_as(ctx: ConditionContext<'_, '_>, work: &Work, commits: &BTreeSet<&Sha>, others: &[Sha]) -> Option<Sha> {
    let eval = ctx.eval;
    let landings = eval.landings(work);
    let live = landings.iter().filter(|landing| landing.until.is_none_or(|until| until > eval.now));
    let mut elsewhere = live.map(|landing| &landing.sha).filter(|sha| !commits.contains(sha));
    let is_there = |sha: &&Sha| others.iter().all(|other| eval.known_to_contain(other, sha) == Some(true));
    elsewhere.find(is_there).cloned()
}
