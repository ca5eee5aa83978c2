//! Schedules decisions: one delivery of a repository at a time, in order of
//! arrival; repositories in parallel.
//!
//! Where several processes share the store, each decides only in partitions
//! whose lease it has, and claims free ones as its capacity allows. Processes
//! do not wake each other: they poll, often while there is work and seldom
//! while there is none.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet};

use crate::{
    app::{
        backlog::Backlog,
        decision_slots::MOST_BESIDE,
        runtime::Runtime,
        wake::stopped,
        worker::{self, Ended},
    },
    port::store::{Partition, Seq, StoreError},
};

/// Numbers read from the store at once.
const PAGE: usize = 512;
/// Length of the backlog below which the store is read from its first pending number.
const FEW: usize = 64;
/// Interval at which the store is polled: another process may replay or insert.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Bounds of the polling interval where other processes take deliveries in for us; it is shorter
/// after a read that found something.
const LOOK_SOONEST: Duration = Duration::from_millis(20);
const LOOK_LATEST: Duration = Duration::from_millis(500);
/// Shortest pause between reads of a shared store while there is work here.
const LOOK_REST: Duration = Duration::from_millis(5);
/// Partitions claimed for each delivery that may be decided at once: one works, one waits.
const LINES_EACH: usize = 2;

struct Scheduler {
    runtime: Arc<Runtime>,
    backlog: Backlog,
    /// Partitions read so far, and since when this process has them.
    ours: HashMap<Partition, Instant>,
    /// Pause before the next poll.
    pause: Duration,
    looked_at: Instant,
}

/// Runs until `stop` turns true, then waits for the decisions in progress.
pub(crate) async fn run(runtime: Arc<Runtime>, mut stop: watch::Receiver<bool>) {
    let mut scheduler = Scheduler {
        runtime: runtime.clone(),
        backlog: Backlog::default(),
        ours: HashMap::new(),
        pause: LOOK_SOONEST,
        looked_at: Instant::now(),
    };
    let mut running: JoinSet<(Partition, Seq, Ended)> = JoinSet::new();
    // The last poke that a read of the store answered; 0 forces a read.
    let mut answered = 0;
    loop {
        let heard = runtime.inbox.heard();
        let due = scheduler.looked_at + scheduler.pause <= Instant::now();
        if (answered != heard && !scheduler.has_enough()) || scheduler.backlog.wants_more() || due {
            match scheduler.look(due).await {
                Ok(()) => answered = heard,
                Err(error) => {
                    tracing::warn!(%error, "the inbox can't be read and is tried again");
                    answered = 0;
                }
            }
        }
        let wake = scheduler.backlog.release_due(Instant::now());
        while running.len() < MOST_BESIDE
            && running.len().saturating_sub(runtime.seats.waiting()) < runtime.workers()
            && let Some((partition, seq)) = scheduler.backlog.next()
        {
            let runtime = runtime.clone();
            running.spawn(async move {
                let ended = runtime.seats.seated(Box::pin(worker::run(&runtime, &partition, seq))).await;
                (partition, seq, ended)
            });
        }
        if answered == heard && scheduler.backlog.is_empty() {
            runtime.inbox.rest(heard, None);
        }
        tokio::select! {
            () = runtime.inbox.poked() => {}
            () = runtime.seats.freed() => {}
            Some(ended) = running.join_next() => {
                // An error would mean a panic, and `worker::run` catches panics.
                if let Ok((partition, seq, ended)) = ended {
                    scheduler.ended(&partition, seq, ended);
                }
            }
            () = tokio::time::sleep_until((scheduler.looked_at + scheduler.pause).into()) => {}
            () = sleep_until(wake) => {}
            () = stopped(&mut stop) => break,
        }
    }
    while running.join_next().await.is_some() {}
}

impl Scheduler {
    /// Returns whether a requested read can wait.
    fn has_enough(&self) -> bool {
        let ready = self.backlog.has_ready();
        // In a rush, the store is read again only once the backlog has nothing ready.
        let rush = self.runtime.rush() && ready;
        let just_looked = self.runtime.leases.are_shared() && ready && self.looked_at.elapsed() < LOOK_REST;
        rush || just_looked
    }

    /// Reads the store and sets the pause. `unasked`: nothing requested the read.
    async fn look(&mut self, unasked: bool) -> Result<(), StoreError> {
        self.looked_at = Instant::now();
        let shared = self.runtime.leases.are_shared();
        self.pause = if shared { (self.pause * 2).clamp(LOOK_SOONEST, LOOK_LATEST) } else { LOOK_EVERY };
        if shared {
            self.take_partitions().await?;
        }
        let before = self.backlog.len();
        let from_start = unasked || self.backlog.len() < FEW;
        self.read(from_start).await?;
        if shared && self.backlog.len() > before {
            self.pause = LOOK_SOONEST;
        }
        Ok(())
    }

    /// Claims free partitions, and handles those that were gained or lost meanwhile.
    async fn take_partitions(&mut self) -> Result<(), StoreError> {
        let leases = &self.runtime.leases;
        leases.prolong(self.backlog.partitions().cloned()).await?;
        let hands = self.runtime.workers() + self.runtime.seats.waiting();
        let room = (hands * LINES_EACH).saturating_sub(self.backlog.partitions().count());
        if room > 0 && !self.runtime.draining() {
            leases.claim(room).await?;
        }
        let ours = leases.partitions();
        // A new partition may have pending numbers lower than those already read.
        if ours.iter().any(|(partition, since)| self.ours.get(partition) != Some(since)) {
            self.backlog.go_back();
        }
        self.ours = ours;
        Ok(())
    }

    /// Adds pending deliveries from the store as far as there is room.
    ///
    /// Usually few are pending, and one read from the beginning also finds those
    /// put back behind the cursor. A long queue is read on from the cursor.
    async fn read(&mut self, from_start: bool) -> Result<(), StoreError> {
        let (store, backlog) = (&self.runtime.store, &mut self.backlog);
        let ours: Vec<Partition> = self.ours.keys().cloned().collect();
        if from_start {
            let page = store.claimed(&ours, 0, PAGE).await?;
            for pending in &page {
                backlog.offer_behind_cursor(pending);
            }
            if page.len() < PAGE && page.iter().all(|pending| pending.seq <= backlog.cursor() || backlog.offer(pending))
            {
                backlog.begin_read();
                return Ok(());
            }
        }
        backlog.begin_read();
        loop {
            let page = store.claimed(&ours, backlog.cursor(), PAGE).await?;
            if !page.iter().all(|pending| backlog.offer(pending)) || page.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn ended(&mut self, partition: &Partition, seq: Seq, ended: Ended) {
        if ended == Ended::Elsewhere {
            self.ours.remove(partition);
            self.backlog.ended_elsewhere(partition);
        } else {
            self.backlog.ended(partition, seq, ended == Ended::Again, Instant::now());
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
