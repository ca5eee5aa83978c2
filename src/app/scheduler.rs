//! Which deliveries are decided when: one of a repository at a time, in order
//! of arrival, repositories beside each other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};

use super::{backlog::Backlog, pulse::stopped, shell::Shell, worker};
use crate::port::store::{Partition, Seq, StoreError};

/// Numbers read from the store at once.
const PAGE: usize = 512;
/// With fewer than these in memory, the store is read from its first pending number.
const FEW: usize = 64;
/// How often the store is looked at unasked: another process may replay or insert.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until `stop` turns true, then lets what runs end.
pub(crate) async fn run(shell: Arc<Shell>, mut stop: watch::Receiver<bool>) {
    let mut backlog = Backlog::default();
    let mut running: JoinSet<(Partition, Seq, bool)> = JoinSet::new();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The poke that was last answered by reading the store; 0 forces a reading.
    let mut answered = 0;
    loop {
        let heard = shell.inbox.heard();
        // In a rush the store is read for more only once what is here runs out.
        let enough = shell.rush() && backlog.has_ready();
        if (answered != heard && !enough) || backlog.wants_more() {
            let from_start = backlog.len() < FEW;
            match read(&shell, &mut backlog, from_start).await {
                Ok(()) => answered = heard,
                Err(error) => {
                    tracing::warn!(%error, "the inbox can't be read and is tried again");
                    answered = 0;
                }
            }
        }
        let wake = backlog.wake(Instant::now());
        while running.len() < shell.workers()
            && let Some((partition, seq)) = backlog.next()
        {
            let shell = shell.clone();
            running.spawn(async move { (partition, seq, worker::run(&shell, seq).await) });
        }
        if answered == heard && backlog.is_empty() {
            shell.inbox.rest(heard, None);
        }
        tokio::select! {
            () = shell.inbox.poked() => {}
            Some(ended) = running.join_next() => {
                // An error would be a panic, and `worker::run` lets none out.
                if let Ok((partition, seq, again)) = ended {
                    backlog.ended(&partition, seq, again, Instant::now());
                }
            }
            _ = look.tick() => {
                if let Err(error) = read(&shell, &mut backlog, true).await {
                    tracing::warn!(%error, "the inbox can't be read and is tried again");
                }
            }
            () = sleep_until(wake) => {}
            () = stopped(&mut stop) => break,
        }
    }
    while running.join_next().await.is_some() {}
}

/// Takes in what the store holds and there is room for.
///
/// Usually little waits, and one look from the beginning also finds what was
/// put back behind the cursor. A long queue is read on from the cursor.
async fn read(shell: &Shell, backlog: &mut Backlog, from_start: bool) -> Result<(), StoreError> {
    if from_start {
        let page = shell.store.pending(0, PAGE).await?;
        for pending in &page {
            backlog.offer_again(pending);
        }
        if page.len() < PAGE && page.iter().all(|pending| pending.seq <= backlog.cursor() || backlog.offer(pending)) {
            backlog.reading();
            return Ok(());
        }
    }
    backlog.reading();
    loop {
        let page = shell.store.pending(backlog.cursor(), PAGE).await?;
        if !page.iter().all(|pending| backlog.offer(pending)) || page.len() < PAGE {
            return Ok(());
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
