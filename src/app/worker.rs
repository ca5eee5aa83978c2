//! Decides one delivery: reads facts, makes one commit.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::FutureExt;
use jiff::Timestamp;
use tracing::Instrument;

use crate::{
    app::{
        alert, binding, commands, commit,
        decision::{self, Decided, Failure, Scope},
        decision_slots::aside,
        external, installation, maintenance,
        policy::{self, Occasion},
        runtime::Runtime,
        signed_out, survey,
    },
    domain::{
        alert::Says,
        event::{Event, RepoSeen, Seen},
        id::{Account, RepoKey},
    },
    engine::Input,
    ingest::Us,
    metric,
    plan::DecisionContext,
    port::{
        external::Reported,
        forge::{Forge, Undecodable},
        store::{Commit, DeliveryRow, DeliveryState, Lease, LeaseKey, Partition, Seq, StoreError, StoredDelivery},
    },
};

/// Failed attempts after which a delivery is given up, so that its repository is not blocked.
const MOST_ATTEMPTS: u32 = 5;
/// Size in bytes above which a body is parsed on a separate thread.
const LARGE_BODY: usize = 1024 * 1024;

/// Result of deciding a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The delivery is no longer pending.
    Decided,
    /// The delivery has to be tried again.
    Again,
    /// Another process decides in this partition now.
    Elsewhere,
}

/// Decides delivery `seq`, the next of its partition.
pub(crate) async fn run(runtime: &Runtime, partition: &Partition, seq: Seq) -> Ended {
    let tenure = match runtime.leases.hold(LeaseKey::Partition(partition.clone())).await {
        Ok(tenure) => tenure,
        Err(StoreError::LeaseLost(_)) => return Ended::Elsewhere,
        Err(error) => {
            tracing::warn!(seq, %error, "a delivery can't be decided on and is tried again");
            return Ended::Again;
        }
    };
    let again = Box::pin(run_under(runtime, tenure.lease(), seq)).await;
    if again { Ended::Again } else { Ended::Decided }
}

/// Decides a delivery under a lease; returns whether it has to be tried again.
async fn run_under(runtime: &Runtime, lease: &Lease, seq: Seq) -> bool {
    let stored = match runtime.store.delivery(seq).await {
        Ok(Some(stored)) if stored.row.state == DeliveryState::Pending => stored,
        // Decided meanwhile, or ended by an operator.
        Ok(_) => return false,
        Err(error) => {
            tracing::warn!(seq, %error, "a delivery can't be read and is tried again");
            return true;
        }
    };
    runtime.causes.remember(seq, &stored.row.delivery);
    let row = stored.row.clone();
    let span = tracing::info_span!("delivery", id = %row.delivery, seq, event = %row.event, repo = row.repo);
    async {
        let started = Instant::now();
        // A panic must affect this delivery only. The state it held in memory is discarded.
        let outcome = match AssertUnwindSafe(Box::pin(decide_one(runtime, lease, stored))).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(panic) => Err(Failure::Fault(format!("panicked: {}", panic_text(panic.as_ref())))),
        };
        let again = match outcome {
            Ok((state, note)) => {
                told(runtime, &row, state, &note, started.elapsed());
                false
            }
            Err(Failure::NotNow(why)) => {
                tracing::warn!(why, "not decided now, tried again");
                true
            }
            Err(Failure::Fault(why)) => failed(runtime, lease, &row, &why, started.elapsed()).await,
        };
        if !again {
            runtime.urgent.ended(&Partition { forge: row.forge.clone(), repo: row.repo }, &row.delivery);
        }
        runtime.worked();
        again
    }
    .instrument(span)
    .await
}

async fn decide_one(
    runtime: &Runtime,
    lease: &Lease,
    stored: StoredDelivery,
) -> Result<(DeliveryState, String), Failure> {
    let StoredDelivery { row, body } = stored;
    let Some(forge) = runtime.forge(&row.forge) else {
        let note = format!("no forge named {} is configured", row.forge);
        return end(runtime, lease, row.seq, DeliveryState::Quarantined, note).await;
    };
    if row.event == survey::EVENT {
        return survey::decide(runtime, forge.as_ref(), &row, &body).await;
    }
    if let Some(target) = row.target.clone() {
        return match external::connection(&row.hook) {
            Some(name) => Box::pin(decide_external(runtime, lease, forge, &row, &target, name, &body)).await,
            None => Box::pin(decide_alert(runtime, lease, forge, &row, &target, &body)).await,
        };
    }
    let event = match decode(forge, &row.event, body, row.received_at).await? {
        Ok(event) => event,
        Err(error) => {
            return end(runtime, lease, row.seq, DeliveryState::Quarantined, commit::note(&[error.to_string()])).await;
        }
    };
    match (&event.seen, &event.repo) {
        (Seen::Nothing { reason }, _) => {
            end(runtime, lease, row.seq, DeliveryState::Ignored, commit::note(std::slice::from_ref(reason))).await
        }
        (Seen::Revoked { person }, _) => {
            // Every session of theirs, on every replica.
            let now = runtime.clock.now().to_string();
            runtime.store.note(&signed_out(person.0), Some(&now)).await?;
            end(runtime, lease, row.seq, DeliveryState::Done, "the person's web sessions end".to_owned()).await
        }
        (Seen::Connection(seen), _) => installation::decide(runtime, lease, &row, &event, seen).await,
        (_, Some(repo)) => decide_for_repository(runtime, lease, forge.as_ref(), &row, &event, repo).await,
        (_, None) => end(runtime, lease, row.seq, DeliveryState::Ignored, "it concerns no repository".to_owned()).await,
    }
}

