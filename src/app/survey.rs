//! Puts pages of a repository's current state into the inbox, and decides them.
//!
//! A page is stored in the inbox like a delivery, under an event name that no
//! forge has, and decided in its turn. The reader therefore needs no hold on
//! the repository, may be another process than the one that decides, and may be
//! killed at any time.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    app::{
        binding,
        commit::note,
        decision::{self, Decided, Failure, Scope},
        decision_slots::aside,
        policy::{self, Occasion},
        runtime::Runtime,
    },
    domain::{event::Event, needs::Answered},
    engine::Input,
    ingest::{SurveyTerms, Us},
    port::{
        forge::{Forge, SurveyPage},
        store::{Accepted, DeliveryRow, DeliveryState, NewDelivery, Store, StoreError},
    },
};

/// Name of the event. No forge's event name has a dot, and the intake refuses one that has.
pub(crate) const EVENT: &str = "phasebot.survey";
/// Takes the place of the hook's number.
const HOOK: &str = "phasebot";

/// Treatment of the items that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// True if items known only from this survey may be labelled.
    pub write: bool,
    /// Events before this are no evidence; `None`: all events are.
    pub since: Option<Timestamp>,
}

/// A page as it is stored.
#[derive(Serialize, Deserialize)]
struct Letter {
    terms: Terms,
    events: Vec<Event>,
    answers: Vec<Answered>,
}

/// Puts a page into the inbox. The same page under the same terms is stored once.
pub async fn post(
    store: &dyn Store,
    page: SurveyPage,
    terms: Terms,
    now: Timestamp,
) -> Result<Option<Accepted>, StoreError> {
    if page.events.is_empty() {
        return Ok(None);
    }
    let installation = page.events.iter().find_map(|event| event.connection);
    // The time of the request adds nothing to the content.
    let told: Vec<_> = page.answers.iter().map(|answered| (&answered.need, &answered.answer)).collect();
    let invalid = |error: serde_json::Error| StoreError::Invalid(error.to_string());
    let content = serde_json::to_vec(&(terms, &page.events, told)).map_err(invalid)?;
    let delivery = hex::encode(Sha256::digest(&content)).chars().take(32).collect();
    let letter = Letter { terms, events: page.events, answers: page.answers };
    let body = serde_json::to_vec(&letter).map_err(invalid)?;
    let kept = NewDelivery {
        forge: page.repo.key.forge,
        hook: HOOK.to_owned(),
        delivery,
        event: EVENT.to_owned(),
        action: Some(page.part.to_owned()),
        repo: Some(page.repo.key.id),
        installation,
        received_at: now,
        target: None,
        body: Bytes::from(body),
        quarantined: None,
    };
    store.accept(kept).await.map(Some)
}

/// Decides a page.
pub(crate) async fn decide(
    runtime: &Runtime,
    forge: &dyn Forge,
    row: &DeliveryRow,
    body: &Bytes,
) -> Result<(DeliveryState, String), Failure> {
    let letter: Letter = serde_json::from_slice(body)
        .map_err(|error| Failure::Fault(format!("what was read can't be understood: {error}")))?;
    let Some((first, seen)) = letter.events.first().and_then(|event| Some((event, event.repo.as_ref()?))) else {
        return Err(Failure::Fault("what was read names no repository".to_owned()));
    };
    let us = aside(runtime.identities.on(forge, letter.events.iter().flat_map(Us::told_apart))).await;
    let mut held = runtime.repos.hold(&seen.key).await;
    let mut state = held.take(runtime.store.as_ref()).await?;
    let settled = binding::settle(forge, state.row.as_ref(), state.repo.facts.about.full_name.as_ref(), first, seen);
    let place = aside(settled).await;
    let target = binding::target(&place.row);
    let read = policy::before_first_look(runtime, forge, target.as_ref(), &mut state, first).await;
    let known = runtime.policies.policy(&seen.key, &state.repo.facts.policy_files);

    let terms = crate::plan::DecisionContext {
        policy: &known,
        alerts: &runtime.alerts.rules,
        now: runtime.clock.now(),
        writes_disabled: None,
    };
    for event in letter.events.iter().filter(|event| event.repo.as_ref().is_some_and(|repo| repo.key == seen.key)) {
        state.repo.ingest(Input::Survey { event, terms: letter.terms.into(), us: &us }, &terms);
    }
    for answered in &letter.answers {
        state.repo.ingest(Input::Answer(answered), &terms);
    }
    let count = letter.events.len();
    let aim = target.as_ref().map(|target| (forge, target));
    let (policy, attention) = policy::attend(runtime, aim, &mut state, Occasion::Event(first), read).await?;
    let scope = Scope { place: Some(&place.row), policy: &policy, cause: Some(row.seq), delivery: Some(&row.delivery) };
    let Decided { mut commit, writes, notes } = decision::reach(runtime, &mut state, scope).await;
    let mut sentences = vec![format!("{count} read")];
    sentences.extend(notes);
    sentences.extend(attention.into_commit(&mut state, writes, Some(row.seq), false, &mut commit));
    if state.row.as_ref() != Some(&place.row) {
        commit.repositories.push(place.row.clone());
        state.row = Some(place.row);
    }
    sentences.extend(place.odd);
    let note = note(&sentences);
    commit.deliveries.push((row.seq, DeliveryState::Done, note.clone()));
    decision::keep(runtime, held, state, commit).await?;
    Ok((DeliveryState::Done, note))
}

impl From<Terms> for SurveyTerms {
    fn from(terms: Terms) -> Self {
        Self { loud: terms.write, since: terms.since }
    }
}
