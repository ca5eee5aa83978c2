//! Decides one event after the other, with timers between, as the program does.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use phasebot_core::{
    domain::{
        alert::AlertRules,
        effect::Effect,
        event::Event,
        fact::RepoFacts,
        needs::{Answer, Answered, Need},
        policy::Policy,
    },
    engine::{Asking, Context, Input, Repository, Step, TimerKey},
    ingest::{self, Us},
    plan::{DecisionContext, PlannedEffect},
};

use crate::life;

/// Gates and environments that phasebot knows.
const POLICY: &str = "\
version: 1
mode: act
environments:
  staging: { deploy: { via: deployment } }
  production:
    production: true
    after: [staging]
    deploy: { via: deployment }
    require:
      - deployed: { environment: staging, soak: 10m }
";

/// What events of a kind cost.
pub struct Cost {
    pub mean: Duration,
    pub median: Duration,
    pub p99: Duration,
}

/// A repository under way.
pub struct Player {
    repository: Repository,
    policy: Arc<Policy>,
    timers: BTreeSet<(Timestamp, TimerKey)>,
    wake_at: BTreeMap<TimerKey, Timestamp>,
    /// What the store would hold of facts.
    documents: BTreeMap<String, String>,
    costs: BTreeMap<&'static str, Vec<Duration>>,
    /// Timers that fired.
    pub fired: usize,
}

impl Player {
    pub fn new() -> Self {
        let policy = phasebot_core::policy::load("policy", POLICY);
        Self {
            repository: Repository::new(RepoFacts::new(life::repo().key), BTreeMap::new()),
            policy: Arc::new(policy.unwrap_or_else(|problems| panic!("{problems:?}"))),
            timers: BTreeSet::new(),
            wake_at: BTreeMap::new(),
            documents: BTreeMap::new(),
            costs: BTreeMap::new(),
            fired: 0,
        }
    }

    /// Decides what is due up to a time. Returns what each timer cost.
    pub fn wake(&mut self, until: Timestamp) -> Vec<Duration> {
        let mut costs = Vec::new();
        while let Some((now, key)) = self.timers.first().copied().filter(|(at, _)| *at <= until) {
            let started = Instant::now();
            self.set_timer(key, None);
            self.ingest(Input::Timers(&[key].into()), now);
            costs.push(started.elapsed());
        }
        self.fired += costs.len();
        costs
    }

    /// Decides an event.
    pub fn play(&mut self, event: &Event) {
        let us = Us { bot: None };
        self.ingest(Input::Event { event, us: &us }, event.at);
    }

    fn ingest(&mut self, input: Input<'_>, now: Timestamp) {
        let alerts = AlertRules::default();
        let terms = DecisionContext { policy: &self.policy.clone(), alerts: &alerts, now, writes_disabled: None };
        self.repository.ingest(input, &terms);
        self.decide(now);
    }

    fn decide(&mut self, now: Timestamp) {
        let alerts = AlertRules::default();
        let terms = DecisionContext { policy: &self.policy, alerts: &alerts, now, writes_disabled: None };
        let mut context = Context { terms, asking: Asking::First };
        let mut asked: HashSet<Need> = HashSet::new();
        let plan = loop {
            let needs = match self.repository.step(&context) {
                Step::Plan(plan) => break plan,
                Step::Ask(needs) => needs,
            };
            let new: Vec<Need> = needs.into_iter().filter(|need| asked.insert(need.clone())).collect();
            if new.is_empty() {
                context.asking = Asking::Done(None);
            }
            for need in new {
                let answer = answer(&need);
                self.repository.ingest(Input::Answer(&Answered { need, answer, at: now }), &terms);
            }
        };
        let mut changed = plan.changed;
        for PlannedEffect { effect, .. } in plan.effects {
            if let Effect::SetPhase { item, label, .. } = effect {
                let on = label.into_iter().map(|label| label.name).collect();
                changed.extend(ingest::applied(&mut self.repository.facts, Some((item, &on)), &BTreeSet::new(), now));
            }
        }
        for (key, at) in plan.timers {
            self.set_timer(key, at);
        }
        for key in changed {
            match self.repository.facts.document(&key) {
                Some(document) => drop(self.documents.insert(key.to_string(), document)),
                None => drop(self.documents.remove(&key.to_string())),
            }
        }
    }

    fn set_timer(&mut self, of: TimerKey, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => self.wake_at.insert(of, at),
            None => self.wake_at.remove(&of),
        };
        if let Some(before) = before {
            self.timers.remove(&(before, of));
        }
        self.timers.extend(at.map(|at| (at, of)));
    }

    /// Notes what an event of a kind cost.
    pub fn took(&mut self, kind: &'static str, took: Duration) {
        self.costs.entry(kind).or_default().push(took);
    }

    /// What events cost since this was last asked.
    pub fn costs(&mut self) -> Vec<(&'static str, Cost)> {
        let mut costs = std::mem::take(&mut self.costs);
        let all = costs.values().flatten().copied().collect();
        costs.insert("every event", all);
        costs.into_iter().map(|(kind, took)| (kind, Cost::of(took))).collect()
    }

    /// What the facts take as they are stored, and how long it takes to read them.
    pub fn memory(&self) -> String {
        let bytes: usize = self.documents.iter().map(|(key, body)| key.len() + body.len()).sum();
        let before = resident();
        let began = Instant::now();
        let documents = self.documents.iter().map(|(key, body)| (key.as_str(), body.as_str()));
        let (facts, unreadable) = RepoFacts::load(life::repo().key, documents);
        let took = began.elapsed();
        let memory = resident().saturating_sub(before);
        assert_eq!(unreadable, [""; 0], "documents that can't be read");
        assert_eq!(facts.items.len(), self.repository.facts.items.len(), "the facts are not what was stored");
        let count = self.documents.len();
        format!("{count} documents of {bytes} bytes, {memory} bytes in memory, read in {took:.1?}")
    }
}

fn answer(need: &Need) -> Answer {
    match need {
        Need::LinkedIssues { pull } => Answer::LinkedIssues([pull - 1].into()),
        Need::Tags => Answer::Tags(BTreeMap::new()),
        Need::Writer { .. } => Answer::Writer(true),
        other => Answer::Unavailable { why: format!("not simulated: {}", other.kind()) },
    }
}

impl Cost {
    fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let sum: Duration = took.iter().sum();
        let at = |share: usize| took.get((took.len() * share / 100).min(took.len() - 1)).copied().unwrap_or_default();
        Self { mean: sum / u32::try_from(took.len()).unwrap_or(1), median: at(50), p99: at(99) }
    }
}

/// Bytes of this process in memory; 0 where the system does not tell.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default();
    pages * 4096
}
