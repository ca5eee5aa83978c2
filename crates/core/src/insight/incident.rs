//! Incidents and what caused them: the deployment that `/cause` names, else the only suspect.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        event::DeployState,
        fact::incident::IncidentFacts,
        id::Sha,
        insight::{RowGroup, RowKind},
        rule::name_key,
    },
    environment::{Environment, history::Run},
    evidence::shipped::first,
    incident::{self, IncidentCycle},
    insight::{
        change::first_run,
        due::{AllDue, CONTEXT},
        former::Former,
        recent::Turn,
        row::{IncidentRow, Row as _, sortable},
        suspicion::{started, suspected_for},
    },
};

/// Most runs of an environment that are searched for a commit that people named.
const MOST_RUNS: usize = 500;
/// A source's clock may be ahead of the forge's by this.
const SLACK: SignedDuration = SignedDuration::from_mins(5);

/// The causes of incidents, each found when it is asked for.
pub(crate) struct Blame<'e, 'f> {
    eval: &'e EvalContext<'f>,
    known: RefCell<BTreeMap<String, Rc<[Blamed]>>>,
}

/// One cycle of an incident, and its cause.
struct Blamed {
    cycle: IncidentCycle,
    cause: Cause,
}

/// The cause of one cycle of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// People named it; `None`: no change caused it, or one that no deployment here brought.
    Named(Option<u64>),
    /// It is the only suspect.
    OnlySuspect(u64),
    /// It is not known.
    Open,
}

impl Cause {
    fn deployment(self) -> Option<u64> {
        match self {
            Self::Named(id) => id,
            Self::OnlySuspect(id) => Some(id),
            Self::Open => None,
        }
    }
}

impl<'e, 'f> Blame<'e, 'f> {
    /// Creates it without looking at any incident.
    pub(crate) fn new(eval: &'e EvalContext<'f>) -> Self {
        Self { eval, known: RefCell::default() }
    }

    fn of(&self, id: &str) -> Rc<[Blamed]> {
        if let Some(known) = self.known.borrow().get(id) {
            return Rc::clone(known);
        }
        let cycles = incident::cycles_of(self.eval, id).into_iter();
        let found: Rc<[Blamed]> = cycles.map(|cycle| Blamed { cause: cause(self.eval, &cycle), cycle }).collect();
        self.known.borrow_mut().insert(id.to_owned(), Rc::clone(&found));
        found
    }

