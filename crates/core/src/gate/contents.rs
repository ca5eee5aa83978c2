//! Contents of a release or deployment: the commits between the base and the subject's commit, and
//! the pull requests that brought them.

use std::collections::BTreeSet;

use crate::{
    commits::landing::Work,
    domain::{decision::GateName, event::RefName, id::Sha, needs::Need, turn::Turn},
    environment::history::{History, Run},
    gate::{ConditionContext, condition_result::ConditionResult},
    text::message::deployment_name,
};

/// Limit on the runs that are searched for one made by a workflow or a request.
const MOST_BACK: usize = 100;

/// Reason why the base of a commit is unknown.
#[derive(Clone)]
pub(super) enum Unknown {
    /// The forge has to answer this.
    Ask(Need),
    /// The commit that this deployment of a workflow run brought is not known yet.
    Run(u64),
}

impl Unknown {
    /// Returns the result of a condition that depends on the base.
    pub(super) fn finding(&self, ctx: ConditionContext<'_, '_>, code: &str, what: &str) -> ConditionResult {
        match self {
            Self::Ask(need) => ctx.missing(need, code, what),
            Self::Run(deployment) => ConditionResult::unknown(
                &format!("{code}_run_unknown"),
                format!("{what} is not known yet, nor which commit {} deployed there", deployment_name(*deployment)),
                Turn::by_itself("phasebot waits for the workflow run to report its commit"),
            ),
        }
    }
}

impl<'f> ConditionContext<'_, 'f> {
    /// Returns the commits to compare with: what runs in the environment, or the previous version.
    /// Only what all of them contain counts as present. `Err`: not known yet.
    pub(super) fn bases(self) -> Result<Vec<Sha>, Unknown> {
        if let Some(given) = &self.subject.compared_with {
            return Ok(given.clone());
        }
        match &self.subject.gate {
            GateName::Deploy(environment) => {
                let history = self.eval.history(environment);
                history.current().map_or(Ok(Vec::new()), |run| with_evident(history, run))
            }
            GateName::Release(name) => self.version_before(name).map(Vec::from_iter),
        }
    }

    /// Returns whether the subject ships a change, or may: the subject's environment or tag counts
    /// for a service of the change.
    pub(super) fn ships(self, work: &Work) -> bool {
        let policy = self.eval.policy;
        self.eval.is_within(work, |scope| match (&self.subject.gate, self.subject.tags.first()) {
            (GateName::Deploy(environment), _) => policy.scope_takes_environment(scope, environment),
            (GateName::Release(_), Some(tag)) => policy.scope_takes_tag(scope, tag),
            (GateName::Release(_), None) => true,
        })
    }

    /// Returns the same; if nothing runs any more, what ran last, so that everything since then is
    /// new.
    pub(super) fn last_bases(self) -> Result<Vec<Sha>, Unknown> {
        if let Some(given) = &self.subject.compared_with {
            return Ok(given.clone());
        }
        match &self.subject.gate {
            GateName::Deploy(environment) => {
                let history = self.eval.history(environment);
                history.backwards().next().map_or(Ok(Vec::new()), |run| with_evident(history, run))
            }
            GateName::Release(name) => self.version_before(name).map(Vec::from_iter),
        }
    }

    /// Returns the commits that the subject brings; `None`: there is no base to compare with.
    pub(super) fn new_commits(self) -> Result<Option<BTreeSet<&'f Sha>>, Unknown> {
        let sha = &self.subject.sha;
        let mut all: Option<BTreeSet<&Sha>> = None;
        for base in self.last_bases()? {
            let Some(new) = self.eval.ask_commits_between(&base, sha) else {
                return Err(Unknown::Ask(Need::Commits { base: Some(base), head: sha.clone() }));
            };
            all.get_or_insert_default().extend(new);
        }
        Ok(all)
    }

    /// Returns the commit of the gate's newest tag, other than the subject's own, that the commit
    /// contains.
    fn version_before(self, name: &str) -> Result<Option<Sha>, Unknown> {
        let facts = self.eval.facts;
        let Some(pattern) = self.eval.policy.gates.get(name).and_then(|gate| gate.tag.as_ref()) else {
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
}

/// Returns the commit of a run. If only a recorded deployment supports it, also that of the newest
/// run with better evidence: anyone with write access can record a deployment that never happened,
/// and its commits would count as present.
fn with_evident(history: History<'_>, run: Run<'_>) -> Result<Vec<Sha>, Unknown> {
    let mut runs = vec![run];
    if !history.is_evident(run.deployment) {
        runs.extend(history.backwards().take(MOST_BACK).find(|run| history.is_evident(run.deployment)));
    }
    runs.into_iter().map(|run| run.commit.cloned().ok_or(Unknown::Run(run.deployment))).collect()
}
