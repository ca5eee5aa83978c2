//! Finds out if a commit is this repository's own. Forges keep the objects of a repository and of
//! its forks in one store: that a commit is found does not show whose it is.

use std::collections::BTreeSet;

use crate::domain::{
    fact::{
        commit::RefFacts,
        deployment::DeploymentFacts,
        repo::{DocumentKey, RepoFacts},
    },
    id::{ItemId, Sha},
    needs::{Answer, CommitPlace, Need},
};

impl RepoFacts {
    /// Returns true if a commit is, or was, on a branch or tag of this repository. `None`: neither
    /// the record nor the forge's answers show it.
    pub fn is_own_commit(&self, sha: &Sha) -> Option<bool> {
        let index = &self.index;
        let pushed = index.brought_by.contains_key(sha) || index.also_brought_by.contains_key(sha);
        let own_head = || {
            index.pulls_by_head.get(sha).into_iter().flatten().any(|pull| {
                let shape = self.pull(*pull).and_then(|pull| pull.shape.as_ref());
                shape.is_some_and(|shape| !shape.value.from_fork)
            })
        };
        if pushed || index.merged_as.contains_key(sha) || index.tags_at.contains_key(sha) || own_head() {
            return Some(true);
        }
        let need = Need::CommitPlace { sha: sha.clone(), branch: self.default_branch().to_owned() };
        match self.answers.get(&need).map(|known| &known.answer) {
            Some(Answer::CommitPlace(place)) => Some(*place != CommitPlace::Nowhere),
            _ => None,
        }
    }

    /// Returns an open pull request from a branch of this repository with this head.
    pub fn own_pull_with_head(&self, sha: &Sha) -> Option<ItemId> {
        self.pulls_with_head(sha).find(|number| {
            let shape = self.pull(*number).and_then(|pull| pull.shape.as_ref());
            shape.is_some_and(|shape| !shape.value.from_fork)
        })
    }

    /// Returns the commits of deployments of unknown origin, the newest deployment's first.
    pub fn commits_of_unknown_origin(&self) -> impl Iterator<Item = &Sha> {
        let ids = self.deployments.index().of_unknown_origin.iter().rev();
        ids.filter_map(|id| self.deployments.get(id)).map(DeploymentFacts::listed_commit)
    }

    /// Records at deployments what changed documents show about the origin of their commits.
    /// Returns the deployments that changed.
    pub fn place_deployments(&mut self, changed: &BTreeSet<DocumentKey>) -> BTreeSet<DocumentKey> {
        if self.deployments.is_empty() {
            return BTreeSet::new();
        }
        let mut found: BTreeSet<u64> = BTreeSet::new();
        for key in changed {
            if let DocumentKey::Deployment(id) = key {
                found.insert(*id);
            }
            let by_commit = &self.deployments.index().by_commit;
            self.commits_placed_by(key, &mut |sha| found.extend(by_commit.of(sha)));
        }
        let mut noted = BTreeSet::new();
        for id in found {
            let Some(deployment) = self.deployments.get(&id) else { continue };
            let is_here = self.is_own_commit(deployment.listed_commit());
            // A commit that was here once stays this repository's.
            let is_here = if deployment.commit_is_here == Some(true) { Some(true) } else { is_here };
            if is_here.is_some() && is_here != deployment.commit_is_here {
                self.deployments.update(&id, |deployment| deployment.commit_is_here = is_here);
                noted.insert(DocumentKey::Deployment(id));
            }
        }
        noted
    }

    /// Calls `each` with the commits that a document shows to be this repository's, or not.
    fn commits_placed_by(&self, key: &DocumentKey, each: &mut impl FnMut(&Sha)) {
        match key {
            DocumentKey::Push(name, before, after) => {
                let push = self.pushes.get(&(name.clone(), before.clone(), after.clone()));
                push.into_iter().flat_map(|push| push.commits.iter().chain([&push.after])).for_each(each);
            }
            DocumentKey::Item(number) => {
                let Some(pull) = self.pull(*number) else { return };
                pull.heads.keys().chain(pull.merged.as_ref().map(|merge| &merge.sha)).for_each(each);
            }
            DocumentKey::Ref(name) => {
                let moves = self.refs.get(name).into_iter().flat_map(RefFacts::moves);
                moves.filter_map(|(_, sha)| sha.as_ref()).for_each(each);
            }
            DocumentKey::Answer(Need::CommitPlace { sha, .. }) => each(sha),
            DocumentKey::Answer(need @ Need::Commits { .. }) => {
                let answer = self.answers.get(need).map(|known| &known.answer);
                let Some(Answer::Commits { commits, .. }) = answer else { return };
                let brought = commits.iter().map(|commit| &commit.sha);
                brought.filter(|sha| self.index.also_brought_by.contains_key(*sha)).for_each(each);
            }
            DocumentKey::Tags => self.tags.listed.iter().flatten().map(|(_, sha)| sha).for_each(each),
            DocumentKey::About
            | DocumentKey::Commit(_)
            | DocumentKey::Release(_)
            | DocumentKey::Checks(_)
            | DocumentKey::Verdicts(_)
            | DocumentKey::SchemaChange(..)
            | DocumentKey::Group(_)
            | DocumentKey::Deployment(_)
            | DocumentKey::Incident(_)
            | DocumentKey::Storm(_)
            | DocumentKey::Feedback(_)
            | DocumentKey::Heartbeat(_)
            | DocumentKey::Command(_)
            | DocumentKey::WaitingCommand(_)
            | DocumentKey::Request(_)
            | DocumentKey::Run(_)
            | DocumentKey::WaitingJob(..)
            | DocumentKey::Publication(_)
            | DocumentKey::Gate(..)
            | DocumentKey::Answer(_)
            | DocumentKey::Policy => {}
        }
    }
}
