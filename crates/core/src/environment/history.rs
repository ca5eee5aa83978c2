//! Deployment history of an environment: which commit really ran there, from when until when, and
//! how that ended. All code that asks what runs in an environment uses this history.
//!
//! A deployment runs from its success until the next success. One that is reported as failed
//! afterwards (by a smoke test) no longer runs: the previous one runs again. One that becomes
//! inactive without a successor ends the run, and nothing runs. Other deployments count like our
//! own, except those of jobs that may have named the environment only for its secrets
//! ([`counted`]), and foreign ones: from a pull request's job, or at a commit that is on no branch
//! of this repository. Those are a run only if a request of ours asked for that very commit.
//!
//! The commit of a run is the one that its workflow received, rather than the one that the
//! deployment names: a dispatched workflow runs at the head of its branch, whatever it deploys.
//! While it is open whether a deployment belongs to one of our dispatches, or whether its commit is
//! this repository's, its commit is unknown, and an unknown commit opens no gate.
//!
//! Nothing is built in advance: a history is a view of the tables in [`EnvironmentIndex`], and
//! reading its newest runs costs nothing for older ones.

mod around;

use std::ops::RangeTo;

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    domain::{
        event::{DeployState, is_external},
        fact::{
            RepoFacts,
            deployment::{DeploymentFacts, DeploymentOrigin},
            environment::{DeploymentChange, DeploymentChangeKind, EnvironmentIndex, Stretch, begun, stretches},
        },
        id::Sha,
        policy::Mode,
        rule::DeployRule,
    },
    environment::{counted, foreign},
};

/// Maximum time between a deployment becoming inactive and the success of the one that replaced it.
const HANDOVER: SignedDuration = SignedDuration::from_mins(1);

/// A period in which an environment ran what one deployment brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'f> {
    /// Id of the deployment.
    pub(crate) deployment: u64,
    /// The deployment.
    pub(crate) facts: &'f DeploymentFacts,
    /// The commit that ran; `None` if it is not known yet.
    pub(crate) commit: Option<&'f Sha>,
    /// Start of the run.
    pub(crate) from: Timestamp,
    /// End of the run; `None` while it runs.
    pub(crate) until: Option<Timestamp>,
    /// Kind of its end; `None` while it runs.
    pub(crate) end: Option<RunEnd>,
    /// Time at which its deployment succeeded: before `from`, if it ran again after a later
    /// deployment had failed.
    pub(crate) succeeded: Timestamp,
}

/// Kinds of ends of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// Another deployment replaced it.
    Replaced,
    /// Its deployment failed after it had succeeded.
    Failed,
    /// It became inactive, and nothing replaced it.
    Inactive,
}

/// A deployment that began, whatever its result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'f> {
    /// Id of the deployment.
    pub(crate) deployment: u64,
    /// The deployment.
    pub(crate) facts: &'f DeploymentFacts,
    /// The commit that it brings; `None` if it is not known yet.
    pub(crate) commit: Option<&'f Sha>,
    /// Time at which it began.
    pub(crate) begun: Timestamp,
}

/// Deployment history of one environment.
#[derive(Clone, Copy)]
pub(crate) struct History<'f> {
    facts: &'f RepoFacts,
    index: Option<&'f EnvironmentIndex>,
    /// Rule by which phasebot deploys there; `None` if it does not.
    deploys: Option<&'f DeployRule>,
}

/// The deployment that runs at a given time, and the period for which it runs.
#[derive(Clone, Copy)]
struct Top<'f> {
    deployment: u64,
    facts: &'f DeploymentFacts,
    stretch: Stretch,
}

impl PartialEq for Top<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.deployment, self.stretch.from) == (other.deployment, other.stretch.from)
    }
}

impl<'f> EvalContext<'f> {
    /// Returns the history of an environment, by its lower-case name.
    pub(crate) fn history(&self, environment: &str) -> History<'f> {
        let rule = self.policy.environment(environment).filter(|_| self.policy.mode == Mode::Act);
        History {
            facts: self.facts,
            // What is made for a pull request has no history.
            index: match self.policy.instance(environment) {
                Some(_) => None,
                None => self.facts.deployments.index().environments.get(environment),
            },
            deploys: rule.and_then(|rule| rule.deploy.as_ref()),
        }
    }
}

