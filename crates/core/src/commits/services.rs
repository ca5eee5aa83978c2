//! Services that a change belongs to, by the paths that its commits touch.

use std::collections::BTreeSet;

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{event::RefName, fact::commit::PushFacts, id::Sha, service::Scope},
};

/// Services that a change belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Touched<'f> {
    /// These.
    Known(BTreeSet<&'f str>),
    /// It is not known which files it changes, so it counts for all.
    Unknown,
}

impl<'f> EvalContext<'f> {
    /// Returns the services that a change belongs to. If no event listed its files, it counts for
    /// every service: it never goes further than its least advanced one.
    pub(crate) fn touched(&self, work: &Work) -> Touched<'f> {
        let landings = self.landings(work);
        let landed = landings.iter().find_map(|landing| self.commits_with(&landing.sha, work));
        let Some((push, commits)) = landed else { return Touched::Unknown };
        let mut services: BTreeSet<&str> = BTreeSet::new();
        for commit in commits {
            let Some(paths) = push.paths.get(commit) else { return Touched::Unknown };
            services.extend(self.policy.touched(paths.unpack().iter().map(String::as_str)));
        }
        Touched::Known(services)
    }

    /// Returns the services whose files a commit itself changes, whatever its message says of its
    /// origin.
    pub(crate) fn touched_by(&self, sha: &Sha) -> Touched<'f> {
        let pushes = self.facts.index.brought_by.get(sha).into_iter().flatten();
        let paths = pushes.filter_map(|id| self.facts.pushes.get(id)).find_map(|push| push.paths.get(sha));
        let Some(paths) = paths else { return Touched::Unknown };
        Touched::Known(self.policy.touched(paths.unpack().iter().map(String::as_str)))
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
            Touched::Unknown => self.policy.services.keys().map(|name| Scope::Service(name)).collect(),
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
            Touched::Unknown => true,
        }
    }

    /// Returns the push that brought a commit to a branch that counts, and the commits of the same
    /// change in it: of a pull request, those after the merge before it.
    fn commits_with(&self, sha: &Sha, work: &Work) -> Option<(&'f PushFacts, Vec<&'f Sha>)> {
        let index = &self.facts.index;
        let pushes = index.brought_by.get(sha).into_iter().flatten();
        let landed = pushes.filter(|(name, _, _)| matches!(name, RefName::Branch(branch) if self.listed(branch)));
        let push = landed.filter_map(|id| self.facts.pushes.get(id)).min_by_key(|push| push.at)?;
        let end = push.commits.iter().position(|commit| commit == sha)?;
        let start = match work {
            Work::Commit(_) => end,
            // Commits of the pull request may be among those that the push does not list.
            Work::Pull(_) if push.truncated => return None,
            Work::Pull(_) => {
                let before = push.commits[..end].iter().rposition(|commit| index.merged_as.contains_key(commit));
                before.map_or(0, |before| before + 1)
            }
        };
        Some((push, push.commits[start..=end].iter().collect()))
    }
}
