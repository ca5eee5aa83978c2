//! Sends queued effects: one at a time per installation, safety before
//! conversation before labels, within the forge's limits.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, task::JoinSet, time::Instant};

use crate::{
    app::{
        attempt::{self, Attempt, Leave},
        clock::after,
        limits::{Admission, LONGEST_PARKING, Tenant},
        runtime::Runtime,
        wake::stopped,
        write_pause,
    },
    domain::effect::{Lane, RetrySafety},
    port::{
        forge::{ApplyContext, Cost},
        store::{EffectState, LeaseKey, StoreError, StoredEffect},
    },
};

/// Most effects in flight, over all installations.
const AT_ONCE: usize = 25;
/// Effects of each lane of an installation that are read first: usually the first one may be sent.
const FIRST_LOOK: usize = 3;
/// Effects of each lane of an installation that are read to find one that may be sent.
const LOOK_AHEAD: usize = 32;
/// Time that a forge's lists may lag behind what it was sent. An uncertain
/// effect of an earlier run is looked up only after it.
const LISTS_LAG: SignedDuration = SignedDuration::from_secs(10);
/// Interval at which an unverifiable effect is checked again while lost deliveries are unknown.
const OPEN_DOUBT: SignedDuration = SignedDuration::from_secs(1);
/// Longest postponement, by a limit or by a failure.
const LONGEST_WAIT: SignedDuration = LONGEST_PARKING;
/// Pause for each effect found before the next read of a long line: reading it costs time.
/// The pause is longer while many deliveries arrive, and after a read of which nothing may go yet.
const REST: Duration = Duration::from_micros(40);
const LONG_REST: Duration = Duration::from_micros(200);
/// Length up to which reading a line costs next to nothing.
const SHORT_LINE: usize = 64;
/// Interval at which effects are read that other processes queued, and may have left.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Wait after the store failed.
const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(1);

struct Outbox {
    runtime: Arc<Runtime>,
    running: JoinSet<(Tenant, Attempt)>,
    /// Installations with an effect in flight.
    busy: HashSet<Tenant>,
    started_at: Timestamp,
    /// Effects that the last read found.
    found: usize,
    /// Whether one of them was started.
    started: bool,
}

/// Runs until `stop` turns true, then waits for the effects in flight.
pub(crate) async fn run(runtime: Arc<Runtime>, mut stop: watch::Receiver<bool>) {
    let started_at = runtime.clock.now();
    tokio::select! {
        () = write_pause::first_look(&runtime) => {}
        () = stopped(&mut stop) => return,
    }
    let mut outbox = Outbox {
        runtime: runtime.clone(),
        running: JoinSet::new(),
        busy: HashSet::new(),
        started_at,
        found: 0,
        started: false,
    };
    let mut paused_until: Option<Instant> = None;
    let mut rested_at = Instant::now();
    loop {
        tokio::time::sleep_until(rested_at).await;
        let heard = runtime.outbox.heard();
        paused_until = paused_until.filter(|at| *at > Instant::now());
        let mut wake = None;
        if paused_until.is_none() {
            match outbox.pass().await {
                Ok(at) => wake = at,
                Err(error) => {
                    tracing::warn!(%error, "the outbox can't be read and is tried again");
                    paused_until = Some(Instant::now() + WAIT_AFTER_FAILURE);
                }
            }
            let rest = if runtime.rush() || !outbox.started { LONG_REST } else { REST };
            let long = u32::try_from(outbox.found.saturating_sub(SHORT_LINE)).unwrap_or(u32::MAX);
            rested_at = Instant::now() + rest.saturating_mul(long);
        }
        if outbox.running.is_empty() && paused_until.is_none() {
            runtime.outbox.rest(heard, wake);
        }
        tokio::select! {
            () = runtime.outbox.poked() => {}
            Some(ended) = outbox.running.join_next() => {
                if outbox.ended(ended.ok()) == Attempt::StoreFailed {
                    paused_until = Some(Instant::now() + WAIT_AFTER_FAILURE);
                }
            }
            () = sleep_until(&runtime, wake) => {}
            () = tokio::time::sleep(LOOK_EVERY), if runtime.leases.are_shared() => {}
            () = tokio::time::sleep_until(paused_until.unwrap_or_else(Instant::now)), if paused_until.is_some() => {}
            () = stopped(&mut stop) => break,
        }
    }
    while let Some(ended) = outbox.running.join_next().await {
        outbox.ended(ended.ok());
    }
}

