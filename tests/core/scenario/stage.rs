//! The stage of every scenario: a [`Repository`] and a scripted forge. It does what the bot's loops
//! do: it takes in what arrives, asks what is wanted, and carries the plan out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use phasebot_core::{
    command::{
        extract::{Request, hear},
        run, wait,
    },
    domain::{
        alert::{AlertRules, ConnectionRules},
        derived::{Derived, StoredItem},
        effect::Effect,
        event::Event,
        fact::RepoFacts,
        insight::RowKind,
        needs::{Answered, Need},
        policy::{Mode, Policy},
    },
    engine::{self, Asking, Context, Input, Plan, Repository, Step as Decided, TimerKey},
    plan::DecisionContext,
};

use super::{
    forge::{Forge, repo, us, words::start},
    notices::Threads,
    outbox::Outbox,
    script::{Script, Step},
    transcript::Transcript,
};
use crate::{gallery::Messages, insight::InsightTable};

/// Time after which a query that the forge did not answer is repeated.
const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// More decisions at one time are a loop.
const MOST_DECISIONS: usize = 50;

pub struct Stage {
    pub repository: Repository,
    pub forge: Forge,
    pub policy: Policy,
    pub alerts: AlertRules,
    pub now: Timestamp,
    pub transcript: Transcript,
    /// Messages for people, for the gallery.
    pub messages: Messages,
    pub(super) outbox: Outbox,
    pub(super) threads: Threads,
    /// Queries that were sent, with their times.
    pub(super) asked: Vec<(Timestamp, Need)>,
    timers: BTreeMap<TimerKey, Timestamp>,
    /// Rows for delivery metrics, as a store keeps them.
    pub insight: InsightTable,
    /// Kinds and owners of the rows that decisions derived.
    pub derived_rows: BTreeSet<(RowKind, String)>,
    /// The order of events is not theirs: what can be checked in any order is not checked again.
    pub(super) is_shuffled: bool,
    /// Every event is delivered twice.
    pub(super) doubled: bool,
    pub(super) delivered: Vec<Event>,
    pub(super) probe: Option<Probe>,
}

/// State at a time when everything is decided.
pub struct Moment<'a> {
    pub facts: &'a RepoFacts,
    pub policy: &'a Policy,
    /// Queued effects.
    pub queued: Vec<&'a Effect>,
    pub now: Timestamp,
}

