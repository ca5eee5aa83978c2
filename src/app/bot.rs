//! The whole of the shell, started and stopped.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    app::{
        alert::Alerts,
        catch_up,
        intake::Intake,
        maintenance, outbox,
        policy::PolicySource,
        runtime::{BotSettings, Runtime},
        scheduler, timers,
        worker::panic_text,
        write_pause::Switches,
    },
    port::{clock::Clock, forge::Forge, store::Store},
};

/// What a bot is made of.
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The forges it serves.
    pub forges: Vec<Arc<dyn Forge>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Which policy is in force where.
    pub policies: Arc<dyn PolicySource>,
    /// The monitoring connections.
    pub alerts: Alerts,
    /// How to run.
    pub settings: BotSettings,
}

/// A loop that ends before it was told to makes the process not ready, so that somebody notices.
async fn watched(name: &'static str, runtime: Arc<Runtime>, run: impl Future<Output = ()> + Send) {
    let outcome = AssertUnwindSafe(run).catch_unwind().await;
    if !runtime.draining() {
        let why = outcome.as_ref().err().map_or("it returned", |panic| panic_text(panic.as_ref()));
        tracing::error!(name, why, "a loop of the bot ended; restart the process");
        runtime.broken.store(true, Ordering::Relaxed);
    }
}

/// A running bot. Dropping it stops everything at once, as a crash would.
pub struct Bot {
    runtime: Arc<Runtime>,
    stop: watch::Sender<bool>,
    loops: JoinSet<()>,
}

impl Bot {
    /// Starts all loops. Must be called within a Tokio runtime.
    pub fn start(parts: Parts) -> Self {
        let Parts { store, forges, clock, policies, alerts, settings } = parts;
        let runtime = Arc::new(Runtime::new(store, forges, clock, policies, alerts, settings));
        let (stop, stopped) = watch::channel(false);
        let mut loops = JoinSet::new();
        loops.spawn(watched("scheduler", runtime.clone(), scheduler::run(runtime.clone(), stopped.clone())));
        loops.spawn(watched("timers", runtime.clone(), timers::run(runtime.clone(), stopped.clone())));
        loops.spawn(watched("outbox", runtime.clone(), outbox::run(runtime.clone(), stopped.clone())));
        loops.spawn(watched("leases", runtime.clone(), runtime.leases.clone().run(stopped.clone())));
        loops.spawn(watched("catch-up", runtime.clone(), catch_up::run(runtime.clone(), stopped.clone())));
        loops.spawn(watched("health", runtime.clone(), maintenance::watch_store(runtime.clone(), stopped.clone())));
        loops.spawn(watched("retention", runtime.clone(), maintenance::prune(runtime.clone(), stopped)));
        Self { runtime, stop, loops }
    }

    /// The door for deliveries.
    pub fn intake(&self) -> Arc<Intake> {
        Arc::new(Intake::new(self.runtime.clone()))
    }

    /// What an operator may ask of it.
    pub fn switches(&self) -> Arc<Switches> {
        Arc::new(Switches { runtime: self.runtime.clone() })
    }

    /// Stops sending effects; what is under way ends. Deciding goes on.
    pub fn pause(&self) {
        self.runtime.paused.store(true, Ordering::SeqCst);
    }

    /// Sends effects again.
    pub fn resume(&self) {
        self.runtime.paused.store(false, Ordering::SeqCst);
        self.runtime.outbox.poke();
    }

    /// Returns once nothing is left to do at this moment of the clock: every
    /// delivery decided, every due timer handled, every effect sent that may
    /// be sent now. Effects that wait for a later time (a retry, a limit, a
    /// parked installation) are not waited for, nor are they while paused.
    pub async fn idle(&self) {
        let runtime = &self.runtime;
        loop {
            let before = runtime.work.load(Ordering::SeqCst);
            for pulse in [&runtime.missed, &runtime.inbox, &runtime.timers, &runtime.outbox] {
                let poke = pulse.poke();
                pulse.rested(poke).await;
            }
            if runtime.work.load(Ordering::SeqCst) == before {
                return;
            }
        }
    }

    /// After [`Self::idle`]: the next moment at which a timer is due or an
    /// effect may go. A simulation may set its clock straight to it.
    pub fn next_wake(&self) -> Option<Timestamp> {
        [self.runtime.missed.wake(), self.runtime.timers.wake(), self.runtime.outbox.wake()].into_iter().flatten().min()
    }

    /// Takes nothing in any more, lets what is under way end, at most for
    /// `grace`. What remains is in the store. Returns whether all ended in time.
    pub async fn shutdown(mut self, grace: Duration) -> bool {
        self.runtime.draining.store(true, Ordering::SeqCst);
        let _ = self.stop.send(true);
        let ending = async { while self.loops.join_next().await.is_some() {} };
        let ended = tokio::time::timeout(grace, ending).await.is_ok();
        // What is still under way is fenced off by this, as if the process had died.
        self.runtime.leases.give_back_all().await;
        ended
    }
}
