//! What a release or a deployment brings: the commits between what is there
//! and the commit, and the pull requests that they came by.

use std::collections::BTreeSet;

use super::{Case, finding::Finding};
use crate::{
    decide::environment::history::Run,
    domain::{
        decision::GateName,
        event::RefName,
        id::{ItemNumber, Sha},
        needs::Need,
    },
};

/// Why it is not known what is there before a commit.
#[derive(Clone)]
pub(super) enum Unknown {
    /// The forge has to say something.
    Ask(Need),
    /// It is open which commit the deployment of a workflow run brought.
    Run(u64),
}

impl Unknown {
    /// The finding of a condition that has to know.
    pub(super) fn finding(&self, case: Case<'_, '_>, code: &str, what: &str) -> Finding {
        match self {
            Self::Ask(need) => case.missing(need, code, what),
            Self::Run(deployment) => Finding::unknown(
                &format!("{code}_run_unknown"),
                format!("{what} is not known yet, nor which commit deployment {deployment} put there"),
            ),
        }
    }
}

impl Case<'_, '_> {
    /// The commit that is there before this one: what runs in the environment,
    /// or the version before this one. `Err`: nobody can tell yet.
    pub(super) fn base(self) -> Result<Option<Sha>, Unknown> {
        match &self.subject.gate {
            GateName::Deploy(environment) => known(self.look.history(environment).current()),
            GateName::Release(name) => self.version_before(name),
        }
    }

    /// The same, and where nothing runs any more what ran last: all that came
    /// since then is new.
    pub(super) fn last_base(self) -> Result<Option<Sha>, Unknown> {
        match &self.subject.gate {
            GateName::Deploy(environment) => known(self.look.history(environment).backwards().next()),
            GateName::Release(name) => self.version_before(name),
        }
    }

    /// The newest tag of the gate, other than the subject's own, that the commit contains.
    fn version_before(self, name: &str) -> Result<Option<Sha>, Unknown> {
        let facts = self.look.facts;
        let Some(pattern) = self.look.policy.gates.get(name).and_then(|gate| gate.tag.as_ref()) else {
            return Ok(None);
        };
        for (_, tag) in facts.index.tag_moves.iter().rev() {
            if self.subject.tags.contains(tag) || !pattern.matches(tag) {
                continue;
            }
            let place = facts.refs.get(&RefName::Tag(tag.clone())).and_then(|place| place.moves().last());
            let Some((_, Some(sha))) = place else { continue };
            if *sha == self.subject.sha {
                continue;
            }
            match self.contains(&self.subject.sha, sha) {
                Some(true) => return Ok(Some(sha.clone())),
                Some(false) => {}
                None => {
                    let need = Need::Commits { base: Some(sha.clone()), head: self.subject.sha.clone() };
                    return Err(Unknown::Ask(need));
                }
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

/// The commit of a run, if there is one.
fn known(run: Option<Run<'_>>) -> Result<Option<Sha>, Unknown> {
    run.map(|run| run.commit.cloned().ok_or(Unknown::Run(run.deployment))).transpose()
}
