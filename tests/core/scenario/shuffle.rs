//! Results that are the same in any order of the deliveries, however often they arrive.

use std::collections::BTreeMap;

use phasebot_core::{
    domain::{
        derived::Derived,
        fact::deploy_request::RequestState,
        id::ItemId,
        needs::{Answer, Answered, Need},
    },
    gate, phase,
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::{
    folder::files,
    looks::conditions,
    script::{History, Script, read},
    stage::{Stage, derived},
};

/// Decisions on items.
pub type Items = BTreeMap<ItemId, Derived>;

/// Effects, and the ends of requests and gates.
#[derive(Debug, PartialEq, Eq)]
struct Ending {
    /// Effects of deployments that were sent.
    sent: Vec<String>,
    requests: Vec<String>,
    gates: Vec<String>,
}

/// Runs `property` on random numbers, each time others. A failure names the seed, and
/// `SEED=…` repeats it.
pub fn any_order(cases: u32, count: usize, property: impl Fn(&[u32]) -> Result<(), TestCaseError>) {
    let given = std::env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"));
    let seed: u64 = given.unwrap_or_else(|| {
        use std::hash::{BuildHasher as _, RandomState};
        RandomState::new().hash_one(0)
    });
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let keys = prop::collection::vec(any::<u32>(), count);
    runner.run(&keys, |keys| property(&keys)).unwrap_or_else(|error| panic!("SEED={seed} repeats it: {error}"));
}

/// Returns an order of `count` events: all of them, and some twice.
pub fn order(count: usize, keys: &[u32]) -> Vec<usize> {
    let twice = (0..count).filter(|index| keys[index % keys.len()].is_multiple_of(3));
    let mut keyed: Vec<(u32, usize)> =
        (0..count).chain(twice).zip(keys.iter().cycle()).map(|(index, key)| (*key, index)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, index)| index).collect()
}

/// Delivers the events of a history in an order, then lets the time pass until its end. Returns the
/// decisions on all items; each must be what a fresh look would decide.
pub fn items_after(history: &History, order: &[usize]) -> Items {
    let mut stage = Stage::of(history);
    for index in order {
        let event = &history.events[*index];
        stage.until(Some(event.at));
        stage.deliver(event);
    }
    stage.until(Some(history.end));
    stage.decide();
    stage.fresh_items()
}

impl Stage {
    /// A stage with the forge as it is at the end of a history.
    pub fn of(history: &History) -> Self {
        let mut stage = Self::new(history.policy.as_deref());
        stage.forge = history.forge.clone();
        stage.is_shuffled = true;
        stage
    }

    /// Returns the decisions on all items, each compared with a fresh one.
    pub fn fresh_items(mut self) -> Items {
        let items: Items = self.repository.items.values().map(|stored| (stored.item, derived(stored))).collect();
        // Permissions, and what the forge did not answer, would be asked for again by now: that is not
        // part of the comparison.
        let facts = &mut self.repository.facts;
        let is_due = |known: &&mut Answered| {
            matches!(known.need, Need::Writer { .. }) || matches!(known.answer, Answer::Unavailable { .. })
        };
        for answered in facts.answers.values_mut().filter(is_due) {
            answered.at = self.now;
        }
        for (item, derived) in &items {
            let fresh = phase::derive(facts, *item, &self.policy, self.now);
            assert_eq!(*derived, fresh, "#{item} was left stale");
        }
        items
    }

    fn ending(&self) -> Ending {
        let (facts, policy, now) = (&self.repository.facts, &self.policy, self.now);
        let mut requests: Vec<_> = facts.requests.values().collect();
        requests.sort_by_key(|request| (request.at, request.environment.clone()));
        let state = |state: &RequestState| match state {
            RequestState::Ended { how, why } => format!("{how:?}: {}", why.text),
            other => format!("{other:?}"),
        };
        let requests = requests.into_iter().map(|r| format!("{} {:?} {}", r.environment, r.kind, state(&r.state)));
        let decide = |subject: &gate::Subject| {
            let decision = gate::evaluate(facts, policy, subject, now);
            let (name, commit, state) = (subject.gate.check(), subject.sha.short(), decision.standing);
            let mut lines = vec![format!("{name} on {commit}: {state:?}")];
            conditions(&decision.conditions, 1, &mut lines);
            lines.join("\n")
        };
        let mut gates: Vec<String> = gate::subjects(facts, policy, now).iter().map(decide).collect();
        gates.sort();
        Ending { sent: self.outbox.sent.clone(), requests: requests.collect(), gates }
    }
}

/// Plays a scenario, and returns what the forge delivered.
fn played(text: &str) -> History {
    let script = Script::read(text);
    let mut stage = Stage::new(script.policy.as_deref());
    stage.play(&script);
    let Stage { forge, now, delivered, .. } = stage;
    History { policy: script.policy, events: delivered, end: now, forge }
}

/// Checks that the events of every scenario of a folder lead to the same phases in any order.
pub fn items_in_any_order(folder: &str) {
    for (path, text) in files(folder) {
        if text.lines().any(|line| line.starts_with("# in order only")) {
            continue;
        }
        let history = played(&text);
        let count = history.events.len();
        let straight = items_after(&history, &(0..count).collect::<Vec<_>>());
        any_order(12, count.max(1), |keys| {
            let order = order(count, keys);
            let shuffled = items_after(&history, &order);
            prop_assert_eq!(&shuffled, &straight, "{}: order {:?}", path, order);
            Ok(())
        });
    }
}

/// Checks that deliveries that arrive twice, and once more at the end, change nothing.
pub fn doubled(folder: &str) {
    for (path, text) in files(folder) {
        let script = Script::read(&text);
        let play = |doubled: bool| {
            let mut stage = Stage::new(script.policy.as_deref());
            stage.doubled = doubled;
            stage.play(&script);
            let late = std::mem::take(&mut stage.delivered);
            for event in late.iter().filter(|_| doubled) {
                stage.deliver(event);
            }
            stage.ending()
        };
        assert_eq!(play(true), play(false), "{path}");
    }
}

/// Checks that deliveries in any order, some of them twice, lead to the same gates and requests in
/// the scenarios that are `wanted`; everything arrives at their end. Returns the number of these.
pub fn endings_in_any_order(folder: &str, wanted: impl Fn(&str) -> bool) -> usize {
    let mut played = 0;
    for (path, text) in files(folder) {
        if !wanted(&text) {
            continue;
        }
        played += 1;
        let history = read(&text);
        let count = history.events.len();
        let play = |order: &[usize]| {
            let mut stage = Stage::of(&history);
            stage.until(Some(history.end));
            for index in order {
                stage.deliver(&history.events[*index]);
            }
            stage.ending()
        };
        let straight = play(&(0..count).collect::<Vec<_>>());
        any_order(8, count.max(1), |keys| {
            let order = order(count, keys);
            prop_assert_eq!(&play(&order), &straight, "{}: order {:?}", path, order);
            Ok(())
        });
    }
    played
}
