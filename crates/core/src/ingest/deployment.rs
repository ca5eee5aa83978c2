//! Ingests releases, deployments, and their workflow runs and jobs.

use crate::{
    domain::{
        event::{DeploymentSeen, ProtectionSeen, ReleaseSeen, RunTrigger, WorkflowSeen},
        fact::{
            DocumentKey, Newest,
            commit::SuiteFact,
            deploy_request::RunFacts,
            deployment::DeploymentFacts,
            release::{ReleaseFacts, ReleaseState},
        },
        id::Actor,
        rule::name_key,
    },
    environment::is_deploying_workflow,
    ingest::event::Notes,
};

impl Notes<'_> {
    /// Records a workflow run, and what it shows of its check suite.
    pub(super) fn workflow(&mut self, seen: &WorkflowSeen) {
        self.run(seen);
        let Some(suite) = seen.suite else { return };
        let fact = SuiteFact { workflow: seen.workflow.clone(), trigger: seen.trigger.clone() };
        // An event without the workflow's file does not remove it.
        if self.facts.checks.entry(seen.sha.clone()).or_default().add_suite(suite, fact) {
            self.changed.insert(DocumentKey::Checks(seen.sha.clone()));
        }
    }

    /// Records a workflow run if it may deploy or waits for our answer to a protection rule.
    fn run(&mut self, seen: &WorkflowSeen) {
        let waits =
            self.facts.waiting_jobs.range((seen.id, String::new())..).next().is_some_and(|(k, _)| k.0 == seen.id);
        let deploys = matches!(seen.trigger, RunTrigger::Deployment | RunTrigger::Dispatch)
            || is_deploying_workflow(self.policy, &seen.workflow)
            // Another policy may decide whether this run counts.
            || self.facts.deployments.index().by_run.of(&seen.id).next().is_some();
        if !waits && !deploys {
            return;
        }
        let fact = RunFacts {
            attempt: seen.attempt,
            at: self.event.at,
            // Within one moment the end outranks the start.
            outcome: seen.outcome,
            sha: seen.sha.clone(),
            trigger: seen.trigger.clone(),
            title: seen.title.clone(),
            workflow: seen.workflow.clone(),
            created_at: seen.created_at.unwrap_or(self.event.at),
            url: seen.url.clone(),
            started_by: seen.started_by.iter().map(Actor::account).collect(),
        };
        if self.facts.runs.get(&seen.id).is_none_or(|known| *known < fact) {
            self.facts.runs.insert(seen.id, fact);
            self.changed.insert(DocumentKey::Run(seen.id));
        }
    }

    pub(super) fn protection(&mut self, seen: &ProtectionSeen) {
        let Some(run) = seen.run else { return };
        let name = name_key(&seen.environment);
        let job = self.facts.waiting_jobs.entry((run, name.clone())).or_default();
        if job.requests.contains_key(&seen.deployment) {
            return;
        }
        job.requests.insert(seen.deployment, self.event.at);
        job.started_by.extend(seen.creator.iter().chain(&self.event.sender).map(Actor::account));
        job.name.clone_from(&seen.environment);
        job.of_pull |= seen.of_pull;
        job.sha = job.sha.clone().max(seen.sha.clone());
        if let Some(deployment) = seen.deployment {
            self.facts.deployments.update(&deployment, |deployment| deployment.run = Some(run));
        }
        self.changed.extend(seen.deployment.map(DocumentKey::Deployment));
        self.changed.insert(DocumentKey::WaitingJob(run, name));
    }

    pub(super) fn release(&mut self, seen: &ReleaseSeen) {
        let state = ReleaseState {
            withdrawn: seen.withdrawn,
            published_at: seen.published_at.filter(|_| !seen.draft),
            tag: seen.tag.clone(),
            target: seen.target.clone(),
            prerelease: seen.prerelease,
        };
        let mut slot = self.facts.releases.remove(&seen.id).map(|r| r.state);
        Newest::join(&mut slot, Newest::new(self.event.at, state));
        if let Some(state) = slot {
            self.facts.releases.insert(seen.id, ReleaseFacts { state });
        }
        self.changed.insert(DocumentKey::Release(seen.id));
    }

    pub(super) fn deployment(&mut self, seen: &DeploymentSeen) {
        let known = self.facts.deployments.remove(&seen.id);
        let mut fact = known.unwrap_or_else(|| DeploymentFacts::new(seen));
        // Messages of other systems may tell of a start after they told of the end.
        fact.created_at = fact.created_at.min(seen.created_at);
        fact.production = fact.production.or(seen.production);
        fact.transient |= seen.transient;
        fact.run = fact.run.or(seen.run);
        fact.creator = fact.creator.take().or_else(|| seen.creator.as_ref().map(Actor::account));
        // If two observations differ, the one that reports a fork wins.
        fact.from_fork = fact.from_fork.max(seen.from_fork);
        // The newest observation of the environment wins; within one moment, the greater one.
        let sight = (seen.status.as_ref().map_or(seen.created_at, |s| s.at), &seen.environment, seen.production);
        if fact.placed_at.is_none_or(|at| (at, &fact.environment, fact.production) < sight) {
            fact.placed_at = Some(sight.0);
            fact.environment.clone_from(&seen.environment);
            fact.production = seen.production;
        }
        if let Some(status) = &seen.status {
            fact.keep_status(status.clone());
        }
        self.facts.deployments.insert(seen.id, fact);
        self.changed.insert(DocumentKey::Deployment(seen.id));
    }
}
