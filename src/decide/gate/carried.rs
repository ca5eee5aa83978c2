//! What a release or a deployment brings: the commits between what is there
//! and the commit, and the pull requests that they came by.

use std::collections::BTreeSet;

use super::Case;
use crate::{
    decide::ship,
    domain::{
        decision::GateName,
        event::{DeployState, RefName},
        id::{ItemNumber, Sha},
        needs::Need,
    },
};

impl Case<'_, '_> {
    /// The commit that is there before this one: what runs in the environment,
    /// or the version before this one. `Err`: nobody can tell yet.
    pub(super) fn base(self) -> Result<Option<Sha>, Need> {
        match &self.subject.gate {
            GateName::Deploy(environment) => Ok(self.running(environment)),
            GateName::Release(name) => self.version_before(name),
        }
    }

    fn running(self, environment: &str) -> Option<Sha> {
        let facts = self.look.facts;
        let ids = facts.index.deployments_to.get(environment).into_iter().flatten();
        let deployments = ids.filter_map(|id| facts.deployments.get(id).map(|d| (d.created_at, *id, d)));
        let good = deployments.filter(|(_, _, d)| ship::first(d, DeployState::Success).is_some());
        good.max_by_key(|(at, id, _)| (*at, *id)).map(|(_, _, deployment)| deployment.sha.clone())
    }

    /// The newest tag of the gate, other than the subject's own, that the commit contains.
    fn version_before(self, name: &str) -> Result<Option<Sha>, Need> {
        let facts = self.look.facts;
        let Some(pattern) = self.look.policy.gates.get(name).and_then(|gate| gate.tag.as_ref()) else {
            return Ok(None);
        };
        for (_, tag) in facts.index.tag_moves.iter().rev() {
            if self.subject.tags.contains(tag) || !pattern.matches(tag) {
                continue;
            }
            let place = facts.refs.get(&RefName::Tag(tag.clone())).and_then(|place| place.moves.last());
            let Some((_, Some(sha))) = place else { continue };
            if *sha == self.subject.sha {
                continue;
            }
            match self.contains(&self.subject.sha, sha) {
                Some(true) => return Ok(Some(sha.clone())),
                Some(false) => {}
                None => return Err(Need::Commits { base: Some(sha.clone()), head: self.subject.sha.clone() }),
            }
        }
        Ok(None)
    }

    /// Pull requests that a commit came by, as far as events told.
    pub(super) fn pulls_by(self, sha: &Sha) -> BTreeSet<ItemNumber> {
        let index = &self.look.facts.index;
        let mut pulls: BTreeSet<ItemNumber> = index.merged_as.get(sha).into_iter().flatten().copied().collect();
        for (name, _, _) in index.brought_by.get(sha).into_iter().flatten() {
            if let RefName::Branch(branch) = name
                && !self.look.listed(branch)
            {
                let from = index.pulls_from.get(branch).into_iter().flatten();
                pulls.extend(from.filter(|n| {
                    self.look.facts.pull(**n).is_some_and(|p| p.heads.contains_key(sha) || p.merged.is_some())
                }));
            }
        }
        pulls
    }
}
