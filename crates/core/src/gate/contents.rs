//! What a release or a deployment brings: the commits between what is there
//! and the commit, and the pull requests that they came by.

use std::collections::BTreeSet;

use crate::{
    domain::{
        decision::GateName,
        event::RefName,
        id::{ItemNumber, Sha},
        needs::Need,
    },
    environment::history::{History, Run},
    gate::{ConditionContext, condition_result::ConditionResult},
};

/// So many runs back is looked for one that a workflow or a request made.
const MOST_BACK: usize = 100;

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
    pub(super) fn finding(&self, ctx: ConditionContext<'_, '_>, code: &str, what: &str) -> ConditionResult {
        match self {
            Self::Ask(need) => ctx.missing(need, code, what),
            Self::Run(deployment) => ConditionResult::unknown(
                &format!("{code}_run_unknown"),
                format!("{what} is not known yet, nor which commit deployment {deployment} put there"),
            ),
        }
    }
}

impl<'f> ConditionContext<'_, 'f> {
    /// The commits that are there before this one: what runs in the environment,
    /// or the version before this one. Only what all of them contain is there.
    /// `Err`: nobody can tell yet.
    pub(super) fn bases(self) -> Result<Vec<Sha>, Unknown> {
        match &self.subject.gate {
            GateName::Deploy(environment) => {
                let history = self.eval.history(environment);
                history.current().map_or(Ok(Vec::new()), |run| with_evident(history, run))
            }
            GateName::Release(name) => self.version_before(name).map(Vec::from_iter),
        }
    }

    /// The same, and where nothing runs any more what ran last: all that came
    /// since then is new.
    pub(super) fn last_bases(self) -> Result<Vec<Sha>, Unknown> {
        match &self.subject.gate {
            GateName::Deploy(environment) => {
                let history = self.eval.history(environment);
                history.backwards().next().map_or(Ok(Vec::new()), |run| with_evident(history, run))
            }
            GateName::Release(name) => self.version_before(name).map(Vec::from_iter),
        }
    }

    /// The commits that the subject brings; `None`: there is nothing to compare it with.
    pub(super) fn new_commits(self) -> Result<Option<BTreeSet<&'f Sha>>, Unknown> {
        let sha = &self.subject.sha;
        let mut all: Option<BTreeSet<&Sha>> = None;
        for base in self.last_bases()? {
            let Some(new) = self.eval.commits_between(&base, sha) else {
                return Err(Unknown::Ask(Need::Commits { base: Some(base), head: sha.clone() }));
            };
            all.get_or_insert_default().extend(new);
        }
        Ok(all)
    }

    /// The newest tag of the gate, other than the subject's own, that the commit contains.
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

    /// Pull requests that a commit came by, as far as events told: it is the
    /// merge of one, or was pushed to its branch, and was there when it was merged.
    pub(super) fn pulls_by(self, sha: &Sha) -> BTreeSet<ItemNumber> {
        let facts = self.eval.facts;
        let index = &facts.index;
        let mut pulls: BTreeSet<ItemNumber> = index.merged_as.get(sha).into_iter().flatten().copied().collect();
        for id in index.brought_by.get(sha).into_iter().flatten() {
            let (RefName::Branch(branch), Some(push)) = (&id.0, facts.pushes.get(id)) else { continue };
            if self.eval.listed(branch) {
                continue;
            }
            let from = index.pulls_from.get(branch).into_iter().flatten().copied();
            pulls.extend(from.filter(|number| {
                let Some(pull) = facts.pull(*number) else { return false };
                match &pull.merged {
                    // What was pushed to its branch after its merge, or taken out before, came otherwise.
                    Some(merge) => {
                        let mut rewrites = self.eval.rewrites_of(branch, push.at);
                        push.at <= merge.at && !rewrites.any(|(at, _, to)| *at <= merge.at && *to != push.after)
                    }
                    None => pull.heads.contains_key(sha),
                }
            }));
        }
        pulls
    }
}

/// The commit of a run, and where that is no more than somebody's word, that of the
/// newest run that is more: whoever may write can record a deployment that never
/// was, and what it names would count as there already.
fn with_evident(history: History<'_>, run: Run<'_>) -> Result<Vec<Sha>, Unknown> {
    let mut runs = vec![run];
    if !history.is_evident(run.deployment) {
        runs.extend(history.backwards().take(MOST_BACK).find(|run| history.is_evident(run.deployment)));
    }
    runs.into_iter().map(|run| run.commit.cloned().ok_or(Unknown::Run(run.deployment))).collect()
}
