//! Deployments of an environment: their kinds, what they brought, and which of them failed.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        decision::GateName,
        event::DeployState,
        fact::{RepoFacts, deploy_request::RequestKind, environment::stretches},
        id::{ItemId, Sha},
        insight::{KEEPS_ALL, RowGroup, RowKind},
        rule::name_key,
        service::Scope,
    },
    environment::{Environment, history::Run},
    evidence::shipped::first,
    gate::Subject,
    insight::{
        change::first_run,
        failure::{self, Failed, Failures},
        incident::Blame,
        row::{DeploymentKind, DeploymentRow, Row as _},
    },
};

/// Runs before the first one of interest that are read, to find what a rollback returned to.
pub(crate) const CONTEXT: usize = 50;
/// An incident is forgotten by its end, and a deployment may have gone on for as long beside it.
const MARGIN: SignedDuration = SignedDuration::from_hours(30 * 24);
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
    fn new(eval: &'e EvalContext<'f>, environment: &'e Environment<'f>, due: &Due) -> Self {
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
    fn exchanges(&self, due: &Due) -> impl Iterator<Item = usize> {
        let due: Vec<usize> = (0..self.runs.len()).filter(|place| due.covers(self.runs[*place].from)).collect();
        let failed = |place: &usize| stretches(self.runs[*place].facts).iter().any(|one| one.failed.is_some());
        let before: Vec<usize> = (0..due.first().copied().unwrap_or(0)).rev().take_while(failed).collect();
        before.into_iter().chain(due)
    }

    /// Returns the commits without a pull request that the environment runs since a run, or no longer
    /// runs: those between its commit and the one that ran before, in both directions.
    fn exchanged(&self, place: usize) -> BTreeSet<Work> {
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

/// Returns the services that an environment belongs to; `None`: the repository has none.
fn services(eval: &EvalContext<'_>, environment: &str) -> Option<BTreeSet<String>> {
    let policy = eval.policy;
    let takes = |name: &&String| policy.scope_takes_environment(Scope::Service(name), environment);
    (!policy.services.is_empty()).then(|| policy.services.keys().filter(takes).cloned().collect())
}

/// What a deployment brought.
#[derive(Debug, Clone, Default)]
pub(crate) struct Brought {
    /// The changes that first ran with it.
    pub(crate) works: BTreeSet<Work>,
    /// Whether all of its changes only repair.
    repairs: bool,
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

/// Rows of deployments, and the changes that these brought.
#[derive(Default)]
pub(crate) struct Derived {
    pub(crate) groups: Vec<RowGroup>,
    pub(crate) works: BTreeSet<Work>,
}

/// Adds the rows of the deployments to an environment that are due, and of earlier ones whose
/// failure follows from them.
pub(crate) fn derive_due<'f>(
    eval: &EvalContext<'f>,
    environment: &Environment<'f>,
    mut due: Due,
    blame: &Blame<'_, 'f>,
    out: &mut Derived,
) {
    let mut recent = Recent::new(eval, environment, &due);
    let mut failures = Failures::default();
    loop {
        let mut more = failure::victims(&recent, blame, &due);
        more.extend(failure::repaired(&recent, &due));
        more.extend(failures.reverted(&recent, &due));
        if more.is_empty() {
            break;
        }
        due.at.extend(more);
        recent = Recent::new(eval, environment, &due);
    }
    failures.find(&recent, blame, &due);
    let services = services(eval, environment.name);
    for turn in recent.turns.iter().filter(|turn| due.covers(turn.run.from)) {
        let brought = failures.brought.get(&turn.run.deployment).cloned().unwrap_or_default();
        let failed = failures.failed.get(&turn.run.deployment).cloned().unwrap_or_default();
        let row = row(&recent, turn, services.clone(), &brought, failed, &failures.fixes);
        out.groups.push(group(eval, turn.run.deployment, Some(&row)));
        out.works.extend(brought.works);
    }
    for place in recent.exchanges(&due) {
        out.works.append(&mut recent.exchanged(place));
    }
}

/// Returns the row of a deployment that never succeeded; `None` if it succeeded, or deployed nothing.
pub(crate) fn attempt_row(eval: &EvalContext<'_>, id: u64) -> Option<DeploymentRow> {
    let facts = eval.facts.deployments.get(&id).filter(|facts| first(facts, DeployState::Success).is_none())?;
    let name = name_key(&facts.environment);
    let environment = eval.environments().iter().find(|place| place.name == name)?;
    let attempt = eval.history(environment.name).attempt(id)?;
    Some(DeploymentRow {
        id,
        environment: name,
        production: environment.production,
        services: services(eval, environment.name),
        commit: attempt.commit.map(ToString::to_string),
        kind: DeploymentKind::Attempt,
        at: attempt.begun,
        brought: 0,
        failures: Vec::new(),
        hurt: None,
        alerted: None,
        restored: None,
        rework: false,
    })
}

/// Returns the rows of one deployment: none if it deployed nothing.
pub(crate) fn group(eval: &EvalContext<'_>, id: u64, row: Option<&DeploymentRow>) -> RowGroup {
    let settled = row.is_some_and(|row| is_settled(eval, row.at));
    let from = if settled { KEEPS_ALL.to_owned() } else { String::new() };
    let rows = row.map(DeploymentRow::stored).into_iter().collect();
    RowGroup { kind: RowKind::Deployment, owner: id.to_string(), from, rows }
}

/// Returns whether evidence of what happened at a time may be forgotten. A row that is there stays as
/// it is then: derived again, it could lose an incident that it was blamed for.
pub(crate) fn is_settled(eval: &EvalContext<'_>, at: Timestamp) -> bool {
    let until = eval.facts.about.forgotten_before.and_then(|before| before.checked_add(MARGIN).ok());
    until.is_some_and(|until| at < until)
}

fn row(
    recent: &Recent<'_, '_>,
    turn: &Turn<'_>,
    services: Option<BTreeSet<String>>,
    brought: &Brought,
    failed: Failed,
    fixes: &BTreeSet<u64>,
) -> DeploymentRow {
    let kind = recent.kind(turn);
    let is_forward = kind == DeploymentKind::Forward;
    DeploymentRow {
        id: turn.run.deployment,
        environment: recent.environment.name.to_owned(),
        production: recent.environment.production,
        services,
        commit: turn.run.commit.map(ToString::to_string),
        kind,
        at: turn.run.from,
        brought: u32::try_from(brought.works.len()).unwrap_or(u32::MAX),
        failures: failed.reasons.into_iter().collect(),
        hurt: failed.hurt,
        alerted: failed.alerted,
        restored: failed.restored,
        rework: kind == DeploymentKind::Rollback
            || (is_forward && (brought.repairs || fixes.contains(&turn.run.deployment))),
    }
}

/// Returns whether a change only repairs: it has a label of rework, reverts something, or closes a
/// feedback issue.
fn is_rework(eval: &EvalContext<'_>, work: &Work) -> bool {
    let facts = eval.facts;
    let reverts = |commit: &Sha| facts.commits.get(commit).is_some_and(|said| !said.reverts.is_empty());
    match work {
        Work::Commit(sha) => reverts(sha),
        Work::Pull(number) => {
            let labels = facts.item_labels(*number).into_iter().flatten();
            let labelled =
                || labels.into_iter().any(|label| eval.policy.insight.rework.iter().any(|p| p.matches(label)));
            let pull = facts.pull(*number);
            let says = || pull.and_then(|pull| pull.refs.as_ref()).is_some_and(|refs| !refs.value.reverts.is_empty());
            let merged = || pull.and_then(|pull| pull.merged.as_ref()).is_some_and(|merge| reverts(&merge.sha));
            let feedback = || eval.named_issues(*number).iter().any(|issue| is_feedback(eval.facts, *issue));
            labelled() || says() || merged() || feedback()
        }
    }
}

/// Returns whether an issue is a feedback issue.
pub(crate) fn is_feedback(facts: &RepoFacts, issue: ItemId) -> bool {
    let labels = facts.item_labels(issue).into_iter().flatten();
    facts.index.shown_in.contains_key(&issue) || labels.into_iter().any(|label| label == "feedback")
}

/// Deployments to one environment that are to be derived again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Due {
    /// All since this time.
    open: Option<Timestamp>,
    /// Those that succeeded at these times.
    at: BTreeSet<Timestamp>,
    /// Those that succeeded between these times, inclusive.
    between: Vec<(Timestamp, Timestamp)>,
}

impl Due {
    /// Returns the time of the first deployment that is due, or earlier.
    pub(crate) fn earliest(&self) -> Timestamp {
        let first = self.at.first().copied();
        let between = self.between.iter().map(|(from, _)| *from).min();
        [first, self.open, between].into_iter().flatten().min().unwrap_or(Timestamp::MAX)
    }

    /// Returns the time of the last deployment that is due; `None`: there is no end.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        let between = self.between.iter().map(|(_, to)| *to).max();
        if self.open.is_some() { None } else { self.at.last().copied().max(between) }
    }

    /// Returns whether a deployment that succeeded at this time is due.
    pub(crate) fn covers(&self, at: Timestamp) -> bool {
        self.open.is_some_and(|open| at >= open)
            || self.at.contains(&at)
            || self.between.iter().any(|(from, to)| (*from..=*to).contains(&at))
    }
}

/// Deployments that are to be derived again, by the environment's lower-case name.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllDue {
    by_environment: BTreeMap<String, Due>,
}

impl AllDue {
    fn of(&mut self, environment: &str) -> &mut Due {
        self.by_environment.entry(environment.to_owned()).or_default()
    }

    /// Adds all deployments since a time.
    pub(crate) fn since(&mut self, environment: &str, at: Timestamp) {
        let due = self.of(environment);
        due.open = Some(due.open.map_or(at, |open| open.min(at)));
    }

    /// Adds the deployment that succeeded at a time.
    pub(crate) fn at(&mut self, environment: &str, at: Timestamp) {
        self.of(environment).at.insert(at);
    }

    /// Adds the deployments that succeeded between two times, inclusive.
    pub(crate) fn between(&mut self, environment: &str, from: Timestamp, to: Timestamp) {
        self.of(environment).between.push((from, to));
    }

    /// Returns what is due in an environment.
    pub(crate) fn take(&self, environment: &str) -> Option<Due> {
        self.by_environment.get(environment).cloned()
    }
}
