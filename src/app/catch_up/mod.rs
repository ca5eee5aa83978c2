//! Looks for missed deliveries of every forge, at start and every few minutes.

mod walk;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

pub use crate::app::catch_up::walk::{CatchUp, CatchUpError, Caught};
use crate::{
    app::{
        backfill::{Backfill, BackfillError},
        clock::after,
        intake::Intake,
        runtime::Runtime,
        wake::stopped,
    },
    port::{
        forge::{Forge, ForgeError},
        store::{Seq, StoreError},
    },
};

/// Wait after a failure.
const TRY_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// Walks the forges' lists at start and at every interval after it, until `stop` turns true.
pub(crate) async fn run(runtime: Arc<Runtime>, mut stop: watch::Receiver<bool>) {
    let mut next = runtime.settings.catch_up.map(|_| runtime.clock.now());
    loop {
        let heard = runtime.missed.heard();
        if let (Some(every), Some(at)) = (runtime.settings.catch_up, next)
            && at <= runtime.clock.now()
        {
            next = Some(tokio::select! {
                next = all(&runtime, every) => next,
                // Deliveries taken in so far stay; the next start continues from there.
                () = stopped(&mut stop) => return,
            });
            runtime.worked();
        }
        runtime.missed.rest(heard, next);
        tokio::select! {
            () = runtime.missed.poked() => {}
            () = sleep_until(&runtime, next) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

async fn sleep_until(runtime: &Runtime, at: Option<Timestamp>) {
    match at {
        Some(at) => runtime.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Catches up with every forge; returns when to do so again.
async fn all(runtime: &Arc<Runtime>, every: SignedDuration) -> Timestamp {
    let mut next = after(runtime.clock.now(), every);
    let mut all = Caught::default();
    let mut walked = Vec::new();
    let mut told = true;
    for forge in runtime.forges() {
        match one(runtime, forge.as_ref(), &mut all).await {
            None => walked.push(forge),
            Some(sooner) => {
                next = next.min(sooner);
                told = false;
            }
        }
    }
    if told && runtime.duplicate_guard.open() {
        // The losses are known now, however long the rest takes.
        match lost(runtime, &all).await {
            Ok((_, lost)) => runtime.duplicate_guard.walked(lost),
            Err(error) => tracing::warn!(%error, "what was lost can't be read"),
        }
        runtime.outbox.poke();
    }
    for forge in walked {
        if let Some(sooner) = sweep(runtime, forge.as_ref()).await {
            next = next.min(sooner);
            told = false;
        }
    }
    if told && runtime.duplicate_guard.untold() {
        match lost(runtime, &all).await {
            Ok((through, lost)) => runtime.duplicate_guard.told(through, lost),
            Err(error) => {
                tracing::warn!(%error, "what was lost can't be read");
                return next.min(after(runtime.clock.now(), TRY_AGAIN_AFTER));
            }
        }
        runtime.outbox.poke();
    }
    next
}

/// Returns the last delivery up to which effects may have been applied before, and
/// whether any delivery that we had acknowledged was lost. Another process, or this one
/// before it crashed, may have taken it in.
async fn lost(runtime: &Runtime, all: &Caught) -> Result<(Seq, bool), StoreError> {
    let mut lately = false;
    for forge in runtime.forges() {
        lately |= walk::lost_lately(runtime.store.as_ref(), forge.name(), runtime.clock.now()).await?;
    }
    if !lately {
        return Ok((all.through, false));
    }
    let waiting = runtime.store.pending(0, usize::MAX).await?;
    Ok((waiting.last().map_or(0, |last| last.seq).max(all.through), true))
}

/// Walks one forge's list; returns when to try again if that failed.
async fn one(runtime: &Arc<Runtime>, forge: &dyn Forge, all: &mut Caught) -> Option<Timestamp> {
    let door = Intake::new(runtime.clone());
    let catch_up = CatchUp { store: runtime.store.as_ref(), forge, door: &door, clock: runtime.clock.as_ref() };
    loop {
        match catch_up.walk(None).await {
            Ok(caught) => {
                tell(forge, &caught);
                all.through = all.through.max(caught.through);
                all.lost += caught.lost;
                if !caught.more {
                    return None;
                }
            }
            Err(CatchUpError::Forge(ForgeError::RateLimited { until })) => {
                tracing::warn!(forge = %forge.name(), %until, "rate limited: missed deliveries are looked for later");
                return Some(until);
            }
            Err(error) => {
                tracing::warn!(forge = %forge.name(), %error, "missed deliveries can't be looked for at present");
                return Some(after(runtime.clock.now(), TRY_AGAIN_AFTER));
            }
        }
    }
}

/// Surveys the items themselves where the list does not reach back far enough; returns
/// when to try again if that failed.
async fn sweep(runtime: &Arc<Runtime>, forge: &dyn Forge) -> Option<Timestamp> {
    let store = runtime.store.as_ref();
    let swept = async {
        let Some(since) = walk::gap(store, forge.name()).await? else { return Ok(()) };
        let backfill = Backfill { store, forge, clock: runtime.clock.as_ref() };
        let read = backfill.sweep(since).await?;
        walk::forget_gap(store, forge.name()).await?;
        runtime.inbox.poke();
        tracing::info!(forge = %forge.name(), %since, read, "looked at what changed while nothing was heard");
        Ok::<(), BackfillError>(())
    };
    let error = match swept.await {
        Ok(()) => return None,
        Err(error) => error,
    };
    tracing::warn!(forge = %forge.name(), %error, "what changed while nothing was heard can't be looked at now");
    match error {
        BackfillError::Forge(ForgeError::RateLimited { until }) => Some(until),
        _ => Some(after(runtime.clock.now(), TRY_AGAIN_AFTER)),
    }
}

fn tell(forge: &dyn Forge, caught: &Caught) {
    let Caught { seen, taken, lost, gone, skipped, .. } = caught;
    if *skipped > 0 {
        tracing::warn!(forge = %forge.name(), skipped, "missed deliveries can't be had now and are asked for again");
    }
    if *taken == 0 && *gone == 0 {
        tracing::debug!(forge = %forge.name(), seen, "nothing was missed");
    } else {
        tracing::info!(forge = %forge.name(), seen, taken, lost, gone, "caught up with missed deliveries");
    }
}