impl<'f> History<'f> {
    /// Returns the current run, by all recorded events.
    pub(crate) fn current(self) -> Option<Run<'f>> {
        self.backwards().next().filter(|run| run.until.is_none())
    }

    /// Returns the run at a given time.
    pub(crate) fn at(self, at: Timestamp) -> Option<Run<'f>> {
        self.backwards().find(|run| run.from <= at).filter(|run| run.until.is_none_or(|until| at < until))
    }

    /// Returns the run just before a given time.
    pub(crate) fn before(self, at: Timestamp) -> Option<Run<'f>> {
        self.backwards().find(|run| run.from < at).filter(|run| run.until.is_none_or(|until| at <= until))
    }

    /// Returns all runs, the newest first.
    pub(crate) fn backwards(self) -> Backwards<'f> {
        Backwards { history: self, left: None, until: None, after: None }
    }

    /// Returns the deployments created at or after a given time, the oldest first.
    pub(crate) fn made_since(self, since: Timestamp) -> impl DoubleEndedIterator<Item = (u64, &'f DeploymentFacts)> {
        let made = self.index.into_iter().flat_map(move |index| index.made.range((since, 0)..));
        made.filter_map(move |(_, id)| Some((*id, self.facts.deployments.get(id)?)))
            .filter(move |(id, facts)| self.counts(*id, facts))
    }

    /// Returns the deployments that began at or after a given time, the newest first.
    pub(crate) fn attempts_since(self, since: Timestamp) -> impl Iterator<Item = Attempt<'f>> {
        self.attempts_between(since, Timestamp::MAX)
    }

    /// Returns the deployments that began between two times, inclusive, the newest first.
    pub(crate) fn attempts_between(self, since: Timestamp, until: Timestamp) -> impl Iterator<Item = Attempt<'f>> {
        self.turns(DeploymentChangeKind::Begun, since, until).filter_map(move |turn| {
            let facts = self.facts.deployments.get(&turn.deployment)?;
            let commit = self.commit(turn.deployment, facts);
            let attempt = Attempt { deployment: turn.deployment, facts, commit, begun: turn.at };
            self.counts(turn.deployment, facts).then_some(attempt)
        })
    }

    /// Returns a deployment that began here, if it counts.
    pub(crate) fn attempt(self, deployment: u64) -> Option<Attempt<'f>> {
        let facts = self.facts.deployments.get(&deployment)?;
        let begun = begun(facts).filter(|_| self.counts(deployment, facts))?;
        Some(Attempt { deployment, facts, commit: self.commit(deployment, facts), begun })
    }

    /// Returns the failures at or after a given time, before or after a success, the newest first:
    /// their times and deployment ids.
    pub(crate) fn failures_since(self, since: Timestamp) -> impl Iterator<Item = (Timestamp, u64)> {
        self.failures_between(since, Timestamp::MAX)
    }

    /// Returns the failures between two times, inclusive, before or after a success, the newest first:
    /// their times and deployment ids.
    pub(crate) fn failures_between(self, since: Timestamp, until: Timestamp) -> impl Iterator<Item = (Timestamp, u64)> {
        let failed = self.turns(DeploymentChangeKind::Failed, since, until).map(|turn| (turn.at, turn.deployment));
        failed.filter(move |(_, id)| self.facts.deployments.get(id).is_some_and(|facts| self.counts(*id, facts)))
    }

    /// Returns the commit that a deployment brings here; `None` if it is not known yet.
    pub(crate) fn commit_of(self, deployment: u64) -> Option<&'f Sha> {
        self.commit(deployment, self.facts.deployments.get(&deployment)?)
    }

    /// Returns the deployments that wait to begin.
    pub(crate) fn waiting(self) -> impl Iterator<Item = Attempt<'f>> {
        let ids = self.index.into_iter().flat_map(|index| index.waiting.iter().rev());
        ids.filter_map(move |id| {
            let facts = self.facts.deployments.get(id)?;
            let commit = self.commit(*id, facts);
            Some(Attempt { deployment: *id, facts, commit, begun: facts.created_at })
        })
    }

    /// Returns every commit that other deployments may have run here while a deployment lived, and
    /// just before and after. `None` if nothing ran at some time of that period.
    pub(crate) fn ran_about(self, begun: Timestamp, ended: Timestamp, id: u64) -> Option<Vec<&'f Sha>> {
        let mut about: Vec<Run<'f>> = Vec::new();
        for run in self.backwards() {
            if run.from > ended {
                about.clear();
            }
            about.push(run);
            if run.from < begun {
                break;
            }
        }
        let (newest, oldest) = (about.first()?, about.last()?);
        let from_the_start = oldest.from < begun && oldest.deployment != id;
        let to_the_end = newest.until.is_none_or(|until| until > ended);
        let without_a_break = about.windows(2).all(|pair| pair[1].until == Some(pair[0].from));
        let others = || about.iter().filter(|run| run.deployment != id);
        (from_the_start && to_the_end && without_a_break)
            .then(|| others().flat_map(|run| self.commits_of(run.deployment)).collect())
    }

    /// Returns every commit that a deployment has stood for so far.
    pub(crate) fn commits_of(self, deployment: u64) -> impl Iterator<Item = &'f Sha> {
        let facts = self.facts.deployments.get(&deployment);
        facts.into_iter().flat_map(|facts| [facts.listed_commit(), facts.commit()])
    }

    /// Returns the deployments created at or after a given time that do not count because they are
    /// foreign, the newest first.
    pub(crate) fn foreign_since(self, since: Timestamp) -> impl Iterator<Item = (u64, &'f DeploymentFacts)> {
        let made = self.index.into_iter().flat_map(move |index| index.made.range((since, 0)..).rev());
        made.filter_map(move |(_, id)| Some((*id, self.facts.deployments.get(id)?)))
            .filter(move |(id, facts)| foreign::is_foreign(self.facts, *id, facts))
    }

    /// Returns whether a deployment is more than a record that someone created through the API:
    /// where phasebot deploys, a workflow or one of its requests must have created it.
    pub(crate) fn is_evident(self, id: u64) -> bool {
        let made = self.facts.deployments.get(&id);
        self.deploys.is_none()
            || self.facts.request_of(id).is_some()
            || made.is_some_and(|made| made.run.is_some() || made.is_linked())
    }

    /// Returns whether a deployment deployed something here.
    fn counts(self, id: u64, deployment: &DeploymentFacts) -> bool {
        if foreign::is_foreign(self.facts, id, deployment) {
            return false;
        }
        self.deploys.is_none_or(|rule| {
            counted::is_deploy(self.facts, rule, id, deployment)
                || counted::may_be_of_a_dispatch(self.facts, id, deployment)
        })
    }

    fn commit(self, id: u64, facts: &'f DeploymentFacts) -> Option<&'f Sha> {
        let is_known = facts.origin() != DeploymentOrigin::Unknown || foreign::is_asked_for(self.facts, id, facts);
        (is_known && !counted::may_be_of_a_dispatch(self.facts, id, facts)).then(|| facts.commit())
    }

    /// Returns the changes of one kind between two times, inclusive, the newest first.
    fn turns(
        self,
        kind: DeploymentChangeKind,
        since: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = &'f DeploymentChange> {
        let first = DeploymentChange { at: since, kind: DeploymentChangeKind::Begun, deployment: 0 };
        let last = DeploymentChange { at: until.max(since), kind: DeploymentChangeKind::Failed, deployment: u64::MAX };
        let turns = self.index.into_iter().flat_map(move |index| index.turns.range(first..=last).rev());
        turns.filter(move |turn| turn.kind == kind)
    }

    /// Returns the deployment that runs once everything up to a given time has happened.
    fn top(self, at: Timestamp) -> Option<Top<'f>> {
        let index = self.index?;
        let by_then =
            RangeTo { end: DeploymentChange { at, kind: DeploymentChangeKind::Failed, deployment: u64::MAX } };
        for turn in index.turns.range(by_then).rev().filter(|turn| turn.kind == DeploymentChangeKind::Succeeded) {
            let Some(top) = self.stretch(turn).filter(|top| self.counts(top.deployment, top.facts)) else { continue };
            // A run that ended without a successor leaves nothing that could run again.
            let inactive = top.facts.statuses.iter().filter(|status| status.state == DeployState::Inactive);
            let until = top.stretch.failed.unwrap_or(at).min(at);
            let mut taken_down = inactive.map(|status| status.at).filter(|end| *end >= turn.at && *end <= until);
            if taken_down.any(|end| self.is_left_empty(index, turn, end)) {
                return None;
            }
            if top.stretch.failed.is_none_or(|failed| failed > at) {
                return Some(top);
            }
        }
        None
    }

    fn stretch(self, turn: &DeploymentChange) -> Option<Top<'f>> {
        let facts = self.facts.deployments.get(&turn.deployment)?;
        let stretch = stretches(facts).into_iter().find(|stretch| stretch.from == turn.at)?;
        Some(Top { deployment: turn.deployment, facts, stretch })
    }

    /// Returns whether the deployment that succeeded with `turn` still ran when it became inactive,
    /// and no other succeeded around then to replace it. The forge marks it inactive for any job
    /// that names the environment.
    fn is_left_empty(self, index: &EnvironmentIndex, turn: &DeploymentChange, end: Timestamp) -> bool {
        let until = end.checked_add(HANDOVER).unwrap_or(Timestamp::MAX);
        let last = DeploymentChange { at: until, kind: DeploymentChangeKind::Succeeded, deployment: u64::MAX };
        let later = index.turns.range(turn..=&last).filter(|later| *later != turn);
        let successors = later.filter(|later| later.kind == DeploymentChangeKind::Succeeded);
        // Only the forge marks a deployment inactive for one that does not count.
        let counts =
            |later: &DeploymentChange| self.stretch(later).is_some_and(|top| self.counts(later.deployment, top.facts));
        let mut successors = successors.filter(|later| !is_external(turn.deployment) || counts(later));
        let failed_by_then = |top: Top<'_>| top.stretch.failed.is_some_and(|failed| failed < end);
        successors.all(|later| self.stretch(later).is_none_or(failed_by_then))
    }
}

