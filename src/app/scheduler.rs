//! Which deliveries are decided when: one of a repository at a time, in order
//! of arrival, repositories beside each other.
//!
//! Where several processes share the store, each decides only in partitions
//! that it has the lease of, and takes free ones as it has hands for them.
//! Processes do not wake each other: they look, often while there is work and
//! seldom while there is none.

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
/// With fewer than these in memory, the store is read from its first pending number.
const FEW: usize = 64;
/// How often the store is looked at unasked: another process may replay or insert.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same where other processes take deliveries in for us: between these,
/// shorter after a look that found something.
const LOOK_SOONEST: Duration = Duration::from_millis(20);
const LOOK_LATEST: Duration = Duration::from_millis(500);
/// A shared store is not looked at more often than this while there is work here.
const LOOK_REST: Duration = Duration::from_millis(5);
/// Partitions taken for each delivery that may be decided at once: one works, one waits.
const LINES_EACH: usize = 2;

struct Scheduler {
    runtime: Arc<Runtime>,
    backlog: Backlog,
    /// The partitions that were read so far, and since when they were ours.
    ours: HashMap<Partition, Instant>,
    /// The pause before the next look that nobody asks for.
    pause: Duration,
    looked_at: Instant,
}

/// Runs until `stop` turns true, then lets what runs end.
pub(crate) async fn run(runtime: Arc<Runtime>, mut stop: watch::Receiver<bool>) {
    let mut scheduler = Scheduler {
        runtime: runtime.clone(),
        backlog: Backlog::default(),
        ours: HashMap::new(),
        pause: LOOK_SOONEST,
        looked_at: Instant::now(),
    };
    let mut running: JoinSet<(Partition, Seq, Ended)> = JoinSet::new();
    // The poke that was last answered by reading the store; 0 forces a reading.
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
        let wake = scheduler.backlog.wake(Instant::now());
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
                // An error would be a panic, and `worker::run` lets none out.
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
    /// Whether a look that was asked for can wait.
    fn has_enough(&self) -> bool {
        let ready = self.backlog.has_ready();
        // In a rush the store is read for more only once what is here runs out.
        let rush = self.runtime.rush() && ready;
        let just_looked = self.runtime.leases.are_shared() && ready && self.looked_at.elapsed() < LOOK_REST;
        rush || just_looked
    }

    /// Looks into the store, `unasked` by anybody or not, and sets the pause.
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

    /// Takes free partitions, and sees to those that came or went meanwhile.
    async fn take_partitions(&mut self) -> Result<(), StoreError> {
        let leases = &self.runtime.leases;
        leases.prolong(self.backlog.partitions().cloned()).await?;
        let hands = self.runtime.workers() + self.runtime.seats.waiting();
        let room = (hands * LINES_EACH).saturating_sub(self.backlog.partitions().count());
        if room > 0 && !self.runtime.draining() {
            leases.claim(room).await?;
        }
        let ours = leases.partitions();
        // Of a partition that is new here earlier numbers may wait than those that were read.
        if ours.iter().any(|(partition, since)| self.ours.get(partition) != Some(since)) {
            self.backlog.go_back();
        }
        self.ours = ours;
        Ok(())
    }

    /// Takes in what the store holds and there is room for.
    ///
    /// Usually little waits, and one look from the beginning also finds what was
    /// put back behind the cursor. A long queue is read on from the cursor.
    async fn read(&mut self, from_start: bool) -> Result<(), StoreError> {
        let (store, backlog) = (&self.runtime.store, &mut self.backlog);
        let ours: Vec<Partition> = self.ours.keys().cloned().collect();
        if from_start {
            let page = store.claimed(&ours, 0, PAGE).await?;
            for pending in &page {
                backlog.offer_again(pending);
            }
            if page.len() < PAGE && page.iter().all(|pending| pending.seq <= backlog.cursor() || backlog.offer(pending))
            {
                backlog.reading();
                return Ok(());
            }
        }
        backlog.reading();
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
