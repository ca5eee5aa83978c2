//! Services that a change belongs to, by the paths that its commits touch.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        event::RefName,
        fact::{commit::PushFacts, paths::Paths},
        id::Sha,
        needs::{Answer, Need},
        service::Scope,
    },
};

/// Time within which the push that brings a merged change arrives, as a rule. Its lists make it
/// unnecessary to ask.
const PUSH_WITHIN: SignedDuration = SignedDuration::from_mins(1);
/// Greatest age of a change whose files are asked for.
const ASKED_WITHIN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Services that a change belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Touched<'f> {
    /// These.
    Known(BTreeSet<&'f str>),
    /// It changes more files than the forge lists, so it counts for all.
    Cut,
    /// It is not known which files it changes, so it counts for all.
    Unknown,
}

/// Files of a change as far as pushes list them.
enum Listed<'f> {
    /// All of them, of each commit.
    All(Vec<&'f Paths>),
    /// Not all of them.
    Some,
    /// The push that brought it is not in the record.
    None,
}

impl<'f> EvalContext<'f> {
    /// Returns the services that a change belongs to. If nothing lists its files, it counts for
    /// every service: it never goes further than its least advanced one.
    pub(crate) fn touched(&self, work: &Work) -> Touched<'f> {
        let need = files_need(work);
        match self.listed_files(work) {
            Listed::All(lists) => return Touched::Known(self.services_of(lists)),
            Listed::None if self.files_due_at(work).is_some() => {}
            Listed::Some | Listed::None if self.is_recent(work) => {
                self.lasting(&need);
            }
            Listed::Some | Listed::None => {}
        }
        self.answered_files(&need)
    }

    /// Returns the services whose files a commit itself changes, whatever its message says of its
    /// origin.
    pub(crate) fn touched_by(&self, sha: &Sha) -> Touched<'f> {
        let pushes = self.facts.index.brought_by.get(sha).into_iter().flatten();
        let paths = pushes.filter_map(|id| self.facts.pushes.get(id)).find_map(|push| push.paths.get(sha));
        match paths {
            Some(paths) => Touched::Known(self.services_of([paths])),
            None => self.answered_files(&Need::FilesOfCommit { sha: sha.clone() }),
        }
    }

    /// Returns the services that each part of a push touches: each of its commits, or where its lists
    /// do not tell, each file of the comparison. `None`: not all files are known.
    pub(crate) fn parts_of_push(&self, push: &'f PushFacts) -> Option<BTreeSet<BTreeSet<&'f str>>> {
        let mut parts = BTreeSet::new();
        let mut is_listed = !push.truncated;
        for commit in push.commits.iter().take_while(|_| !push.truncated) {
            let merged = || self.facts.index.merged_as.get(commit).and_then(|pulls| pulls.first());
            if let Some(paths) = push.paths.get(commit) {
                parts.insert(self.services_of([paths]));
            } else if let Some(pull) = merged() {
                // Its files are asked for anyway: they are the commit's.
                let Touched::Known(services) = self.touched(&Work::Pull(*pull)) else { return None };
                parts.insert(services);
            } else {
                is_listed = false;
            }
        }
        match is_listed {
            true => Some(parts),
            // A comparison leaves out what a rewrite dropped, and a new branch has nothing to compare.
            false if push.forced || push.before.is_zero() => None,
            false => self.parts_between(&push.before, &push.after),
        }
    }

    /// Returns whether the forge is still to say which files a push touches.
    pub(crate) fn are_parts_asked_for(&self, push: &PushFacts) -> bool {
        let is_open =
            |need: &Need| !matches!(self.facts.answers.get(need).map(|known| &known.answer), Some(Answer::Files(_)));
        let mut is_compared = push.truncated;
        for commit in push.commits.iter().filter(|commit| !push.truncated && !push.paths.contains_key(*commit)) {
            match self.facts.index.merged_as.get(commit).and_then(|pulls| pulls.first()) {
                Some(pull) if is_open(&Need::FilesOfPull { pull: *pull }) => return true,
                Some(_) => {}
                None => is_compared = true,
            }
        }
        let need = || Need::FilesBetween { base: push.before.clone(), head: push.after.clone() };
        is_compared && !push.forced && !push.before.is_zero() && is_open(&need())
    }

    /// Returns the services of each file in which `head` differs from where it left `base`. `None`: not
    /// all are known.
    pub(crate) fn parts_between(&self, base: &Sha, head: &Sha) -> Option<BTreeSet<BTreeSet<&'f str>>> {
        let answer = self.lasting(&Need::FilesBetween { base: base.clone(), head: head.clone() })?;
        let Answer::Files(Some(paths)) = answer else { return None };
        let files = paths.unpack();
        Some(files.iter().map(|file| self.policy.touched(std::iter::once(file.as_str()))).collect())
    }

    /// Returns the time from which the files of a change are asked for, while the push that brings it
    /// may still arrive.
    pub(crate) fn files_due_at(&self, work: &Work) -> Option<Timestamp> {
        let landed = self.landings(work).iter().map(|landing| landing.from).max()?;
        let due = landed.checked_add(PUSH_WITHIN).ok().filter(|due| *due > self.now)?;
        matches!(self.listed_files(work), Listed::None).then_some(due)
    }

    fn is_recent(&self, work: &Work) -> bool {
        let landed = self.landings(work).iter().map(|landing| landing.from).max();
        landed.is_some_and(|at| self.now.duration_since(at) <= ASKED_WITHIN)
    }

    fn listed_files(&self, work: &Work) -> Listed<'f> {
        let landings = self.landings(work);
        let mut found = Listed::None;
        for (push, end) in landings.iter().filter_map(|landing| self.push_of(&landing.sha)) {
            let commits = self.commits_of_change(push, end, work);
            let lists = commits.and_then(|commits| commits.iter().map(|commit| push.paths.get(commit)).collect());
            match lists {
                Some(lists) => return Listed::All(lists),
                None => found = Listed::Some,
            }
        }
        found
    }

    /// Returns the services of the files that the forge listed when it was asked.
    fn answered_files(&self, need: &Need) -> Touched<'f> {
        match self.facts.answers.get(need).map(|known| &known.answer) {
            Some(Answer::Files(Some(paths))) => Touched::Known(self.services_of([paths])),
            Some(Answer::Files(None)) => Touched::Cut,
            _ => Touched::Unknown,
        }
    }

    fn services_of<'p>(&self, lists: impl IntoIterator<Item = &'p Paths>) -> BTreeSet<&'f str> {
        let touched = |paths: &Paths| self.policy.touched(paths.unpack().iter().map(String::as_str));
        lists.into_iter().flat_map(touched).collect()
    }

    /// Returns the scopes in which a change has to advance.
    pub(crate) fn scopes_of(&self, work: &Work) -> Vec<Scope<'f>> {
        // What has not landed has nothing that depends on a service.
        if self.policy.services.is_empty() || self.landings(work).is_empty() {
            return vec![Scope::Everything];
        }
        match self.touched(work) {
            Touched::Known(services) if services.is_empty() => vec![Scope::Unclaimed],
            Touched::Known(services) => services.into_iter().map(Scope::Service).collect(),
            Touched::Cut | Touched::Unknown => self.policy.services.keys().map(|name| Scope::Service(name)).collect(),
        }
    }

    /// Returns whether a change belongs to a scope that `takes` accepts, or may.
    pub(crate) fn is_within(&self, work: &Work, takes: impl Fn(Scope<'_>) -> bool) -> bool {
        // What has not landed has nothing that depends on a service.
        if self.policy.services.is_empty() || self.landings(work).is_empty() {
            return true;
        }
        match self.touched(work) {
            Touched::Known(services) => self.policy.any_scope(&services, takes),
            Touched::Cut | Touched::Unknown => true,
        }
    }

    /// Returns the push that brought a commit to a branch that counts, and the commit's place in it.
    fn push_of(&self, sha: &Sha) -> Option<(&'f PushFacts, usize)> {
        let pushes = self.facts.index.brought_by.get(sha).into_iter().flatten();
        let landed = pushes.filter(|(name, _, _)| matches!(name, RefName::Branch(branch) if self.listed(branch)));
        let push = landed.filter_map(|id| self.facts.pushes.get(id)).min_by_key(|push| push.at)?;
        let place = push.commits.iter().position(|commit| commit == sha)?;
        Some((push, place))
    }

    /// Returns the commits of a change in the push that brought it, of which the last is at `end`: of
    /// a pull request, those after the merge before it. `None`: some may not be listed.
    fn commits_of_change(&self, push: &'f PushFacts, end: usize, work: &Work) -> Option<&'f [Sha]> {
        let start = match work {
            Work::Commit(_) => end,
            Work::Pull(_) if push.truncated => return None,
            Work::Pull(_) => {
                let merged = &self.facts.index.merged_as;
                let before = push.commits[..end].iter().rposition(|commit| merged.contains_key(commit));
                before.map_or(0, |before| before + 1)
            }
        };
        Some(&push.commits[start..=end])
    }
}

impl<'f> EvalContext<'f> {
    /// Returns the services that are known to own files of an item's change, or of the changes that
    /// an issue follows. What touches more files than the forge lists belongs to all.
    pub(crate) fn services_of_item(&self, works: &BTreeSet<Work>) -> BTreeSet<&'f str> {
        let landed = works.iter().filter(|work| !self.landings(work).is_empty());
        let touched = landed.flat_map(|work| match self.touched(work) {
            Touched::Known(services) => services,
            Touched::Cut => self.policy.services.keys().map(String::as_str).collect(),
            Touched::Unknown => BTreeSet::new(),
        });
        touched.collect()
    }
}

/// Returns the question about the files of a change.
fn files_need(work: &Work) -> Need {
    match work {
        Work::Pull(pull) => Need::FilesOfPull { pull: *pull },
        Work::Commit(sha) => Need::FilesOfCommit { sha: sha.clone() },
    }
}