/// Iterator over the runs of an environment, the newest first.
pub(crate) struct Backwards<'f> {
    history: History<'f>,
    /// Times at or after this one are done; `None` if the iteration has not started.
    left: Option<Timestamp>,
    /// End of the next run.
    until: Option<Timestamp>,
    /// The deployment that ran after it.
    after: Option<Top<'f>>,
}

impl<'f> Iterator for Backwards<'f> {
    type Item = Run<'f>;

    fn next(&mut self) -> Option<Run<'f>> {
        let mut found: Option<(Top<'f>, Timestamp)> = None;
        while let Some(at) = self.moment_before() {
            let top = self.history.top(at);
            match (found, top) {
                // It was already running then.
                (Some((known, _)), Some(top)) if known == top => found = Some((known, at)),
                (Some(_), _) => break,
                (None, Some(top)) => found = Some((top, at)),
                (None, None) => {
                    self.until = Some(at);
                    self.after = None;
                }
            }
            self.left = Some(at);
        }
        let (top, from) = found?;
        let run = Run {
            deployment: top.deployment,
            facts: top.facts,
            commit: self.history.commit(top.deployment, top.facts),
            from,
            until: self.until,
            end: self.until.map(|until| self.end(top, until)),
            succeeded: top.stretch.from,
        };
        (self.until, self.after) = (Some(from), Some(top));
        Some(run)
    }
}

impl<'f> Backwards<'f> {
    /// Returns the last time, before those that are done, at which a run may have started or ended.
    fn moment_before(&self) -> Option<Timestamp> {
        let turns = &self.history.index?.turns;
        let before = match self.left {
            Some(left) => {
                turns.range(..DeploymentChange { at: left, kind: DeploymentChangeKind::Begun, deployment: 0 })
            }
            None => turns.range(..),
        };
        before.rev().find(|turn| turn.kind != DeploymentChangeKind::Begun).map(|turn| turn.at)
    }

    fn end(&self, top: Top<'f>, until: Timestamp) -> RunEnd {
        match self.after {
            _ if top.stretch.failed == Some(until) => RunEnd::Failed,
            Some(_) => RunEnd::Replaced,
            None => RunEnd::Inactive,
        }
    }
}