/// Decides the part of a monitoring connection's message that concerns the one repository this
/// delivery is for. Our own map names that repository.
async fn decide_alert(
    runtime: &Runtime,
    lease: &Lease,
    forge: &Arc<dyn Forge>,
    row: &DeliveryRow,
    target: &str,
    body: &Bytes,
) -> Result<(DeliveryState, String), Failure> {
    let name = alert::connection(&row.hook);
    let Some(connection) = runtime.alerts.get(name) else {
        let note = format!("no connection [alerts.{name}] is configured");
        return end(runtime, lease, row.seq, DeliveryState::Quarantined, note).await;
    };
    let message = match alert::decode(connection, body, row.received_at).await {
        Ok(message) => message,
        Err(error) => {
            return end(runtime, lease, row.seq, DeliveryState::Quarantined, commit::note(&[error.to_string()])).await;
        }
    };
    let Some(message) = connection.part(&message, target, row.action.as_deref()) else {
        let note = format!("nothing in it is for {target} by the present settings");
        return end(runtime, lease, row.seq, DeliveryState::Ignored, note).await;
    };
    if let Says::Nothing(reason) = &message.says {
        return end(runtime, lease, row.seq, DeliveryState::Ignored, commit::note(std::slice::from_ref(reason))).await;
    }
    let (at, seen) = (message.at, Seen::Alert(Box::new(message)));
    Box::pin(decide_message(runtime, lease, forge, row, target, at, seen)).await
}

/// Decides a deployment or a verdict that another system than the forge reports.
async fn decide_external(
    runtime: &Runtime,
    lease: &Lease,
    forge: &Arc<dyn Forge>,
    row: &DeliveryRow,
    target: &str,
    name: &str,
    body: &Bytes,
) -> Result<(DeliveryState, String), Failure> {
    let Some(connection) = runtime.events.get(name) else {
        let note = format!("no connection [{}] is configured", name.replacen('/', ".", 1));
        return end(runtime, lease, row.seq, DeliveryState::Quarantined, note).await;
    };
    let reported = match external::decode(connection, body, row.received_at).await {
        Ok(reported) => reported,
        Err(error) => {
            return end(runtime, lease, row.seq, DeliveryState::Quarantined, commit::note(&[error.to_string()])).await;
        }
    };
    let is_for_target = connection.target(&reported).is_some_and(|meant| meant.eq_ignore_ascii_case(target));
    let (at, seen) = match reported {
        Reported::Deployment { deployment, .. } if is_for_target => {
            (deployment.at, Seen::External(Box::new(deployment)))
        }
        Reported::Verdict { verdict, .. } if is_for_target => (verdict.at, Seen::Verdict(Box::new(verdict))),
        Reported::Deployment { repository, .. } | Reported::Verdict { repository, .. } => {
            let note = match repository {
                Some(named) => format!("this connection may not report on {named:?}"),
                None => "it names no repository, and the connection has several".to_owned(),
            };
            return end(runtime, lease, row.seq, DeliveryState::Ignored, commit::note(&[note])).await;
        }
        Reported::Nothing(reason) => {
            return end(runtime, lease, row.seq, DeliveryState::Ignored, commit::note(&[reason])).await;
        }
    };
    Box::pin(decide_message(runtime, lease, forge, row, target, at, seen)).await
}

/// Decides a message of a system beside the forges. The repository comes from our own map.
async fn decide_message(
    runtime: &Runtime,
    lease: &Lease,
    forge: &Arc<dyn Forge>,
    row: &DeliveryRow,
    target: &str,
    at: Timestamp,
    seen: Seen,
) -> Result<(DeliveryState, String), Failure> {
    let key = row.repo.map(|id| RepoKey { forge: row.forge.clone(), id });
    let place = match &key {
        Some(key) => runtime.store.repository(key).await?,
        None => None,
    };
    let Some(place) = place else {
        return Err(Failure::NotNow(format!("phasebot is not installed on {target}")));
    };
    let owner = place.full_name.split('/').next().unwrap_or_default().to_owned();
    let repo = RepoSeen {
        key: place.repo,
        full_name: place.full_name,
        default_branch: None,
        owner: Account::login_only(owner),
        private: None,
        web_host: None,
    };
    let event = Event { name: row.event.clone(), connection: None, repo: Some(repo.clone()), sender: None, at, seen };
    decide_for_repository(runtime, lease, forge.as_ref(), row, &event, &repo).await
}

