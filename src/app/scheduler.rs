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
        if answered != heard || backlog.wants_more() {
            match read_on(&shell, &mut backlog).await {
                Ok(()) => answered = heard,
                Err(error) => {
                    tracing::warn!(%error, "the inbox can't be read and is tried again");
                    answered = 0;
                }
            }
        }
        let wake = backlog.wake(Instant::now());
        while running.len() < shell.settings.workers.max(1)
            && let Some((partition, seq)) = backlog.next()
        {
            let shell = shell.clone();
            running.spawn(async move { (partition, seq, worker::run(&shell, seq).await) });
        }
        if answered == heard && backlog.is_empty() {
            shell.inbox.rest(heard);
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
                if let Err(error) = read_again(&shell, &mut backlog).await {
                    tracing::warn!(%error, "the inbox can't be read and is tried again");
                }
            }
            () = sleep_until(wake) => {}
            () = stopped(&mut stop) => break,
        }
    }
    while running.join_next().await.is_some() {}
}

/// Takes in what came after the last reading, as far as there is room.
async fn read_on(shell: &Shell, backlog: &mut Backlog) -> Result<(), StoreError> {
    backlog.reading();
    loop {
        let page = shell.store.pending(backlog.cursor(), PAGE).await?;
        if !page.iter().all(|pending| backlog.offer(pending)) || page.len() < PAGE {
            return Ok(());
        }
    }
}

/// Looks from the beginning for deliveries that were put back, and for new ones of other processes.
async fn read_again(shell: &Shell, backlog: &mut Backlog) -> Result<(), StoreError> {
    for pending in shell.store.pending(0, PAGE).await? {
        backlog.offer_again(&pending);
    }
    read_on(shell, backlog).await
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
