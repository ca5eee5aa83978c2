//! Random sequences of operations on inbox and outbox; each answer is compared with that of a
//! simple model.

use std::collections::BTreeMap;

use phasebot::port::store::{
    Accepted, DeliveryFilter, DeliveryState, Document, EffectEnd, EffectState, NewEffect, Store, StoredEffect,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use super::{
    Database,
    given::{at, decide, delivery, fact, labels, queue, react, replacing, repo},
};

/// Number of sequences, one after the other on the same database.
const SEQUENCES: u32 = 12;
/// Number of operations in a sequence.
const LENGTH: usize = 60;

/// Operations; `nth` counts from the newest row.
#[derive(Debug, Clone)]
enum Operation {
    Accept { id: u8 },
    Decide { nth: usize, state: DeliveryState },
    Replay { nth: usize },
    Drop { nth: usize },
    Queue { key: u8, replaces: bool, label: u8 },
    Mark { nth: usize, stale: bool },
    Finish { nth: usize, stale: bool, end: u8, wait: i64 },
    Prune { before: i64, limit: usize },
}

fn operation() -> impl Strategy<Value = Operation> {
    let states = DeliveryState::ALL.map(|(state, _)| state).to_vec();
    prop_oneof![
        3 => (0..20_u8).prop_map(|id| Operation::Accept { id }),
        2 => (0..9_usize, prop::sample::select(states)).prop_map(|(nth, state)| Operation::Decide { nth, state }),
        1 => (0..9_usize).prop_map(|nth| Operation::Replay { nth }),
        1 => (0..9_usize).prop_map(|nth| Operation::Drop { nth }),
        4 => (0..6_u8, any::<bool>(), 0..3_u8)
            .prop_map(|(key, replaces, label)| Operation::Queue { key, replaces, label }),
        2 => (0..5_usize, prop::bool::weighted(0.2)).prop_map(|(nth, stale)| Operation::Mark { nth, stale }),
        3 => (0..5_usize, prop::bool::weighted(0.2), 0..5_u8, 0..40_i64)
            .prop_map(|(nth, stale, end, wait)| Operation::Finish { nth, stale, end, wait }),
        1 => (0..60_i64, 0..4_usize).prop_map(|(before, limit)| Operation::Prune { before, limit }),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct Delivery {
    id: String,
    state: DeliveryState,
    attempts: u32,
    ended: i64,
}

#[derive(Debug, Clone, PartialEq)]
struct Waiting {
    key: String,
    version: u64,
    state: EffectState,
    attempts: u32,
    not_before: i64,
    ended: i64,
}

impl Waiting {
    fn live(&self) -> bool {
        matches!(self.state, EffectState::Queued | EffectState::Sending)
    }
}

#[derive(Debug, Default)]
struct Model {
    now: i64,
    deliveries: BTreeMap<u64, Delivery>,
    last_seq: u64,
    effects: BTreeMap<u64, Waiting>,
    last_id: u64,
    facts: BTreeMap<String, String>,
}

impl Model {
    /// Checks the number of a new row: it must be larger than all earlier ones.
    fn accept(&mut self, id: &str, answer: Accepted) {
        let known = self.deliveries.iter().find(|(_, kept)| kept.id == id).map(|(seq, _)| *seq);
        match (known, answer) {
            (Some(seq), Accepted::Duplicate(found)) => assert_eq!(found, seq),
            (None, Accepted::New(seq)) => {
                assert!(seq > self.last_seq, "{seq} after {}", self.last_seq);
                self.last_seq = seq;
                let new = Delivery { id: id.to_owned(), state: DeliveryState::Pending, attempts: 0, ended: 0 };
                self.deliveries.insert(seq, new);
            }
            _ => panic!("{answer:?}, but the model knows {known:?}"),
        }
    }

    /// `newest` is the number of the newest effect afterwards.
    fn queue(&mut self, key: String, replaces: bool, newest: u64) {
        let now = self.now;
        let same_key = |waiting: &&mut Waiting| waiting.key == key;
        if replaces {
            if let Some(waiting) = self.effects.values_mut().filter(|waiting| waiting.live()).find(same_key) {
                waiting.version += 1;
                waiting.attempts = 0;
                let in_doubt = waiting.state == EffectState::Sending;
                waiting.not_before = if in_doubt { waiting.not_before.max(now) } else { now };
                return;
            }
        } else if self.effects.values().any(|waiting| waiting.key == key) {
            return;
        }
        assert!(newest > self.last_id, "{newest} after {}", self.last_id);
        self.last_id = newest;
        let state = EffectState::Queued;
        let new = Waiting { key, version: 1, state, attempts: 0, not_before: now, ended: 0 };
        self.effects.insert(self.last_id, new);
    }

    fn finish(&mut self, id: u64, version: u64, end: &EffectEnd) {
        let now = self.now;
        let Some(waiting) = self.effects.get_mut(&id).filter(|waiting| waiting.live()) else { return };
        let stale = waiting.version != version;
        match end {
            EffectEnd::Retry { in_doubt: true, .. } if stale => {}
            _ if stale => waiting.state = EffectState::Queued,
            EffectEnd::Retry { not_before, in_doubt, counts, .. } => {
                waiting.state = if *in_doubt { EffectState::Sending } else { EffectState::Queued };
                waiting.not_before = not_before.duration_since(at(0)).as_secs();
                waiting.attempts += u32::from(*counts);
            }
            EffectEnd::Done { .. } => (waiting.state, waiting.attempts) = (EffectState::Done, waiting.attempts + 1),
            EffectEnd::Dead { .. } => (waiting.state, waiting.attempts) = (EffectState::Dead, waiting.attempts + 1),
            EffectEnd::Dropped { .. } => waiting.state = EffectState::Dropped,
        }
        waiting.ended = now;
    }

    fn prune(&mut self, before: i64, limit: usize) -> u64 {
        use DeliveryState::{Done, Dropped, Ignored};
        let old = |(seq, kept): (&u64, &Delivery)| {
            (matches!(kept.state, Done | Ignored | Dropped) && kept.ended < before).then_some((kept.ended, *seq))
        };
        let deliveries = first(self.deliveries.iter().filter_map(old).collect(), limit);
        let old = |(id, kept): (&u64, &Waiting)| {
            let ended = matches!(kept.state, EffectState::Done | EffectState::Dropped);
            (ended && kept.ended < before).then_some((kept.ended, *id))
        };
        let effects = first(self.effects.iter().filter_map(old).collect(), limit);
        self.deliveries.retain(|seq, _| !deliveries.contains(seq));
        self.effects.retain(|id, _| !effects.contains(id));
        (deliveries.len() + effects.len()) as u64
    }
}

/// Returns the numbers of those that ended first.
fn first(mut old: Vec<(i64, u64)>, limit: usize) -> Vec<u64> {
    old.sort_unstable();
    old.into_iter().take(limit).map(|(_, number)| number).collect()
}

pub(crate) async fn inbox_and_outbox_follow_the_model(database: &dyn Database) {
    // A new seed for each run would make failures hard to reproduce.
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRunner::deterministic().new_rng());
    let sequences = prop::collection::vec(operation(), LENGTH);
    let store = database.open().await;
    let mut model = Model::default();
    for _ in 0..SEQUENCES {
        for operation in sequences.new_tree(&mut runner).unwrap().current() {
            model.now += 1;
            step(&*store, &mut model, &operation).await;
            compare(&*store, &model, &operation).await;
        }
    }
}

async fn step(store: &dyn Store, model: &mut Model, operation: &Operation) {
    let now = model.now;
    match operation.clone() {
        Operation::Accept { id } => {
            let id = id.to_string();
            model.accept(&id, store.accept(delivery(&id)).await.unwrap());
        }
        Operation::Decide { nth, state } => {
            let Some((&seq, kept)) = model.deliveries.iter_mut().nth_back(nth) else { return };
            decide(store, seq, state, at(now)).await;
            if kept.state == DeliveryState::Pending {
                let ended = if state == DeliveryState::Pending { 0 } else { now };
                (kept.state, kept.attempts, kept.ended) = (state, kept.attempts + 1, ended);
            }
        }
        Operation::Replay { nth } => {
            let Some(&seq) = model.deliveries.keys().nth_back(nth) else { return };
            let kept = model.deliveries.get_mut(&seq).filter(|kept| kept.state != DeliveryState::Pending);
            assert_eq!(store.replay(seq).await, Ok(kept.is_some()), "{operation:?}");
            if let Some(kept) = kept {
                (kept.state, kept.attempts, kept.ended) = (DeliveryState::Pending, 0, 0);
            }
        }
        Operation::Drop { nth } => {
            use DeliveryState::{Dead, Pending, Quarantined};
            let Some(&seq) = model.deliveries.keys().nth_back(nth) else { return };
            let open = |kept: &&mut Delivery| matches!(kept.state, Pending | Quarantined | Dead);
            let kept = model.deliveries.get_mut(&seq).filter(open);
            assert_eq!(store.drop_delivery(seq, "by hand").await, Ok(kept.is_some()), "{operation:?}");
            if let Some(kept) = kept {
                kept.state = DeliveryState::Dropped;
            }
        }
        Operation::Queue { key, replaces, label } => {
            let effect = if replaces { labels(1, &label.to_string()) } else { react(label.into()) };
            let key = format!("{replaces} {key}");
            let new = NewEffect { replaces, ..replacing(&key, effect) };
            queue(store, at(now), vec![new]).await;
            let newest = store.effects(false, 1).await.unwrap().first().map_or(0, |effect| effect.id);
            model.queue(key, replaces, newest);
        }
        Operation::Mark { nth, stale } => {
            let Some((&id, waiting)) = model.effects.iter_mut().nth_back(nth) else { return };
            let version = waiting.version - u64::from(stale);
            let marks = waiting.live() && !stale;
            assert_eq!(store.mark_sending(id, version, &[]).await, Ok(marks), "{operation:?}");
            if marks {
                waiting.state = EffectState::Sending;
            }
        }
        Operation::Finish { nth, stale, end, wait } => {
            let Some((&id, waiting)) = model.effects.iter().nth_back(nth) else { return };
            let version = waiting.version - u64::from(stale);
            let (note, moment) = (String::new(), at(now));
            let end = match end {
                0 => EffectEnd::Done { note, at: moment },
                1 => EffectEnd::Dead { error: note, at: moment },
                2 => EffectEnd::Dropped { reason: note, at: moment },
                n => EffectEnd::Retry { not_before: at(now + wait), error: note, in_doubt: n == 3, counts: wait > 9 },
            };
            let key = format!("effect/{id}");
            model.facts.insert(key.clone(), now.to_string());
            model.finish(id, version, &end);
            store.finish_effect(id, version, end, &repo(1), vec![fact(&key, &now.to_string())], &[]).await.unwrap();
        }
        Operation::Prune { before, limit } => {
            let before = now - before;
            assert_eq!(store.prune(at(before), limit).await, Ok(model.prune(before, limit)), "{operation:?}");
        }
    }
}

/// Compares everything that the store shows with the model.
async fn compare(store: &dyn Store, model: &Model, after: &Operation) {
    let all = DeliveryFilter { limit: 1000, ..DeliveryFilter::default() };
    let shown: Vec<_> = store.deliveries(&all).await.unwrap();
    let shown: BTreeMap<_, _> =
        shown.into_iter().map(|row| (row.seq, (row.delivery, row.state, row.attempts))).collect();
    let expected: BTreeMap<_, _> =
        model.deliveries.iter().map(|(seq, kept)| (*seq, (kept.id.clone(), kept.state, kept.attempts))).collect();
    assert_eq!(shown, expected, "after {after:?}");

    let pending: Vec<_> = store.pending(0, 1000).await.unwrap().iter().map(|waiting| waiting.seq).collect();
    let waits = |(seq, kept): (&u64, &Delivery)| (kept.state == DeliveryState::Pending).then_some(*seq);
    assert_eq!(pending, model.deliveries.iter().filter_map(waits).collect::<Vec<_>>(), "after {after:?}");

    let summary = |effect: StoredEffect| {
        (effect.id, (effect.version, effect.key, effect.state, effect.attempts, effect.not_before))
    };
    let shown: BTreeMap<_, _> = store.effects(false, 1000).await.unwrap().into_iter().map(summary).collect();
    let expected: BTreeMap<_, _> = model
        .effects
        .iter()
        .map(|(id, w)| (*id, (w.version, w.key.clone(), w.state, w.attempts, at(w.not_before))))
        .collect();
    assert_eq!(shown, expected, "after {after:?}");

    let due: Vec<_> = store.due_effects(at(model.now), 3).await.unwrap().into_iter().map(|effect| effect.id).collect();
    let mut expected: Vec<_> = model
        .effects
        .iter()
        .filter(|(_, waiting)| waiting.live() && waiting.not_before <= model.now)
        // Conversation before labels: one-time effects are reactions here.
        .map(|(id, waiting)| (waiting.key.starts_with("true"), *id))
        .collect();
    expected.sort_unstable();
    let (labels, talk): (Vec<_>, Vec<_>) = expected.into_iter().partition(|(label, _)| *label);
    let expected: Vec<_> = talk.into_iter().take(3).chain(labels.into_iter().take(3)).map(|(_, id)| id).collect();
    assert_eq!(due, expected, "after {after:?}");

    let facts = model.facts.iter().map(|(key, body)| Document { key: key.clone(), body: Some(body.clone()) });
    assert_eq!(store.facts(&repo(1)).await.unwrap(), facts.collect::<Vec<_>>(), "after {after:?}");
}
