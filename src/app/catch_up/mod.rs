//! Nothing that the forge ever sent is missed: at start, and every few minutes.

mod walk;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

pub use crate::app::catch_up::walk::{CatchUp, CatchUpError, Caught};
use crate::app::{
    backfill::{Backfill, BackfillError},
    clock::after,
    intake::Intake,
    runtime::Shell,
    wake::stopped,
};
use crate::port::{
    forge::{Forge, ForgeError},
    store::{Seq, StoreError},
};

/// When to try again what failed.
const TRY_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// Walks through the forges' lists at start and at every interval after, until `stop` turns true.
pub(crate) async fn run(shell: Arc<Shell>, mut stop: watch::Receiver<bool>) {
    let mut next = shell.settings.catch_up.map(|_| shell.clock.now());
    loop {
        let heard = shell.missed.heard();
        if let (Some(every), Some(at)) = (shell.settings.catch_up, next)
            && at <= shell.clock.now()
        {
            next = Some(tokio::select! {
                next = all(&shell, every) => next,
                // What was taken in stays; the next start goes on from there.
                () = stopped(&mut stop) => return,
            });
            shell.worked();
        }
        shell.missed.rest(heard, next);
        tokio::select! {
            () = shell.missed.poked() => {}
            () = sleep_until(&shell, next) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

async fn sleep_until(shell: &Shell, at: Option<Timestamp>) {
    match at {
        Some(at) => shell.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Catches up with every forge; returns when to do so again.
async fn all(shell: &Arc<Shell>, every: SignedDuration) -> Timestamp {
    let mut next = after(shell.clock.now(), every);
    let mut all = Caught::default();
    let mut walked = Vec::new();
    let mut told = true;
    for forge in shell.forges() {
        match one(shell, forge.as_ref(), &mut all).await {
            None => walked.push(forge),
            Some(sooner) => {
                next = next.min(sooner);
                told = false;
            }
        }
    }
    if told && shell.doubts.open() {
        // What was lost is known by now, however long the rest takes.
        match lost(shell, &all).await {
            Ok((_, lost)) => shell.doubts.walked(lost),
            Err(error) => tracing::warn!(%error, "what was lost can't be read"),
        }
        shell.outbox.poke();
    }
    for forge in walked {
        if let Some(sooner) = sweep(shell, forge.as_ref()).await {
            next = next.min(sooner);
            told = false;
        }
    }
    if told && shell.doubts.untold() {
        match lost(shell, &all).await {
            Ok((through, lost)) => shell.doubts.told(through, lost),
            Err(error) => {
                tracing::warn!(%error, "what was lost can't be read");
                return next.min(after(shell.clock.now(), TRY_AGAIN_AFTER));
            }
        }
        shell.outbox.poke();
    }
    next
}

/// Up to which delivery something may have been done before, and whether
/// anything that we had acknowledged was lost. Another process, or this one
/// before it crashed, may have taken it in.
async fn lost(shell: &Shell, all: &Caught) -> Result<(Seq, bool), StoreError> {
    let mut lately = false;
    for forge in shell.forges() {
        lately |= walk::lost_lately(shell.store.as_ref(), forge.name(), shell.clock.now()).await?;
    }
    if !lately {
        return Ok((all.through, false));
    }
    let waiting = shell.store.pending(0, usize::MAX).await?;
    Ok((waiting.last().map_or(0, |last| last.seq).max(all.through), true))
}

/// Walks through one forge's list; returns when to try again if it did not work.
async fn one(shell: &Arc<Shell>, forge: &dyn Forge, all: &mut Caught) -> Option<Timestamp> {
    let door = Intake::new(shell.clone());
    let catch_up = CatchUp { store: shell.store.as_ref(), forge, door: &door, clock: shell.clock.as_ref() };
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
                return Some(after(shell.clock.now(), TRY_AGAIN_AFTER));
            }
        }
    }
}

/// Looks at the items themselves where the list does not reach back far
/// enough; returns when to try again if it did not work.
async fn sweep(shell: &Arc<Shell>, forge: &dyn Forge) -> Option<Timestamp> {
    let store = shell.store.as_ref();
    let swept = async {
        let Some(since) = walk::gap(store, forge.name()).await? else { return Ok(()) };
        let backfill = Backfill { store, forge, clock: shell.clock.as_ref() };
        let read = backfill.sweep(since).await?;
        walk::forget_gap(store, forge.name()).await?;
        shell.inbox.poke();
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
        _ => Some(after(shell.clock.now(), TRY_AGAIN_AFTER)),
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
