//! State shared by all loops.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use jiff::SignedDuration;

use crate::{
    app::{
        alert::Alerts,
        backoff::Backoff,
        decision_slots::{Askers, Previews, Seats},
        duplicate_guard::DuplicateGuard,
        external::EventConnections,
        identity::Identities,
        insight::stale::StaleRows,
        leases::Leases,
        limits::Limits,
        notice::Notices,
        policy::PolicySource,
        repos::Repos,
        urgent::Urgent,
        wake::Pulse,
    },
    domain::{id::ForgeName, insight::RowKind},
    metric,
    port::{
        clock::Clock,
        forge::Forge,
        store::{Commit, DeliveryState, Seq, Store, StoreError},
    },
};

/// Settings of the bot.
#[derive(Debug, Clone)]
pub struct BotSettings {
    /// Decides and records, but never writes to a forge.
    pub dry_run: bool,
    /// Deliveries decided in parallel, each of another repository.
    pub workers: usize,
    /// Repositories whose facts stay in memory.
    pub cached_repositories: usize,
    /// Time for which decided deliveries and ended effects are kept.
    pub retention: SignedDuration,
    /// Interval at which forges are asked for missed deliveries; `None`: never.
    pub catch_up: Option<SignedDuration>,
    /// Treatment of stored data of a repository that phasebot lost access to.
    pub on_removal: OnRemoval,
}

/// Treatment of stored data of a repository that phasebot lost access to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRemoval {
    /// The data stays.
    #[default]
    Keep,
    /// The data is deleted.
    Delete,
}

impl Default for BotSettings {
    fn default() -> Self {
        Self {
            dry_run: false,
            workers: 8,
            cached_repositories: 256,
            retention: SignedDuration::from_hours(24 * 30),
            catch_up: None,
            on_removal: OnRemoval::Keep,
        }
    }
}

/// Deliveries being taken in at once that count as a rush. Measured: with 16, half of what can be
/// taken in was no rush, and concurrent decisions added a fifth to a third to each sender's wait.
const RUSH: usize = 6;

/// Connections to systems beside the forges.
pub(crate) struct Connections {
    pub(crate) alerts: Alerts,
    pub(crate) events: EventConnections,
    pub(crate) notices: Notices,
}

pub(crate) struct Runtime {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policies: Arc<dyn PolicySource>,
    pub(crate) settings: BotSettings,
    pub(crate) alerts: Alerts,
    pub(crate) events: EventConnections,
    pub(crate) notices: Notices,
    pub(crate) leases: Arc<Leases>,
    pub(crate) repos: Repos,
    pub(crate) identities: Identities,
    pub(crate) limits: Limits,
    pub(crate) backoff: Backoff,
    pub(crate) urgent: Urgent,
    pub(crate) seats: Arc<Seats>,
    pub(crate) askers: Askers,
    pub(crate) previews: Previews,
    pub(crate) causes: Causes,
    pub(crate) duplicate_guard: DuplicateGuard,
    /// Wakes the scheduler.
    pub(crate) inbox: Pulse,
    /// Wakes the timer loop.
    pub(crate) timers: Pulse,
    /// Wakes the outbox.
    pub(crate) outbox: Pulse,
    /// Wakes the loop that sends notices.
    pub(crate) notice_pulse: Pulse,
    /// Wakes the search for missed deliveries.
    pub(crate) missed: Pulse,
    /// Repositories whose rows for delivery metrics may be of another policy.
    pub(crate) stale_rows: StaleRows,
    /// Counts all work done, so that "nothing happened since" can be detected.
    pub(crate) work: AtomicU64,
    /// Deliveries being taken in, whose senders wait.
    arriving: AtomicUsize,
    pub(crate) draining: AtomicBool,
    pub(crate) paused: AtomicBool,
    /// True if an operator has paused all writes, in every process on this store.
    pub(crate) halted: AtomicBool,
    pub(crate) store_answers: AtomicBool,
    /// True if a loop ended unexpectedly: this process can no longer work.
    pub(crate) broken: AtomicBool,
    event_names: EventNames,
    forges: BTreeMap<ForgeName, Arc<dyn Forge>>,
}

