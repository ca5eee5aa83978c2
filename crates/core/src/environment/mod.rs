//! Deployment history of every environment, as evidence for phases.

mod counted;
pub(crate) mod foreign;
pub(crate) mod history;

pub(crate) use crate::environment::counted::is_deploying_workflow;

use std::{cell::RefCell, collections::BTreeSet};

use jiff::Timestamp;

use crate::{
    commits::landing::Landing,
    context::EvalContext,
    domain::{
        fact::{deployment::DeploymentFacts, environment::EnvironmentIndex},
        id::Sha,
        service::Scope,
        when::Span,
    },
    environment::history::{Backwards, Run},
    evidence::shipped::within,
    text::message,
};

/// An environment that received a deployment.
pub(crate) struct Environment<'f> {
    /// Its name in lower case.
    pub(crate) name: &'f str,
    pub(crate) production: bool,
    /// Runs read so far, the newest first, and the iterator over the rest.
    known: RefCell<(Vec<Run<'f>>, Backwards<'f>)>,
}

impl<'f> Environment<'f> {
    /// Returns the runs that had not ended by a given time, the oldest first.
    pub(crate) fn runs_since(&self, since: Timestamp) -> Vec<Run<'f>> {
        let mut known = self.known.borrow_mut();
        let (runs, rest) = &mut *known;
        let is_over = |run: &Run<'_>| run.until.is_some_and(|until| until <= since);
        while !runs.last().is_some_and(is_over)
            && let Some(run) = rest.next()
        {
            runs.push(run);
        }
        let first = runs.partition_point(|run| !is_over(run));
        runs[..first].iter().rev().copied().collect()
    }
}

impl<'f> EvalContext<'f> {
    /// Returns every environment that ever received a deployment.
    pub(crate) fn environments(&self) -> &[Environment<'f>] {
        self.environments.get_or_init(|| {
            let known = self.facts.deployments.index().environments.iter();
            let all = known.filter(|(name, _)| self.policy.instance(name).is_none()).map(|(name, index)| Environment {
                name,
                production: self.is_production_environment(name, index),
                known: RefCell::new((Vec::new(), self.history(name).backwards())),
            });
            all.collect()
        })
    }

    /// Returns the periods in which an environment ran a commit that contains the landed change.
    pub(crate) fn runs_of(&self, environment: &Environment<'_>, landing: &Landing) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        // Each success is a fact of its own, and its effect lasts for as long as the next run still
        // contains the change. From this index on, spans have begun and not ended yet.
        let mut going_on = 0;
        let mut ends: Option<Option<Timestamp>> = None;
        let end_all = |spans: &mut [Span], ends: Option<Option<Timestamp>>| {
            for span in spans {
                span.until = ends.unwrap_or(span.until);
            }
        };
        for run in environment.runs_since(landing.from) {
            let goes_on = ends == Some(Some(run.from));
            let Some(commit) = run.commit else {
                // Until its successor's commit is known, the change counts as still running.
                ends = if goes_on { Some(run.until) } else { ends };
                continue;
            };
            if run.facts.created_at < landing.born || !self.contains(commit, &landing.sha) {
                continue;
            }
            if ends.is_some() && !goes_on {
                end_all(&mut spans[going_on..], ends);
                going_on = spans.len();
            }
            ends = Some(run.until);
            let name = message::quoted(&run.facts.environment);
            let because = format!("deployed to {name} as {}", commit.code());
            spans.push(Span { from: run.from, until: run.until, because });
        }
        end_all(&mut spans[going_on..], ends);
        within(spans, landing)
    }

    /// Returns the first run of an environment that contained the landed change before that was
    /// reverted.
    pub(crate) fn first_run_of(&self, environment: &Environment<'f>, landing: &Landing) -> Option<Run<'f>> {
        environment.runs_since(landing.born).into_iter().find(|run| {
            let may_contain =
                run.facts.created_at >= landing.born && landing.until.is_none_or(|until| run.from < until);
            let contains = |commit: &Sha| self.known_to_contain(commit, &landing.sha) == Some(true);
            may_contain && run.commit.is_some_and(contains)
        })
    }

    /// Returns when production deployments of the landed change failed or were rolled back.
    pub(crate) fn production_losses(&self, landing: &Landing, scope: Scope<'_>) -> BTreeSet<Timestamp> {
        let mut losses = BTreeSet::new();
        for environment in self.environments().iter().filter(|e| e.production) {
            if !self.policy.scope_takes_environment(scope, environment.name) {
                continue;
            }
            losses.extend(self.runs_of(environment, landing).iter().filter_map(|run| run.until));
            let history = self.history(environment.name);
            for (at, id) in history.failures_since(landing.born) {
                let made_since = self.facts.deployments.get(&id).is_some_and(|d| d.created_at >= landing.born);
                let commit = history.commit_of(id).filter(|_| made_since);
                if commit.is_some_and(|commit| self.contains(commit, &landing.sha)) {
                    losses.insert(at);
                }
            }
        }
        losses
    }

    /// Returns whether a deployment is to production, according to the policy, else to the forge.
    pub(crate) fn is_production(&self, deployment: &DeploymentFacts) -> bool {
        self.policy
            .production(&deployment.environment)
            .or(deployment.production)
            .unwrap_or_else(|| deployment.environment.eq_ignore_ascii_case("production"))
    }

    /// Returns whether an environment is production: by the policy, else by any of its deployments.
    pub(crate) fn is_production_environment(&self, name: &str, index: &EnvironmentIndex) -> bool {
        let by_name = name.eq_ignore_ascii_case("production");
        let by_flag = || index.flagged.properties().any(|flag| flag.unwrap_or(by_name));
        self.policy.production(name).unwrap_or_else(by_flag)
    }
}
