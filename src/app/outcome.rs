//! Records the outcome of an attempt in the store and passes it to the core.

use std::time::{Duration, Instant};

use crate::{
    app::{
        commit::{Writes, documents},
        decision,
        runtime::Runtime,
    },
    domain::{
        effect::{Effect, RetrySafety},
        fact::DocumentKey,
        id::ItemId,
    },
    engine::{self, Input},
    metric,
    plan::{DecisionContext, EffectOutcome},
    port::{
        forge::Applied,
        store::{Commit, EffectEnd, Lease, StoreError, StoredEffect},
    },
};

/// First and longest wait between tries to record an outcome.
const NOTE_FIRST_WAIT: Duration = Duration::from_millis(50);
const NOTE_LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Requests for a lost lease before an outcome is recorded without its facts.
const MOST_LOSSES: u32 = 3;
/// Time for which a lost lease is also requested where nobody could verify the
/// outcome later: longer than any store grants a lease.
const PAST_A_LEASE: Duration = Duration::from_secs(25);

/// Passes an effect's outcome to the core, retrying as [`persevere`] does.
/// Returns `false` if another process has the repository's lease; that process verifies the
/// outcome itself.
pub(crate) async fn conclude(runtime: &Runtime, effect: &StoredEffect, outcome: EffectOutcome<'_>) -> bool {
    let at_least = if effect.effect.repeat() == RetrySafety::Unverifiable { PAST_A_LEASE } else { Duration::ZERO };
    persevere("an awaited outcome", at_least, || ended(runtime, effect, outcome)).await
}

/// Passes an effect's outcome to the core. What follows is stored before the effect
/// is ended: a crash in between repeats both, and repeating changes nothing.
async fn ended(runtime: &Runtime, effect: &StoredEffect, outcome: EffectOutcome<'_>) -> Result<(), StoreError> {
    if !effect.effect.is_awaited() {
        return Ok(());
    }
    note_input(runtime, effect, Input::EffectEnded { effect: &effect.effect, key: &effect.key, outcome }).await
}

/// Ingests an input about an effect into the facts of its repository. The decision
/// on it follows at once, in another task.
async fn note_input(runtime: &Runtime, effect: &StoredEffect, input: Input<'_>) -> Result<(), StoreError> {
    let mut held = runtime.repos.hold(&effect.repo).await;
    let mut state = held.take(runtime.store.as_ref()).await?;
    let policy = runtime.policies.policy(&effect.repo, &state.repo.facts.policy_files);
    let terms = DecisionContext {
        policy: &policy,
        alerts: &runtime.alerts.rules,
        now: runtime.clock.now(),
        writes_disabled: None,
    };
    state.repo.ingest(input, &terms);
    decision::put_off(runtime, &held, &mut state, Writes::As(effect.installation), effect.cause, &terms).await?;
    held.put(state);
    Ok(())
}