impl Runtime {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        forges: Vec<Arc<dyn Forge>>,
        clock: Arc<dyn Clock>,
        policies: Arc<dyn PolicySource>,
        connections: Connections,
        settings: BotSettings,
    ) -> Self {
        let Connections { alerts, events, notices } = connections;
        let leases = Arc::new(Leases::new(store.clone(), clock.clone()));
        Self {
            limits: Limits::new(
                store.clone(),
                forges.iter().map(|forge| (forge.name().clone(), forge.pace())).collect(),
            ),
            backoff: Backoff::default(),
            urgent: Urgent::default(),
            seats: Arc::default(),
            askers: Askers::default(),
            previews: Previews::default(),
            duplicate_guard: DuplicateGuard::new(settings.catch_up.is_some()),
            store,
            clock,
            policies,
            alerts,
            events,
            notices,
            repos: Repos::new(settings.cached_repositories, leases.clone()),
            leases,
            settings,
            identities: Identities::default(),
            causes: Causes::default(),
            inbox: Pulse::new(),
            timers: Pulse::new(),
            outbox: Pulse::new(),
            notice_pulse: Pulse::new(),
            missed: Pulse::new(),
            stale_rows: StaleRows::default(),
            work: AtomicU64::new(0),
            arriving: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            halted: AtomicBool::new(false),
            store_answers: AtomicBool::new(true),
            broken: AtomicBool::new(false),
            event_names: EventNames::default(),
            forges: forges.into_iter().map(|f| (f.name().clone(), f)).collect(),
        }
    }

    pub(crate) fn forge(&self, name: &ForgeName) -> Option<&Arc<dyn Forge>> {
        self.forges.get(name)
    }

    /// Commits; if a lease was lost, stops trusting it.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let under = commit.under.clone();
        let has_other_terms = commit.insight.iter().any(|group| group.kind == RowKind::Terms);
        let repo = commit.repo.clone().filter(|_| has_other_terms);
        let has_notices = !commit.notices.is_empty();
        let done = self.leases.heard(&under, self.store.commit(commit).await);
        if let (Ok(()), Some(repo)) = (&done, repo) {
            self.stale_rows.add(repo);
        }
        if done.is_ok() && has_notices {
            self.notice_pulse.poke();
        }
        done
    }

    pub(crate) fn forges(&self) -> impl Iterator<Item = &Arc<dyn Forge>> {
        self.forges.values()
    }

    pub(crate) fn worked(&self) {
        self.work.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns how many deliveries may be decided in parallel now.
    ///
    /// Senders wait for us, and GitHub does not redeliver what we refuse, whereas a label may be
    /// late. In a rush, decisions therefore use one worker and leave the processors to intake.
    pub(crate) fn workers(&self) -> usize {
        if self.rush() { 1 } else { self.settings.workers.max(1) }
    }

    /// Returns whether many deliveries are being taken in at once.
    pub(crate) fn rush(&self) -> bool {
        self.arriving.load(Ordering::Relaxed) >= RUSH
    }

    /// Counts a delivery as being taken in until the returned guard drops.
    pub(crate) fn arrives(&self) -> Arriving<'_> {
        self.arriving.fetch_add(1, Ordering::Relaxed);
        Arriving(&self.arriving)
    }

    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Counts a delivery as received.
    pub(crate) fn count_received(&self, forge: &ForgeName, event: &str, outcome: &'static str) {
        let event = self.event_names.label(event);
        metrics::counter!(metric::RECEIVED, "forge" => forge.0.clone(), "event" => event, "outcome" => outcome)
            .increment(1);
    }

    /// Counts the outcome of a delivery.
    pub(crate) fn count_delivery(&self, forge: &ForgeName, event: &str, state: DeliveryState) {
        let (event, outcome) = (self.event_names.label(event), state.as_str());
        metrics::counter!(metric::DELIVERIES, "forge" => forge.0.clone(), "event" => event, "outcome" => outcome)
            .increment(1);
    }

    /// Returns whether no effects are sent, because of a switch or because this is a dry run.
    pub(crate) fn silent(&self) -> bool {
        self.settings.dry_run || self.paused.load(Ordering::SeqCst) || self.halted.load(Ordering::SeqCst)
    }
}

/// Guard of a delivery that is being taken in.
pub(crate) struct Arriving<'a>(&'a AtomicUsize);

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Event names used as metric labels.
///
/// The number of names is bounded: the name comes in a header that no signature covers, so
/// whoever replays a signed body could make up any number of them.
#[derive(Debug, Default)]
pub(crate) struct EventNames {
    known: Mutex<BTreeSet<String>>,
}

/// Most event names; forges have some seventy events.
const MOST_EVENT_NAMES: usize = 100;

impl EventNames {
    pub(crate) fn label(&self, event: &str) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(event) {
            if known.len() >= MOST_EVENT_NAMES {
                return "other".to_owned();
            }
            known.insert(event.to_owned());
        }
        event.to_owned()
    }
}

/// Forge ids of recent deliveries, so that an effect's log line names the one that caused it.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    recent: Mutex<(HashMap<Seq, String>, VecDeque<Seq>)>,
}

/// Ids kept in memory; an older one is read from the store.
const REMEMBERED: usize = 4096;

impl Causes {
    pub(crate) fn remember(&self, seq: Seq, delivery: &str) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.0.insert(seq, delivery.to_owned()).is_none() {
            recent.1.push_back(seq);
        }
        if recent.1.len() > REMEMBERED
            && let Some(oldest) = recent.1.pop_front()
        {
            recent.0.remove(&oldest);
        }
    }

    /// Returns the delivery's id; empty if the delivery is no longer stored.
    pub(crate) async fn delivery_id(&self, store: &dyn Store, cause: Option<Seq>) -> String {
        let Some(seq) = cause else { return String::new() };
        let known = self.recent.lock().unwrap_or_else(PoisonError::into_inner).0.get(&seq).cloned();
        match known {
            Some(id) => id,
            None => store.delivery(seq).await.ok().flatten().map_or_else(String::new, |d| d.row.delivery),
        }
    }
}