/// Callback that inspects each such moment of a scenario.
pub type Probe = Box<dyn FnMut(&Moment<'_>)>;

/// Returns true for a step that is not about the forge.
pub fn is_of_stage(step: &Step) -> bool {
    ["tick", "send", "queue", "policy", "heartbeat"].contains(&step.verb()) || super::looks::is_look(step)
}

/// Returns the terms of a decision.
pub(super) fn terms<'a>(policy: &'a Policy, alerts: &'a AlertRules, now: Timestamp) -> DecisionContext<'a> {
    let writes_disabled = (policy.mode == Mode::Observe).then_some("mode: observe");
    DecisionContext { policy, alerts, now, writes_disabled }
}

/// Returns the decision on an item as it is stored.
pub(super) fn derived(stored: &StoredItem) -> Derived {
    serde_json::from_str(&stored.derived).expect("a decision")
}

impl Stage {
    pub fn new(policy: Option<&str>) -> Self {
        Self {
            repository: Repository::new(RepoFacts::new(repo().key), BTreeMap::new()),
            forge: Forge::new(),
            policy: crate::policy_of(policy),
            alerts: AlertRules::default(),
            now: start(),
            transcript: Transcript::default(),
            messages: Messages::default(),
            outbox: Outbox::default(),
            threads: Threads::default(),
            asked: Vec::new(),
            timers: BTreeMap::new(),
            insight: InsightTable::default(),
            derived_rows: BTreeSet::new(),
            is_shuffled: false,
            doubled: false,
            delivered: Vec::new(),
            probe: None,
        }
    }

    /// Plays all steps.
    pub fn play(&mut self, script: &Script) {
        for step in &script.steps {
            self.until(step.at);
            self.step(step);
        }
    }

    /// Follows one step, at its time.
    pub fn step(&mut self, step: &Step) {
        let words = &step.words;
        match step.verb() {
            // Time passes, and whatever the steps before changed is decided.
            "tick" => self.decide(),
            "send" => {
                self.send(false);
                self.decide();
            }
            "queue" => drop(self.outbox.waits.insert(words[1].clone())),
            // Its consequences are decided with the next event, tick or `send`: an effect may be
            // sent before that.
            "policy" => {
                self.put_in_force(crate::policy_of(Some(&step.body)));
            }
            // `heartbeat prod 5m`: this connection must send a heartbeat at this interval.
            "heartbeat" => {
                let rules = ConnectionRules { heartbeat: Some(words[2].parse().unwrap()), template: None };
                self.alerts.connections.insert(words[1].clone(), rules);
            }
            _ if super::looks::is_look(step) => self.look(step),
            _ if self.forge.set(words) => {}
            _ => {
                let Some(event) = self.forge.happen(self.now, words, step.text()) else { return };
                let again = self.doubled || words.last().is_some_and(|word| word == "again");
                for _ in 0..if again { 2 } else { 1 } {
                    self.deliver(&event);
                }
                self.delivered.push(event);
            }
        }
    }

    /// Continues under another policy; every item is to be decided again.
    pub fn put_in_force(&mut self, policy: Policy) {
        self.policy = policy;
        let items = self.repository.facts.items.keys().copied().collect();
        let terms = terms(&self.policy, &self.alerts, self.now);
        self.repository.ingest(Input::Changed { documents: &BTreeSet::new(), items: &items }, &terms);
    }

    /// Delivers an event now.
    pub fn deliver(&mut self, event: &Event) {
        self.observe(event);
        self.decide();
    }

    /// Takes in an event without deciding on it.
    pub fn observe(&mut self, event: &Event) {
        let us = us();
        let terms = terms(&self.policy, &self.alerts, self.now);
        self.repository.ingest(Input::Event { event, us: &us }, &terms);
        if let Some(request) = hear(event, &self.policy, &us) {
            self.run_commands(&request);
        }
    }

    fn run_commands(&mut self, request: &Request) {
        let facts = &self.repository.facts;
        if request.undecided(facts).next().is_none() {
            return;
        }
        let asks = run::asks(facts, &self.policy, request);
        let caller = self.forge.caller(request, &asks, self.now);
        let terms = terms(&self.policy, &self.alerts, self.now);
        self.repository.ingest(Input::Commands { request, caller: &caller }, &terms);
    }

    /// Lets time pass until shortly before `at`: timers fire at their times.
    pub fn until(&mut self, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        let mut fired = 0;
        while let Some(due) = self.timers.values().min().copied().filter(|due| *due < at) {
            fired += 1;
            assert!(fired < 50_000, "it would wake for ever");
            self.now = self.now.max(due);
            self.transcript.by_itself(Some(self.now));
            self.decide();
        }
        self.transcript.by_itself(None);
        self.now = self.now.max(at);
    }

    /// Decides on everything that was taken in, and on the timers that are due; and then on what
    /// comes of it.
    pub fn decide(&mut self) {
        for round in 0.. {
            assert!(round < MOST_DECISIONS, "it never comes to rest");
            self.fire();
            let plan = self.plan();
            self.carry_out(plan);
            self.send(true);
            let echoes = self.forge.echoes();
            for event in &echoes {
                self.observe(event);
            }
            if echoes.is_empty() && !self.timers.values().any(|at| *at <= self.now) {
                break;
            }
        }
        if self.is_shuffled {
            return;
        }
        // Another run must change nothing.
        let terms = terms(&self.policy, &self.alerts, self.now);
        let again = engine::advance(&mut self.repository.facts, &terms);
        let new = again.effects.iter().any(|planned| self.outbox.is_new(planned));
        assert!(again.changed.is_empty() && !new && again.notes.is_empty(), "{again:?}");
    }

    fn fire(&mut self) {
        let now = self.now;
        let due: BTreeSet<TimerKey> = self.timers.iter().filter(|(_, at)| **at <= now).map(|(key, _)| *key).collect();
        self.timers.retain(|key, _| !due.contains(key));
        let terms = terms(&self.policy, &self.alerts, now);
        self.repository.ingest(Input::Timers(&due), &terms);
        for request in wait::due(&self.repository.facts, &self.policy, now) {
            self.run_commands(&request);
        }
    }

    /// Asks the forge until the plan is known.
    fn plan(&mut self) -> Plan {
        let mut asking = Asking::First;
        loop {
            self.probe();
            let terms = terms(&self.policy, &self.alerts, self.now);
            let needs = match self.repository.step(&Context { terms, asking }) {
                Decided::Plan(plan) => return *plan,
                Decided::Ask(needs) => needs,
            };
            asking = Asking::Done(Some(self.now + ASK_AGAIN_AFTER));
            for need in needs {
                self.asked.push((self.now, need.clone()));
                if let Some(answer) = self.forge.answer(&need, self.now) {
                    asking = Asking::First;
                    let answered = Answered { need, answer, at: self.now };
                    self.repository.ingest(Input::Answer(&answered), &terms);
                }
            }
        }
    }

    /// Shows the moment before a decision.
    fn probe(&mut self) {
        let Some(probe) = &mut self.probe else { return };
        let facts = &self.repository.facts;
        if engine::needs(facts, self.repository.concerned(), &self.policy, self.now).is_empty() {
            let queued = self.outbox.waiting().collect();
            probe(&Moment { facts, policy: &self.policy, queued, now: self.now });
        }
    }

    /// Takes in something about an effect. What follows is decided at once, but for itself.
    pub(super) fn take_in(&mut self, input: Input<'_>) {
        let terms = terms(&self.policy, &self.alerts, self.now);
        self.repository.ingest(input, &terms);
        let plan = self.repository.put_off(&terms);
        self.carry_out(plan);
    }

    /// Does what the bot does with a plan, except sending.
    fn carry_out(&mut self, plan: Plan) {
        for item in plan.items.iter().map(derived) {
            assert!(item.wake_at.is_none_or(|at| at > self.now), "#{} would be looked at for ever", item.item);
        }
        for note in plan.command_notes.iter().chain(&plan.notes) {
            // The move of an item is shown with the evidence of its rule.
            let item = note.strip_prefix('#').and_then(|rest| rest.split_once(' ')?.0.parse().ok());
            let stored = item.and_then(|item: u64| self.repository.items.get(&item));
            let rule = stored.map(|stored| derived(stored).reason).filter(|reason| !reason.rule.is_empty());
            let rule = rule.map_or_else(String::new, |reason| format!(" [{}]", reason.code));
            self.transcript.say(format!("{note}{rule}"));
        }
        self.notify(&plan.notices);
        for group in &plan.insight {
            self.insight.keep(group);
            self.derived_rows.insert((group.kind, group.owner.clone()));
        }
        for (key, at) in plan.timers {
            match at {
                Some(at) => drop(self.timers.insert(key, at)),
                None => drop(self.timers.remove(&key)),
            }
        }
        let effects = if self.policy.mode == Mode::Observe { Vec::new() } else { plan.effects };
        self.queue(effects, &plan.cancel);
    }
}
