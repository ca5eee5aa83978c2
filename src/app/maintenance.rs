//! Health checks, metrics and pruning.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::SignedDuration;
use tokio::{sync::watch, time::MissedTickBehavior};

use crate::{
    app::{clock::after, repos::RepoState, runtime::Runtime, wake::stopped, write_pause},
    metric,
    port::store::{StoreError, StoreStats},
};

/// Interval at which the store is pinged.
const PING_EVERY: Duration = Duration::from_secs(2);
/// Time-out of a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Number of pings between two reads of the metrics.
const FIGURES_EVERY: u32 = 5;
/// Interval at which old rows are pruned.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Rows pruned at once; deliveries wait no longer than such a step.
const PRUNE_STEP: usize = 200;
/// Pause between steps.
const PRUNE_PAUSE: Duration = Duration::from_millis(50);

/// Shortest time for which evidence is kept; settings may ask for longer.
const EVIDENCE_KEPT: SignedDuration = SignedDuration::from_hours(365 * 24);
/// Interval at which a repository's facts are tidied, along with its events.
const TIDY_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Removes old evidence from a repository's facts.
pub(crate) fn tidy(runtime: &Runtime, state: &mut RepoState) {
    let now = runtime.clock.now();
    if state.tidied_at.is_some_and(|at| now.duration_since(at) < TIDY_EVERY) {
        return;
    }
    state.tidied_at = Some(now);
    let kept = EVIDENCE_KEPT.max(runtime.settings.retention);
    if let Ok(before) = now.checked_sub(kept) {
        state.repo.forget(before);
    }
}

/// Monitors the store and publishes its metrics.
pub(crate) async fn watch_store(runtime: Arc<Runtime>, mut stop: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(PING_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round: u32 = 0;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stopped(&mut stop) => return,
        }
        let answers = matches!(tokio::time::timeout(PING_TIMEOUT, runtime.store.ping()).await, Ok(Ok(())));
        if runtime.store_answers.swap(answers, Ordering::Relaxed) != answers {
            tracing::warn!(answers, "the store's health changed");
        }
        if answers && let Err(error) = write_pause::look(&runtime).await {
            tracing::warn!(%error, "whether writing is paused can't be read");
        }
        if answers && round.is_multiple_of(FIGURES_EVERY) {
            match runtime.store.stats().await {
                Ok(stats) => publish(&runtime, &stats),
                Err(error) => tracing::warn!(%error, "the store's figures can't be read"),
            }
        }
        round = round.wrapping_add(1);
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; counts this large don't occur")]
fn publish(runtime: &Runtime, stats: &StoreStats) {
    let age = stats.oldest_pending.map_or(0.0, |at| runtime.clock.now().duration_since(at).as_secs_f64().max(0.0));
    metrics::gauge!(metric::QUEUE_DEPTH, "queue" => "inbox").set(stats.pending as f64);
    metrics::gauge!(metric::OLDEST_PENDING_AGE).set(age);
    for (lane, waiting) in ["safety", "conversation", "labels"].into_iter().zip(stats.queued_effects) {
        metrics::gauge!(metric::QUEUE_DEPTH, "queue" => lane).set(waiting as f64);
    }
    metrics::gauge!(metric::DEAD_LETTERS, "kind" => "delivery").set(stats.dead_deliveries as f64);
    metrics::gauge!(metric::DEAD_LETTERS, "kind" => "effect").set(stats.dead_effects as f64);
    metrics::gauge!(metric::QUARANTINED).set(stats.quarantined as f64);
}

/// Prunes rows older than the retention, hourly, in small steps.
pub(crate) async fn prune(runtime: Arc<Runtime>, mut stop: watch::Receiver<bool>) {
    loop {
        let next = after(runtime.clock.now(), PRUNE_EVERY);
        match forget(&runtime).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "old deliveries and effects forgotten"),
            Err(error) => tracing::warn!(%error, "old rows can't be forgotten now"),
        }
        tokio::select! {
            () = runtime.clock.sleep_until(next) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

async fn forget(runtime: &Runtime) -> Result<u64, StoreError> {
    let before = after(runtime.clock.now(), -runtime.settings.retention);
    let mut all = 0;
    loop {
        let rows = runtime.store.prune(before, PRUNE_STEP).await?;
        all += rows;
        if rows == 0 || runtime.draining() {
            return Ok(all);
        }
        tokio::time::sleep(PRUNE_PAUSE).await;
    }
}
