//! Test values for the clauses of the store contract.

use std::collections::BTreeSet;

use jiff::Timestamp;
use phasebot::{
    domain::{
        derived::{Reason, Transition},
        effect::{Effect, LabelSpec, Reaction},
        fact::command::Source,
        id::{ForgeName, RepoKey},
    },
    port::store::{
        Accepted, Commit, DeliveryState, Document, EffectState, NewDelivery, NewEffect, Seq, Store, StoredEffect,
    },
};

/// Returns the time this many seconds after the tests' start time.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub(crate) fn repo(id: u64) -> RepoKey {
    RepoKey { forge: ForgeName::github(), id }
}

pub(crate) fn delivery(id: &str) -> NewDelivery {
    NewDelivery {
        target: None,
        forge: ForgeName::github(),
        hook: "77".to_owned(),
        delivery: id.to_owned(),
        event: "issues".to_owned(),
        action: Some("opened".to_owned()),
        repo: Some(1),
        installation: Some(10),
        received_at: at(0),
        body: format!("{{\"id\":\"{id}\"}}").into(),
        quarantined: None,
    }
}

/// Accepts a new delivery, and returns its number.
pub(crate) async fn accept(store: &dyn Store, delivery: NewDelivery) -> Seq {
    match store.accept(delivery).await.unwrap() {
        Accepted::New(seq) => seq,
        Accepted::Duplicate(seq) => panic!("was there already, as {seq}"),
    }
}

pub(crate) async fn state(store: &dyn Store, seq: Seq) -> DeliveryState {
    store.delivery(seq).await.unwrap().unwrap().row.state
}

/// Finishes or retries a delivery at a time.
pub(crate) async fn decide(store: &dyn Store, seq: Seq, state: DeliveryState, now: Timestamp) {
    let deliveries = vec![(seq, state, "note".to_owned())];
    store.commit(Commit { now: Some(now), deliveries, ..Commit::default() }).await.unwrap();
}

pub(crate) fn fact(key: &str, body: &str) -> Document {
    Document { key: key.to_owned(), body: Some(body.to_owned()) }
}

pub(crate) fn no_fact(key: &str) -> Document {
    Document { key: key.to_owned(), body: None }
}

pub(crate) fn transition(at: Timestamp, to: Option<&str>) -> Transition {
    let reason = Reason { code: "merged".to_owned(), sentence: "It was merged.".to_owned(), rule: "a:1".to_owned() };
    Transition { at, to: to.map(str::to_owned), reason }
}

/// An effect in the labels' lane.
pub(crate) fn labels(item: u64, label: &str) -> Effect {
    let look = LabelSpec { name: label.to_owned(), color: "0072B2".to_owned(), description: String::new() };
    Effect::SetPhase { item, label: Some(look), phase_labels: BTreeSet::from([label.to_owned()]) }
}

/// An effect in the conversation's lane.
pub(crate) fn react(comment: u64) -> Effect {
    Effect::React { item: 1, source: Source::Comment(comment), node: None, reaction: Reaction::Taken }
}

/// An effect in the safety lane.
pub(crate) fn dispatch(request: &str) -> Effect {
    Effect::Dispatch {
        workflow: "deploy.yml".to_owned(),
        reference: "main".to_owned(),
        sha: "0123456789012345678901234567890123456789".parse().unwrap(),
        request: request.to_owned(),
        watched: phasebot::domain::effect::RefGuard::Commit,
        environment: "production".to_owned(),
        inputs: std::collections::BTreeMap::new(),
        strict: true,
    }
}

/// Desired state: a newer effect replaces it.
pub(crate) fn replacing(key: &str, effect: Effect) -> NewEffect {
    NewEffect { key: key.to_owned(), replaces: true, installation: 10, effect, cause: Some(1) }
}

/// A one-time effect.
pub(crate) fn once(key: &str, effect: Effect) -> NewEffect {
    NewEffect { replaces: false, ..replacing(key, effect) }
}

/// Queues effects of repository 1 at a time.
pub(crate) async fn queue(store: &dyn Store, now: Timestamp, effects: Vec<NewEffect>) {
    store.commit(Commit { repo: Some(repo(1)), now: Some(now), effects, ..Commit::default() }).await.unwrap();
}

/// Returns the only effect that is due.
pub(crate) async fn only_due(store: &dyn Store, now: Timestamp) -> StoredEffect {
    let due = store.due_effects(now, 100).await.unwrap();
    assert_eq!(due.len(), 1, "{due:#?}");
    due.into_iter().next().unwrap()
}

pub(crate) async fn due_keys(store: &dyn Store, now: Timestamp, per_installation: usize) -> Vec<String> {
    store.due_effects(now, per_installation).await.unwrap().into_iter().map(|effect| effect.key).collect()
}

/// Returns all effects, oldest first, as key, version and state.
pub(crate) async fn all_effects(store: &dyn Store) -> Vec<(String, u64, EffectState)> {
    let mut all = store.effects(false, 1000).await.unwrap();
    all.reverse();
    all.into_iter().map(|effect| (effect.key, effect.version, effect.state)).collect()
}