/// Retries `noting` until the store accepts it. Returns `false` if another process has the
/// repository's lease, after a few tries and `at_least`; that process verifies the outcome itself.
pub(crate) async fn persevere<Q>(what: &str, at_least: Duration, noting: impl Fn() -> Q) -> bool
where
    Q: Future<Output = Result<(), StoreError>>,
{
    let mut wait = NOTE_FIRST_WAIT;
    let mut lost = 0;
    let begun = Instant::now();
    while let Err(error) = noting().await {
        tracing::warn!(%error, what, "an effect's outcome can't be noted");
        match error {
            StoreError::Unavailable(_) => {}
            // The lease may be granted again under another epoch; the state is then read anew.
            StoreError::LeaseLost(_) if lost < MOST_LOSSES || begun.elapsed() < at_least => lost += 1,
            StoreError::LeaseLost(_) => return false,
            _ => return true,
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(NOTE_LONGEST_WAIT);
    }
    true
}

/// Records that the forge reports an item as deleted although no event did. Nothing more is
/// sent for the item, and everything shown there is decided anew.
pub(crate) async fn deleted(runtime: &Runtime, effect: &StoredEffect, item: ItemId) -> Result<(), StoreError> {
    tracing::info!(repo = %effect.repo, item, "the forge says that an item was deleted");
    note_input(runtime, effect, Input::Deleted(item)).await
}

/// Records an outcome with the facts it taught. A sent request can't be recalled, so this
/// continues until the store accepts the outcome. A crash meanwhile leaves an effect that is
/// repeated harmlessly, looked up by its marker, or given up.
///
/// `sender` is the installation's lease. If it was lost, only a success is recorded: its new
/// holder may be sending the same effect, and a failure here says nothing about that.
pub(crate) async fn note(
    runtime: &Runtime,
    effect: &StoredEffect,
    sender: &Lease,
    end: EffectEnd,
    applied: Option<&Applied>,
) {
    let mut wait = NOTE_FIRST_WAIT;
    let mut lost = 0;
    let mut alone = false;
    loop {
        let noted = if alone {
            note_alone(runtime, effect, sender, &end).await
        } else {
            note_once(runtime, effect, sender, &end, applied).await
        };
        let Err(error) = noted else { break };
        tracing::warn!(%error, "an effect's outcome can't be noted and is tried again");
        match error {
            StoreError::Unavailable(_) => {}
            StoreError::LeaseLost(_) if lost < MOST_LOSSES => lost += 1,
            // The installation's new sender finds the effect as a crash would have left it.
            StoreError::LeaseLost(_) if alone => return,
            // The repository's facts can't be read or stored; the outcome alone still can.
            _ => alone = true,
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(NOTE_LONGEST_WAIT);
    }
    told(effect, &end);
}

/// Records an outcome and nothing else. It reads nothing of the repository, so
/// no stale data can be involved.
async fn note_alone(
    runtime: &Runtime,
    effect: &StoredEffect,
    sender: &Lease,
    end: &EffectEnd,
) -> Result<(), StoreError> {
    let is_done = matches!(end, EffectEnd::Done { .. });
    let under = if is_done { &[][..] } else { std::slice::from_ref(sender) };
    let finished =
        runtime.store.finish_effect(effect.id, effect.version, end.clone(), &effect.repo, Vec::new(), under).await;
    runtime.leases.heard(under, finished)
}

async fn note_once(
    runtime: &Runtime,
    effect: &StoredEffect,
    sender: &Lease,
    end: &EffectEnd,
    applied: Option<&Applied>,
) -> Result<(), StoreError> {
    let Some(applied) = applied else {
        if let (Effect::SetPhase { item, .. }, EffectEnd::Dead { .. } | EffectEnd::Dropped { .. }) =
            (&effect.effect, end)
        {
            unwritten(runtime, effect, *item).await?;
        }
        return note_alone(runtime, effect, sender, end).await;
    };
    let mut held = runtime.repos.hold(&effect.repo).await;
    let mut state = held.take(runtime.store.as_ref()).await?;
    let policy = runtime.policies.policy(&effect.repo, &state.repo.facts.policy_files);
    let now = runtime.clock.now();
    let terms = DecisionContext { policy: &policy, alerts: &runtime.alerts.rules, now, writes_disabled: None };
    let labels = applied.labels.as_ref().map(|(item, names)| (*item, names));
    state.repo.ingest(Input::LabelsApplied { labels, made: &applied.made_labels }, &terms);
    let mut changed = state.repo.put_off(&terms).changed;
    if let (Effect::UpsertIssue { .. }, Some(number)) = (&effect.effect, applied.issue)
        && let Some(complaint) = state.repo.facts.policy_files.complaint.as_mut()
    {
        complaint.issue = Some(number);
        changed.insert(DocumentKey::Policy);
    }
    let documents = documents(&state.repo, &changed);
    if let (Some(name), Some(row)) = (&applied.renamed_to, &mut state.row)
        && row.full_name != *name
    {
        row.full_name.clone_from(name);
        let commit = Commit {
            repo: Some(effect.repo.clone()),
            now: Some(runtime.clock.now()),
            repositories: vec![row.clone()],
            under: held.lease().into_iter().collect(),
            ..Commit::default()
        };
        runtime.commit(commit).await?;
    }
    let under: Vec<Lease> = held.lease().into_iter().collect();
    let finished =
        runtime.store.finish_effect(effect.id, effect.version, end.clone(), &effect.repo, documents, &under).await;
    runtime.leases.heard(&under, finished)?;
    held.put(state);
    Ok(())
}

/// Records that an item does not show its phase, so that its next derivation tries again.
async fn unwritten(runtime: &Runtime, effect: &StoredEffect, item: ItemId) -> Result<(), StoreError> {
    let mut held = runtime.repos.hold(&effect.repo).await;
    let mut state = held.take(runtime.store.as_ref()).await?;
    if let Some(row) = state.repo.items.get(&item).and_then(engine::unwritten) {
        let (repo, now) = (Some(effect.repo.clone()), Some(runtime.clock.now()));
        let under = held.lease().into_iter().collect();
        runtime.commit(Commit { under, repo, now, items: vec![row.clone()], ..Commit::default() }).await?;
        state.repo.items.insert(item, row);
    }
    held.put(state);
    Ok(())
}

fn told(effect: &StoredEffect, end: &EffectEnd) {
    let attempt = effect.attempts + 1;
    let outcome = match end {
        EffectEnd::Done { .. } => "done",
        EffectEnd::Retry { counts: false, .. } => "parked",
        EffectEnd::Retry { .. } => "retry",
        EffectEnd::Dead { .. } => "dead",
        EffectEnd::Dropped { .. } => "dropped",
    };
    metrics::counter!(metric::EFFECTS, "kind" => effect.effect.kind(), "outcome" => outcome).increment(1);
    match end {
        EffectEnd::Done { note, at } => {
            let waited = at.duration_since(effect.created_at).as_secs_f64().max(0.0);
            metrics::histogram!(metric::EFFECT_WAIT_SECONDS).record(waited);
            tracing::info!(outcome, attempt, note, "effect done");
        }
        EffectEnd::Retry { not_before, error, .. } => {
            tracing::warn!(outcome, attempt, error, %not_before, "effect not done, tried again");
        }
        EffectEnd::Dead { error, .. } => tracing::error!(outcome, attempt, error, "effect given up"),
        EffectEnd::Dropped { reason, .. } => tracing::info!(outcome, attempt, reason, "effect dropped"),
    }
}