async fn sleep_until(runtime: &Runtime, at: Option<Timestamp>) {
    match at {
        Some(at) => runtime.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Outbox {
    /// Starts the effects that may be sent; returns when a waiting one may be.
    async fn pass(&mut self) -> Result<Option<Timestamp>, StoreError> {
        if self.runtime.silent() || self.runtime.draining() {
            return Ok(None);
        }
        let now = self.runtime.clock.now();
        self.started_at = self.started_at.min(now);
        let mut wake = self.runtime.store.next_effect_at(now).await?;
        // An effect postponed for longer than ever happens was postponed by a clock
        // that has been set back since.
        let due_at = wake.filter(|at| *at > after(now, LONGEST_WAIT)).unwrap_or(now);
        self.started = false;
        for most in [FIRST_LOOK, LOOK_AHEAD] {
            let due = self.runtime.store.due_effects(due_at, most).await?;
            self.found = due.len();
            let full = full_lines(&due, most);
            wake = [wake, self.start_some(due, now).await?].into_iter().flatten().min();
            // Behind those of a full line that may not be sent may be one that may.
            if full.iter().all(|tenant| self.busy.contains(tenant)) {
                break;
            }
        }
        Ok(wake)
    }

    /// Starts those of the effects that may be sent, at most one of each installation; returns when
    /// one that waits may be.
    async fn start_some(
        &mut self,
        mut due: Vec<StoredEffect>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut wake: Option<Timestamp> = None;
        due.sort_by_key(|effect| effect.lane);
        let mut may_go = |at: Timestamp| wake = Some(wake.map_or(at, |w| w.min(at)));
        // Once an effect of an installation waits for its pace, none behind it may overtake it.
        let mut waiting: HashSet<Tenant> = HashSet::new();
        // Once an effect of a lane waits for its share, none of the lane may overtake it.
        let mut waiting_lanes: HashSet<(Tenant, Lane)> = HashSet::new();
        // Leases under which nothing was sent yet.
        let mut idle: HashMap<Tenant, Leave> = HashMap::new();
        for effect in due {
            if self.running.len() >= AT_ONCE {
                break;
            }
            let tenant = (effect.repo.forge.clone(), effect.installation);
            let lane = (tenant.clone(), effect.lane);
            if self.busy.contains(&tenant) || waiting.contains(&tenant) || waiting_lanes.contains(&lane) {
                continue;
            }
            if let Some(at) = self.doubt_ripens(&effect).filter(|at| *at > now) {
                may_go(at);
                continue;
            }
            let Some(leave) = self.leave(&tenant, &effect).await? else { continue };
            if let Some(wait) = taken_over(&effect, &leave) {
                may_go(after(now, wait));
                idle.insert(tenant, leave);
                continue;
            }
            // Labels are not known here yet, so the highest cost is reserved; the attempt
            // returns the rest.
            let Some(forge) = self.runtime.forge(&effect.repo.forge) else { continue };
            let reserved = forge.cost(&effect.effect, &ApplyContext::default());
            match self.runtime.limits.admit(&tenant, effect.lane, reserved, now).await? {
                Admission::Now => self.start(tenant, effect, leave, reserved),
                Admission::NoCreateBefore(at) => {
                    may_go(at);
                    idle.insert(tenant, leave);
                }
                Admission::LaneBefore(at) => {
                    may_go(at);
                    waiting_lanes.insert(lane);
                    idle.insert(tenant, leave);
                }
                Admission::NothingBefore(at) => {
                    may_go(at);
                    waiting.insert(tenant.clone());
                    idle.insert(tenant, leave);
                }
            }
        }
        // Another process may have something more urgent for the installation.
        for (_, leave) in idle.into_iter().filter(|(tenant, _)| !self.busy.contains(tenant)) {
            leave.installation.give_back().await;
        }
        Ok(wake)
    }

    /// Returns when an uncertain effect of an earlier run may be looked up.
    fn doubt_ripens(&self, effect: &StoredEffect) -> Option<Timestamp> {
        let repeat = effect.effect.repeat();
        if repeat == RetrySafety::Unverifiable && self.runtime.duplicate_guard.open() {
            return Some(after(self.runtime.clock.now(), OPEN_DOUBT));
        }
        let in_doubt = effect.state == EffectState::Sending && repeat != RetrySafety::Natural;
        in_doubt.then(|| after(self.started_at, LISTS_LAG))
    }

    /// Returns the leases to send under; `None` if another process has one of them.
    async fn leave(&self, tenant: &Tenant, effect: &StoredEffect) -> Result<Option<Leave>, StoreError> {
        let leases = &self.runtime.leases;
        let hold = async || {
            let repository = leases.hold(LeaseKey::of(&effect.repo)).await?;
            let installation = leases.hold(LeaseKey::Installation(tenant.0.clone(), tenant.1)).await?;
            Ok(Leave { repository, installation })
        };
        match hold().await {
            Ok(leave) => Ok(Some(leave)),
            Err(StoreError::LeaseLost(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn start(&mut self, tenant: Tenant, effect: StoredEffect, leave: Leave, reserved: Cost) {
        self.started = true;
        self.busy.insert(tenant.clone());
        let runtime = self.runtime.clone();
        self.running.spawn(async move {
            let ended = attempt::run(&runtime, effect, leave, reserved).await;
            runtime.worked();
            (tenant, ended)
        });
    }

    fn ended(&mut self, ended: Option<(Tenant, Attempt)>) -> Attempt {
        // `None` would mean a panic, and `attempt::run` catches panics.
        let Some((tenant, attempt)) = ended else { return Attempt::StoreFailed };
        self.busy.remove(&tenant);
        attempt
    }
}

/// Returns the installations of which `most` effects of a lane were read: there may be more.
fn full_lines(due: &[StoredEffect], most: usize) -> HashSet<Tenant> {
    let mut read: HashMap<(Tenant, Lane), usize> = HashMap::new();
    for effect in due {
        *read.entry(((effect.repo.forge.clone(), effect.installation), effect.lane)).or_default() += 1;
    }
    read.into_iter().filter(|(_, count)| *count >= most).map(|((tenant, _), _)| tenant).collect()
}

/// Returns how long to wait with an uncertain effect that another process may have left: it
/// could send until we had its leases, and lists lag.
fn taken_over(effect: &StoredEffect, leave: &Leave) -> Option<SignedDuration> {
    if effect.state != EffectState::Sending || effect.effect.repeat() == RetrySafety::Natural {
        return None;
    }
    let ours_for = leave.repository.age()?;
    LISTS_LAG.checked_sub(ours_for).filter(SignedDuration::is_positive)
}