async fn decide_for_repository(
    runtime: &Runtime,
    lease: &Lease,
    forge: &dyn Forge,
    row: &DeliveryRow,
    event: &Event,
    seen: &RepoSeen,
) -> Result<(DeliveryState, String), Failure> {
    let us = aside(runtime.identities.on(forge, Us::told_apart(event))).await;
    let mut held = runtime.repos.hold(&seen.key).await;
    let mut state = held.take(runtime.store.as_ref()).await?;
    let settled = binding::settle(forge, state.row.as_ref(), state.repo.facts.about.full_name.as_ref(), event, seen);
    let place = aside(settled).await;
    let target = binding::target(&place.row);

    let read = policy::before_first_look(runtime, forge, target.as_ref(), &mut state, event).await;
    let known = runtime.policies.policy(&seen.key, &state.repo.facts.policy_files);
    let terms = DecisionContext {
        policy: &known,
        alerts: &runtime.alerts.rules,
        now: runtime.clock.now(),
        writes_disabled: None,
    };
    state.repo.ingest(Input::Event { event, us: &us }, &terms);
    maintenance::tidy(runtime, &mut state);
    let aim = target.as_ref().map(|target| (forge, target));
    let (policy, attention) = policy::attend(runtime, aim, &mut state, Occasion::Event(event), read).await?;
    let here = commands::Place { forge, target: target.clone(), policy: &policy };
    commands::take(runtime, &mut state.repo, here, event, &us).await;
    let scope = Scope { place: Some(&place.row), policy: &policy, cause: Some(row.seq), delivery: Some(&row.delivery) };
    let Decided { mut commit, writes, notes: mut sentences } = decision::reach(runtime, &mut state, scope).await;
    sentences.extend(attention.into_commit(&mut state, writes, Some(row.seq), false, &mut commit));
    if state.row.as_ref() != Some(&place.row) {
        commit.repositories.push(place.row.clone());
        state.row = Some(place.row);
    }
    sentences.extend(place.odd);
    sentences.extend(external::remark(&state.repo.facts, &event.seen));
    if sentences.iter().all(String::is_empty) {
        let what = if commit.facts.is_empty() { "it says nothing new" } else { "kept; nothing moved" };
        sentences.push(what.to_owned());
    }
    let note = commit::note(&sentences);
    commit.deliveries.push((row.seq, DeliveryState::Done, note.clone()));
    commit.under.push(lease.clone());
    decision::keep(runtime, held, state, commit).await?;
    Ok((DeliveryState::Done, note))
}

async fn decode(
    forge: &Arc<dyn Forge>,
    event: &str,
    body: Bytes,
    received_at: Timestamp,
) -> Result<Result<Event, Undecodable>, Failure> {
    if body.len() < LARGE_BODY {
        return Ok(forge.decode(event, &body, received_at));
    }
    let (forge, event) = (forge.clone(), event.to_owned());
    let decoding = tokio::task::spawn_blocking(move || forge.decode(&event, &body, received_at));
    decoding.await.map_err(|error| Failure::Fault(format!("decoding panicked: {error}")))
}

/// Ends a delivery that changes nothing else.
async fn end(
    runtime: &Runtime,
    lease: &Lease,
    seq: Seq,
    state: DeliveryState,
    note: String,
) -> Result<(DeliveryState, String), Failure> {
    let (under, deliveries) = (vec![lease.clone()], vec![(seq, state, note.clone())]);
    runtime.commit(Commit { under, now: Some(runtime.clock.now()), deliveries, ..Commit::default() }).await?;
    Ok((state, note))
}

/// Counts a failed attempt and gives the delivery up after several. Returns whether to try again.
async fn failed(runtime: &Runtime, lease: &Lease, row: &DeliveryRow, why: &str, took: Duration) -> bool {
    let note = commit::note(&[why.to_owned()]);
    // The store counts attempts, so those of earlier runs count too.
    let dead = row.attempts + 1 >= MOST_ATTEMPTS;
    let state = if dead { DeliveryState::Dead } else { DeliveryState::Pending };
    match end(runtime, lease, row.seq, state, note.clone()).await {
        Ok(_) if dead => told(runtime, row, state, &note, took),
        Ok(_) => tracing::warn!(why = note, attempt = row.attempts + 1, "deciding failed, tried again"),
        Err(error) => tracing::warn!(why = note, ?error, "deciding failed, and so did noting it"),
    }
    !dead
}

fn told(runtime: &Runtime, row: &DeliveryRow, state: DeliveryState, note: &str, took: Duration) {
    runtime.count_delivery(&row.forge, &row.event, state);
    metrics::histogram!(metric::DECISION_SECONDS).record(took);
    let outcome = state.as_str();
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    match state {
        DeliveryState::Dead => tracing::error!(outcome, note, micros, "delivery given up"),
        DeliveryState::Quarantined => tracing::warn!(outcome, note, micros, "delivery quarantined"),
        _ => tracing::info!(outcome, note, micros, "delivery decided"),
    }
}

/// Returns the message of a panic.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}
