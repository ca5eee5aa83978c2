//! Decides one event after the other, with timers between, as the program does.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use phasebot::{
    decide::{self, Shown, Us, advance, command::run::Terms},
    domain::{
        alert::AlertRules,
        effect::Effect,
        event::Event,
        fact::{DocumentKey, RepoFacts},
        id::ItemNumber,
        needs::{Answer, Answered, Need},
        policy::Policy,
    },
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
    facts: RepoFacts,
    policy: Policy,
    shown: BTreeMap<ItemNumber, Shown>,
    timers: BTreeSet<(Timestamp, Option<ItemNumber>)>,
    wake_at: BTreeMap<Option<ItemNumber>, Timestamp>,
    /// What the store would hold of facts.
    documents: BTreeMap<String, String>,
    costs: BTreeMap<&'static str, Vec<Duration>>,
    /// Timers that fired.
    pub fired: u64,
}

impl Player {
    pub fn new() -> Self {
        let policy = phasebot::policy::load("policy", POLICY);
        Self {
            facts: RepoFacts::new(life::repo().key),
            policy: policy.unwrap_or_else(|problems| panic!("{problems:?}")),
            shown: BTreeMap::new(),
            timers: BTreeSet::new(),
            wake_at: BTreeMap::new(),
            documents: BTreeMap::new(),
            costs: BTreeMap::new(),
            fired: 0,
        }
    }

    /// Decides what is due before an event, and then the event.
    pub fn play(&mut self, event: &Event) {
        while let Some((at, item)) = self.timers.first().copied().filter(|(at, _)| *at <= event.at) {
            self.set_timer(item, None);
            self.fired += 1;
            self.decide(item.into_iter().collect(), BTreeSet::new(), at);
        }
        let observed = decide::observe(&mut self.facts, event, &self.policy, &Us { bot: None });
        self.decide(observed.items, observed.changed, event.at);
    }

    fn decide(&mut self, mut items: BTreeSet<ItemNumber>, mut changed: BTreeSet<DocumentKey>, now: Timestamp) {
        let mut asked: HashSet<Need> = HashSet::new();
        loop {
            let needs = decide::needs(&self.facts, &items, &self.policy, now);
            let needs: Vec<Need> = needs.into_iter().filter(|need| !asked.contains(need)).collect();
            if needs.is_empty() {
                break;
            }
            for need in needs {
                asked.insert(need.clone());
                let answer = self.answer(&need);
                let learnt = decide::learn(&mut self.facts, &Answered { need, answer, at: now }, &self.policy);
                items.extend(learnt.items);
                changed.extend(learnt.changed);
            }
        }
        let alerts = AlertRules::default();
        let terms = Terms { policy: &self.policy, alerts: &alerts, now, silent: None };
        let mut advanced = advance::advance(&mut self.facts, &terms);
        items.append(&mut advanced.items);
        changed.append(&mut advanced.changed);
        self.set_timer(None, advanced.wake_at.map(|at| at.max(now + SignedDuration::from_secs(1))));
        for derived in decide::derive_all(&self.facts, &items, &self.policy, now) {
            let item = derived.item;
            let shown = self.shown.get(&item);
            let decided = decide::decide(&self.facts, &derived, shown, &self.policy);
            let label = match &decided.effect {
                Some(Effect::SetPhase { label, .. }) => label.as_ref().map(|label| label.name.clone()),
                _ => shown.and_then(|shown| shown.label.clone()),
            };
            if decided.effect.is_some() {
                let on = label.iter().cloned().collect();
                changed.extend(decide::applied(&mut self.facts, Some((item, &on)), &BTreeSet::new(), now));
            }
            let put = label.iter().cloned().collect();
            self.shown.insert(item, Shown { phase: derived.phase, ours: derived.ours, written: true, label, put });
            self.set_timer(Some(item), derived.wake_at);
        }
        for key in changed {
            match self.facts.document(&key) {
                Some(document) => drop(self.documents.insert(key.to_string(), document)),
                None => drop(self.documents.remove(&key.to_string())),
            }
        }
    }

    fn answer(&self, need: &Need) -> Answer {
        match need {
            Need::LinkedIssues { pull } => Answer::LinkedIssues([pull - 1].into()),
            Need::Tags => Answer::Tags(BTreeMap::new()),
            Need::Writer { .. } => Answer::Writer(true),
            other => Answer::Unavailable { why: format!("not simulated: {}", other.kind()) },
        }
    }

    fn set_timer(&mut self, of: Option<ItemNumber>, at: Option<Timestamp>) {
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
        assert_eq!(facts.items.len(), self.facts.items.len(), "the facts are not what was stored");
        let count = self.documents.len();
        format!("{count} documents of {bytes} bytes, {memory} bytes in memory, read in {took:.1?}")
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
