//! Part of an environment's history: its deployments, their kinds, and what each brought.

use std::{cell::OnceCell, collections::BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        decision::GateName,
        event::DeployState,
        fact::{deploy_request::RequestKind, environment::stretches},
        id::Sha,
        rule::name_key,
        service::Scope,
    },
    environment::{Environment, history::Run},
    evidence::shipped::first,
    gate::Subject,
    insight::{
        change::first_run,
        due::{CONTEXT, Due},
        repair::is_rework,
        row::DeploymentKind,
    },
};

/// If what ran before is unknown, pull requests merged up to this before a deployment are
/// considered.
const MERGED_WITHIN: SignedDuration = SignedDuration::from_hours(60 * 24);

/// A deployment that succeeded, in the order of the environment's history.
pub(crate) struct Turn<'f> {
    /// Its run.
    pub(crate) run: Run<'f>,
    /// Place of the last run before it, among the runs.
    pub(crate) before: Option<usize>,
    /// Its kind, once somebody asked for it: most deployments are read only for their times.
    kind: OnceCell<DeploymentKind>,
}

/// The part of an environment's history around the deployments that are due.
pub(crate) struct Recent<'e, 'f> {
    pub(crate) eval: &'e EvalContext<'f>,
    pub(crate) environment: &'e Environment<'f>,
    /// Runs, oldest first.
    pub(crate) runs: Vec<Run<'f>>,
    /// Deployments, oldest first.
    pub(crate) turns: Vec<Turn<'f>>,
}

impl<'e, 'f> Recent<'e, 'f> {
    pub(crate) fn new(eval: &'e EvalContext<'f>, environment: &'e Environment<'f>, due: &Due) -> Self {
        let (history, since) = (eval.history(environment.name), due.earliest());
        // The repair of a deployment that failed later is the next one after the failure.
        let failed = |latest| history.failure_of(since, latest).map_or(latest, |failed| failed.max(latest));
        let end = due.latest().map(failed).and_then(|latest| history.after(latest, CONTEXT));
        let mut runs: Vec<Run<'f>> = Vec::new();
        let mut older = 0;
        for run in end.map_or_else(|| history.backwards(), |end| history.backwards_from(end)) {
            older += usize::from(run.from < since);
            if older > CONTEXT {
                break;
            }
            runs.push(run);
        }
        runs.reverse();
        let mut recent = Self { eval, environment, runs, turns: Vec::new() };
        recent.turns = (0..recent.runs.len()).filter_map(|place| recent.turn(place)).collect();
        recent
    }