    /// Returns the incidents of which an alert began between two times, inclusive.
    pub(crate) fn begun_between(&self, from: Timestamp, to: Timestamp) -> BTreeSet<&'f str> {
        let starts = &self.eval.facts.index.alert_starts;
        let known = starts.range((from, String::new())..).take_while(|(at, _)| *at <= to);
        known.map(|(_, id)| id.as_str()).collect()
    }

    /// Returns the incidents of which people named a cause at or after a time, each with the beginning
    /// of the first such cycle.
    pub(crate) fn named_since(&self, at: Timestamp) -> BTreeMap<&'f str, Timestamp> {
        let at = at.checked_sub(SLACK).unwrap_or(Timestamp::MIN);
        let facts = self.eval.facts;
        let mut found: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for (_, command) in facts.commands.index().causes.iter().rev().take_while(|(named, _)| *named >= at) {
            let Some(id) = incident::shown_by(facts, command.item) else { continue };
            let began = incident::shown_cycle(facts, id, command.item).unwrap_or(Timestamp::MIN);
            found.entry(id).and_modify(|first| *first = began.min(*first)).or_insert(began);
        }
        found
    }

    /// Returns the incidents that a deployment caused.
    pub(crate) fn caused_by(&self, turn: &Turn<'_>) -> Vec<IncidentCycle> {
        let (began, last) = suspected_for(self.eval, turn.run.facts);
        let mut ids = self.begun_between(began, last);
        ids.extend(self.named_since(began).into_keys());
        let is_it = |blamed: &&Blamed| blamed.cause.deployment() == Some(turn.run.deployment);
        let mut caused = Vec::new();
        for id in ids {
            caused.extend(self.of(id).iter().filter(is_it).map(|blamed| blamed.cycle.clone()));
        }
        caused
    }

    /// Returns the deployments that people named as the cause of the last incident in an environment
    /// that began in this time: none if they named no change. `None`: they named nothing.
    pub(crate) fn named_between(&self, environment: &str, from: Option<Timestamp>, to: Timestamp) -> Option<Vec<u64>> {
        let mut named: Option<(Timestamp, Option<u64>)> = None;
        for id in self.named_since(from.unwrap_or(Timestamp::MIN)).into_keys() {
            for Blamed { cycle, cause } in self.of(id).iter() {
                let is_here = cycle.environment.as_deref() == Some(environment)
                    && from.is_none_or(|from| cycle.began >= from)
                    && cycle.began <= to;
                let Cause::Named(deployment) = *cause else { continue };
                if is_here && named.is_none_or(|(began, _)| cycle.began >= began) {
                    named = Some((cycle.began, deployment));
                }
            }
        }
        named.map(|(_, id)| id.into_iter().collect())
    }

    /// Returns the rows of an incident from the cycle on that a time lies in; `None` if it is not on
    /// record any more.
    pub(crate) fn group(&self, id: &str, since: Timestamp) -> Option<RowGroup> {
        let episodes = &self.eval.facts.incidents.get(id)?.episodes;
        // Earlier cycles may have been forgotten.
        let first = episodes.iter().filter_map(|(key, episode)| Some(episode.fired?.min(key.from))).min()?;
        let blamed = self.of(id);
        let from = cycle_at(&blamed, since).max(first);
        let rows = blamed.iter().filter(|one| one.cycle.began >= from).map(|one| row(one).stored()).collect();
        Some(RowGroup { kind: RowKind::Incident, owner: id.to_owned(), from: sortable(from), rows })
    }

    /// Adds the deployments that an incident is blamed on, or may have been: those that are suspected
    /// or named for each time that it fired, from the cycle on that `since` lies in. If people named
    /// a cause, a rollback near it may have taken out another deployment.
    pub(crate) fn concerned(&self, id: &str, since: Timestamp, due: &mut AllDue) {
        let Some(facts) = self.eval.facts.incidents.get(id) else { return };
        let blamed = self.of(id);
        let from = cycle_at(&blamed, since);
        self.suspected(id, facts, from, due);
        for Blamed { cycle, .. } in blamed.iter().filter(|one| one.cycle.began >= from) {
            for deployment in cycle.causes.iter().flatten().filter_map(|name| resolve(self.eval, cycle, name)) {
                self.add(deployment, due);
            }
            if let Some(environment) = cycle.environment.as_ref().filter(|_| !cycle.causes.is_empty()) {
                self.around(environment, cycle.began, due);
            }
        }
    }

    /// Adds the deployments that are suspected for each time that an incident fired, with its alerts
    /// as given, from a time on.
    pub(crate) fn suspected(&self, id: &str, facts: &IncidentFacts, from: Timestamp, due: &mut AllDue) {
        let firings = incident::firings(self.eval, id, facts);
        let Some(environment) = &firings.environment else { return };
        for (began, _) in firings.times.iter().filter(|(began, _)| *began >= from) {
            for deployment in incident::suspects_of(self.eval, environment, *began) {
                self.add(deployment, due);
            }
        }
    }

    fn add(&self, deployment: u64, due: &mut AllDue) {
        let Some(facts) = self.eval.facts.deployments.get(&deployment) else { return };
        if let Some(at) = first(facts, DeployState::Success) {
            due.at(&name_key(&facts.environment), at);
        }
    }

    /// Adds the deployments among which a rollback may have taken out another one: a rollback looks
    /// no further back than [`CONTEXT`] runs.
    fn around(&self, environment: &str, at: Timestamp, due: &mut AllDue) {
        let (mut after, mut before, mut older) = (Vec::new(), at, 0);
        for run in self.eval.history(environment).backwards() {
            if run.from > at {
                after.push(run.from);
                continue;
            }
            (before, older) = (run.from, older + 1);
            if older > CONTEXT {
                break;
            }
        }
        after.reverse();
        if let Some(last) = after.get(CONTEXT).or(after.last()) {
            due.between(environment, before, *last);
        }
    }
}

