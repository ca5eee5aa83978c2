//! Sends queued notices: one request at a time to each target, at the target's pace.
//!
//! Nothing else waits for a notice: a target that hangs holds up its own line only.

use std::{
    collections::{BTreeMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, task::JoinSet, time::Instant};

use crate::{
    app::{
        clock::after,
        notice::attempt::{self, Turn},
        runtime::Runtime,
        wake::stopped,
        worker::panic_text,
        write_pause,
    },
    port::store::{StoreError, StoredNotice},
};

/// Notices of each target that are read: as many as a digest may have.
const LOOK_AHEAD: usize = 100;
/// Interval at which notices are read that other processes queued, and may have left.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Wait after the store failed.
const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Wait with a target that another process sends to.
const WAIT_FOR_OTHERS: SignedDuration = SignedDuration::from_secs(2);

struct Sender {
    runtime: Arc<Runtime>,
    running: JoinSet<(String, Result<Turn, StoreError>)>,
    /// Targets with a turn under way.
    busy: HashSet<String>,
    /// Targets that wait for their pace.
    waiting: BTreeMap<String, Timestamp>,
}

/// Runs until `stop` turns true, then waits for the requests in flight.
pub(crate) async fn run(runtime: Arc<Runtime>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = write_pause::first_look(&runtime) => {}
        () = stopped(&mut stop) => return,
    }
    let mut sender =
        Sender { runtime: runtime.clone(), running: JoinSet::new(), busy: HashSet::new(), waiting: BTreeMap::new() };
    let mut paused_until: Option<Instant> = None;
    loop {
        let heard = runtime.notice_pulse.heard();
        paused_until = paused_until.filter(|at| *at > Instant::now());
        let mut wake = None;
        if paused_until.is_none() {
            match sender.pass().await {
                Ok(at) => wake = at,
                Err(error) => {
                    tracing::warn!(%error, "the notices can't be read and are tried again");
                    paused_until = Some(Instant::now() + WAIT_AFTER_FAILURE);
                }
            }
        }
        if sender.running.is_empty() && paused_until.is_none() {
            runtime.notice_pulse.rest(heard, wake);
        }
        tokio::select! {
            () = runtime.notice_pulse.poked() => {}
            Some(ended) = sender.running.join_next() => {
                if !sender.ended(ended.ok()) {
                    paused_until = Some(Instant::now() + WAIT_AFTER_FAILURE);
                }
            }
            () = sleep_until(&runtime, wake) => {}
            () = tokio::time::sleep(LOOK_EVERY), if runtime.leases.are_shared() => {}
            () = tokio::time::sleep_until(paused_until.unwrap_or_else(Instant::now)), if paused_until.is_some() => {}
            () = stopped(&mut stop) => break,
        }
    }
    while let Some(ended) = sender.running.join_next().await {
        sender.ended(ended.ok());
    }
}

async fn sleep_until(runtime: &Runtime, at: Option<Timestamp>) {
    match at {
        Some(at) => runtime.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Sender {
    /// Starts a turn at each target with notices that may be sent; returns when another one may be.
    async fn pass(&mut self) -> Result<Option<Timestamp>, StoreError> {
        if self.runtime.silent() || self.runtime.draining() {
            return Ok(None);
        }
        let now = self.runtime.clock.now();
        self.waiting.retain(|_, at| *at > now);
        let mut lines: BTreeMap<String, Vec<StoredNotice>> = BTreeMap::new();
        for row in self.runtime.store.due_notices(now, LOOK_AHEAD).await? {
            lines.entry(row.target.clone()).or_default().push(row);
        }
        self.waiting.retain(|name, _| lines.contains_key(name));
        for (name, rows) in lines {
            if !self.busy.contains(&name) && !self.waiting.contains_key(&name) {
                self.start(name, rows);
            }
        }
        let next = self.runtime.store.next_notice_at(now).await?;
        Ok(next.into_iter().chain(self.waiting.values().copied()).min())
    }

    fn start(&mut self, name: String, rows: Vec<StoredNotice>) {
        self.busy.insert(name.clone());
        let runtime = self.runtime.clone();
        self.running.spawn(async move {
            let turn = AssertUnwindSafe(attempt::turn(&runtime, &name, rows)).catch_unwind().await;
            let turn = turn.unwrap_or_else(|panic| {
                let why = panic_text(panic.as_ref());
                tracing::error!(target = name, why, "sending a notice panicked");
                Ok(Turn::NotBefore(after(runtime.clock.now(), WAIT_FOR_OTHERS)))
            });
            runtime.worked();
            (name, turn)
        });
    }

    /// Returns false if the store failed.
    fn ended(&mut self, ended: Option<(String, Result<Turn, StoreError>)>) -> bool {
        // `None` would mean a panic, and they are caught.
        let Some((name, turn)) = ended else { return false };
        self.busy.remove(&name);
        match turn {
            Ok(Turn::Worked) => true,
            Ok(Turn::NotBefore(at)) => {
                self.waiting.insert(name, at);
                true
            }
            Err(StoreError::LeaseLost(_)) => {
                self.waiting.insert(name, after(self.runtime.clock.now(), WAIT_FOR_OTHERS));
                true
            }
            Err(error) => {
                tracing::warn!(%error, target = name, "a notice was not sent: the store failed");
                false
            }
        }
    }
}
