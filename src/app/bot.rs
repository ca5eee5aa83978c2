//! The bot: starts and stops all loops.

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
        external::EventConnections,
        insight,
        intake::Intake,
        maintenance,
        notice::{self, Notices},
        outbox,
        policy::PolicySource,
        runtime::{BotSettings, Connections, Runtime},
        scheduler, timers,
        wake::Pulse,
        worker::panic_text,
        write_pause::Switches,
    },
    port::{clock::Clock, forge::Forge, store::Store},
};

/// Parts of a bot.
pub struct Parts {
    /// Store.
    pub store: Arc<dyn Store>,
    /// Forges that the bot serves.
    pub forges: Vec<Arc<dyn Forge>>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Source of the policy in force in each repository.
    pub policies: Arc<dyn PolicySource>,
    /// Monitoring connections.
    pub alerts: Alerts,
    /// Connections of systems that deploy without the forge.
    pub events: EventConnections,
    /// Targets of notices.
    pub notices: Notices,
    /// Settings.
    pub settings: BotSettings,
}

/// Runs a loop. If it ends before the shutdown, marks the process as broken and not ready.
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
        let Parts { store, forges, clock, policies, alerts, events, notices, settings } = parts;
        let runtime =
            Arc::new(Runtime::new(store, forges, clock, policies, Connections { alerts, events, notices }, settings));
        let (stop, stopped) = watch::channel(false);
        let mut loops = JoinSet::new();
        loops.spawn(watched("scheduler", runtime.clone(), scheduler::run(runtime.clone(), stopped.clone())));
        loops.spawn(watched("timers", runtime.clone(), timers::run(runtime.clone(), stopped.clone())));
        loops.spawn(watched("outbox", runtime.clone(), outbox::run(runtime.clone(), stopped.clone())));
        loops.spawn(watched("notices", runtime.clone(), notice::run(runtime.clone(), stopped.clone())));
        loops.spawn(watched("leases", runtime.clone(), runtime.leases.clone().run(stopped.clone())));
        loops.spawn(watched("catch-up", runtime.clone(), catch_up::run(runtime.clone(), stopped.clone())));
        loops.spawn(watched("health", runtime.clone(), maintenance::watch_store(runtime.clone(), stopped.clone())));
        loops.spawn(watched("insight", runtime.clone(), insight::fill(runtime.clone(), stopped.clone())));
        loops.spawn(watched("retention", runtime.clone(), maintenance::prune(runtime.clone(), stopped)));
        Self { runtime, stop, loops }
    }

    /// Returns the intake for deliveries.
    pub fn intake(&self) -> Arc<Intake> {
        Arc::new(Intake::new(self.runtime.clone()))
    }

    /// Returns the operator's controls.
    pub fn switches(&self) -> Arc<Switches> {
        Arc::new(Switches { runtime: self.runtime.clone() })
    }

    /// Stops sending effects; those in flight end. Decisions continue.
    pub fn pause(&self) {
        self.runtime.paused.store(true, Ordering::SeqCst);
    }

    /// Sends effects again.
    pub fn resume(&self) {
        self.runtime.paused.store(false, Ordering::SeqCst);
        self.runtime.outbox.poke();
        self.runtime.notice_pulse.poke();
    }

    /// Returns once nothing is left to do at the clock's current time: every
    /// delivery decided, every due timer handled, every effect sent that may be
    /// sent now. Does not wait for effects due later (a retry, a limit, a paused
    /// installation), nor for any effect while sending is paused.
    pub async fn idle(&self) {
        let runtime = &self.runtime;
        loop {
            let before = runtime.work.load(Ordering::SeqCst);
            for pulse in [&runtime.missed, &runtime.inbox, &runtime.timers, &runtime.outbox, &runtime.notice_pulse] {
                let poke = pulse.poke();
                pulse.rested(poke).await;
            }
            if runtime.work.load(Ordering::SeqCst) == before {
                return;
            }
        }
    }

    /// Returns, after [`Self::idle`], the next time at which a timer is due or an
    /// effect may be sent. A simulation may set its clock straight to it.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let runtime = &self.runtime;
        let pulses = [&runtime.missed, &runtime.timers, &runtime.outbox, &runtime.notice_pulse];
        pulses.into_iter().filter_map(Pulse::wake).min()
    }

    /// Stops intake and waits, at most for `grace`, until the work in progress ends. The
    /// rest is in the store. Returns whether everything ended in time.
    pub async fn shutdown(mut self, grace: Duration) -> bool {
        self.runtime.draining.store(true, Ordering::SeqCst);
        let _ = self.stop.send(true);
        let ending = async { while self.loops.join_next().await.is_some() {} };
        let ended = tokio::time::timeout(grace, ending).await.is_ok();
        // Work still in progress is fenced off by this, as if the process had died.
        self.runtime.leases.give_back_all().await;
        ended
    }
}