/// Returns the beginning of the cycle that a time lies in, or that time.
fn cycle_at(blamed: &[Blamed], at: Timestamp) -> Timestamp {
    blamed.iter().rev().map(|one| one.cycle.began).find(|began| *began <= at).unwrap_or(at)
}

/// Returns the first time from which an incident's firings differ from what they were: what it is
/// blamed on may have changed from there on. If they do not, the last one may only now count.
pub(crate) fn first_difference(eval: &EvalContext<'_>, id: &str, former: &Former) -> Timestamp {
    let Some(facts) = eval.facts.incidents.get(id) else { return Timestamp::MAX };
    let now = incident::firings(eval, id, facts);
    let last = now.times.last().map_or(Timestamp::MIN, |(from, _)| *from);
    // With a new issue, what people did with the one before may no longer hide what it showed.
    let shown = facts.cycles.iter().rev().nth(1).map_or(last, |cycle| cycle.began.min(last));
    let before = match former.incidents.get(id) {
        Some(Some(before)) => incident::firings(eval, id, before),
        Some(None) => return Timestamp::MIN,
        None => return shown,
    };
    if before.environment != now.environment {
        return Timestamp::MIN;
    }
    let same = before.times.iter().zip(&now.times).take_while(|(one, other)| one == other).count();
    let begins = [before.times.get(same), now.times.get(same)].into_iter().flatten().map(|(from, _)| *from);
    begins.min().map_or(shown, |begin| begin.min(shown))
}

fn row(Blamed { cycle, cause }: &Blamed) -> IncidentRow {
    IncidentRow {
        id: cycle.id.clone(),
        environment: cycle.environment.clone(),
        began: cycle.began,
        ended: cycle.ended,
        deployment: cause.deployment(),
        loop_closed: cycle.loop_closed,
    }
}

fn cause(eval: &EvalContext<'_>, cycle: &IncidentCycle) -> Cause {
    match cycle.causes.last() {
        Some(None) => Cause::Named(None),
        Some(Some(name)) => Cause::Named(resolve(eval, cycle, name)),
        None => {
            let suspects = cycle.environment.as_ref().map(|name| incident::suspects_of(eval, name, cycle.began));
            match suspects.as_deref() {
                Some([only]) => Cause::OnlySuspect(*only),
                _ => Cause::Open,
            }
        }
    }
}

/// Returns the deployment that brought the change that people named: to the incident's environment,
/// else to production.
fn resolve(eval: &EvalContext<'_>, cycle: &IncidentCycle, name: &str) -> Option<u64> {
    let places = eval.environments().iter().filter(|place| match &cycle.environment {
        Some(environment) => place.name == environment,
        None => place.production,
    });
    // What was not even being deployed when the incident began did not cause it.
    let began = |run: &Run<'_>| started(run.facts) <= cycle.began;
    let runs = places.filter_map(|place| run_named(eval, place, cycle, name)).filter(began);
    runs.map(|run| (run.from, run.deployment)).min().map(|(_, deployment)| deployment)
}

/// Returns the run that brought a change, by the name that people gave it: a pull request, a tag, or
/// the beginning of a commit.
fn run_named<'f>(
    eval: &EvalContext<'f>,
    place: &Environment<'f>,
    cycle: &IncidentCycle,
    name: &str,
) -> Option<Run<'f>> {
    let name = name.trim_matches('`');
    if let Some(number) = name.strip_prefix('#').and_then(|digits| digits.parse().ok()) {
        return first_run(eval, place, &Work::Pull(number)).map(|(run, _)| run);
    }
    let tagged = eval.tag_commit(name);
    let is_it = |commit: &Sha| tagged == Some(commit) || commit.to_string().starts_with(&name.to_ascii_lowercase());
    let mut runs = eval.history(place.name).backwards().take(MOST_RUNS);
    runs.find(|run| started(run.facts) <= cycle.began && run.commit.is_some_and(is_it))
}