    fn turn(&self, place: usize) -> Option<Turn<'f>> {
        let run = self.runs[place];
        // A later period of the same deployment is not another one, nor is another job of the same
        // request.
        let is_first = first(run.facts, DeployState::Success) == Some(run.from);
        if !is_first || is_sibling(self.eval, self.environment.name, &run) {
            return None;
        }
        Some(Turn { run, before: place.checked_sub(1), kind: OnceCell::new() })
    }

    /// Returns the kind of a deployment.
    pub(crate) fn kind(&self, turn: &Turn<'_>) -> DeploymentKind {
        *turn.kind.get_or_init(|| self.kind_of(&turn.run, turn.before))
    }

    fn kind_of(&self, run: &Run<'_>, before: Option<usize>) -> DeploymentKind {
        let Some(commit) = run.commit else { return DeploymentKind::Unknown };
        let asked = self.eval.facts.request_of(run.deployment).map(|(_, request)| request.kind);
        let earlier = before.map_or(&[][..], |before| &self.runs[..=before]);
        let Some(previous) = earlier.iter().rev().find_map(|run| run.commit) else { return DeploymentKind::Forward };
        let contains = |newer, older| self.eval.known_to_contain(newer, older) == Some(true);
        if previous == commit {
            return DeploymentKind::Redeploy;
        }
        // Most go forward, and that is found out sooner.
        let goes_back = || !contains(commit, previous) && contains(previous, commit);
        let is_rollback = asked == Some(RequestKind::Rollback) || goes_back();
        if is_rollback { DeploymentKind::Rollback } else { DeploymentKind::Forward }
    }

    /// Returns what a deployment brought.
    pub(crate) fn brought(&self, turn: &Turn<'f>) -> Brought {
        let (eval, Some(commit)) = (self.eval, turn.run.commit) else { return Brought::default() };
        let base = turn.before.and_then(|before| self.runs[before].commit);
        let between = base.and_then(|base| eval.known_commits_between(base, commit));
        let mut works = if let Some(commits) = between {
            self.works_among(&turn.run, commit, &commits)
        } else {
            let oldest = turn.run.from.checked_sub(MERGED_WITHIN).unwrap_or(Timestamp::MIN);
            let merges = eval.facts.index.merges.range((oldest, 0)..);
            merges.map(|(_, number)| Work::Pull(*number)).filter(|work| !is_promotion(eval, work)).collect()
        };
        // Beside the change that it takes back, a revert repairs nothing.
        let repairs = base.is_some() && works.iter().all(|work| is_rework(eval, work));
        works.retain(|work| {
            let takes = |scope: Scope<'_>| eval.policy.scope_takes_environment(scope, self.environment.name);
            let first = || first_run(eval, self.environment, work);
            eval.is_within(work, takes) && first().is_some_and(|(run, _)| run.deployment == turn.run.deployment)
        });
        Brought { repairs: repairs && !works.is_empty(), works }
    }

    /// Returns the places of the runs that are due, and of those that failed right before: until now it
    /// may have seemed that the environment went back to what ran before these.
    pub(crate) fn exchanges(&self, due: &Due) -> impl Iterator<Item = usize> {
        let due: Vec<usize> = (0..self.runs.len()).filter(|place| due.covers(self.runs[*place].from)).collect();
        let failed = |place: &usize| stretches(self.runs[*place].facts).iter().any(|one| one.failed.is_some());
        let before: Vec<usize> = (0..due.first().copied().unwrap_or(0)).rev().take_while(failed).collect();
        before.into_iter().chain(due)
    }

    /// Returns the commits without a pull request that the environment runs since a run, or no longer
    /// runs: those between its commit and the one that ran before, in both directions.
    pub(crate) fn exchanged(&self, place: usize) -> BTreeSet<Work> {
        let (eval, run) = (self.eval, &self.runs[place]);
        let base = self.runs[..place].iter().rev().find_map(|run| run.commit);
        let Some((commit, base)) = run.commit.zip(base).filter(|(commit, base)| commit != base) else {
            return BTreeSet::new();
        };
        let contains = |newer, older| eval.known_to_contain(newer, older) == Some(true);
        let between = |older, newer| eval.known_commits_between(older, newer).unwrap_or_default();
        let commits = match contains(commit, base) {
            true => between(base, commit),
            false if contains(base, commit) => between(commit, base),
            false => between(base, commit).into_iter().chain(between(commit, base)).collect(),
        };
        let works = self.works_among(run, commit, &commits).into_iter();
        // A pull request is derived again by itself.
        works.filter(|work| matches!(work, Work::Commit(_))).collect()
    }

    fn works_among(&self, run: &Run<'_>, commit: &Sha, commits: &BTreeSet<&Sha>) -> BTreeSet<Work> {
        let gate = GateName::Deploy(self.environment.name.to_owned());
        self.eval.works_among(&Subject::new(gate, commit.clone(), run.from), commits)
    }
}

/// What a deployment brought.
#[derive(Debug, Clone, Default)]
pub(crate) struct Brought {
    /// The changes that first ran with it.
    pub(crate) works: BTreeSet<Work>,
    /// Whether all of its changes only repair.
    pub(crate) repairs: bool,
}

fn is_promotion(eval: &EvalContext<'_>, work: &Work) -> bool {
    matches!(work, Work::Pull(number) if eval.is_promotion(*number))
}

/// Returns whether another deployment of the same request succeeded in the environment before.
fn is_sibling(eval: &EvalContext<'_>, environment: &str, run: &Run<'_>) -> bool {
    let Some((_, request)) = eval.facts.request_of(run.deployment) else { return false };
    request.linked.iter().chain(&request.deployment).any(|id| {
        let other = eval.facts.deployments.get(id).filter(|other| name_key(&other.environment) == environment);
        let at = other.and_then(|other| first(other, DeployState::Success));
        *id != run.deployment && at.is_some_and(|at| (at, *id) < (run.from, run.deployment))
    })
}
