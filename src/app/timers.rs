//! Handles due timers: derives their items again.

use crate::{
    app::{
        binding,
        clock::after,
        commands,
        commit::note,
        decision::{self, Decided, Failure, Scope},
        policy::{self, Brought, Occasion},
        retro,
        runtime::Runtime,
        wake::stopped,
        worker::panic_text,
    },
    domain::{id::RepoKey, timer::TimerKey},
    engine::Input,
    metric,
    plan::DecisionContext,
    port::store::{Commit, Lease, LeaseKey, StoreError, Timer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, time::Instant};

/// Timers read from the store at once.
const PAGE: usize = 256;
/// Most timers read at once, where a repository in progress has very many.
const LONGEST_PAGE: usize = 8192;
/// Repositories handled in parallel.
const AT_ONCE: usize = 32;
/// Wait after a failure that the timer itself did not cause.
const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Interval at which timers are read that other processes set, and may have left.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Wait before a timer whose item can't be derived is tried again.
const PUT_OFF: SignedDuration = SignedDuration::from_hours(1);

/// Due timers of one repository, each with its time.
type Due = BTreeMap<TimerKey, Timestamp>;
/// A repository whose timers were handled, and the result.
type Handled = (RepoKey, Result<bool, Failure>);

/// Runs until `stop` turns true, then waits for the repositories in progress.
///
/// Repositories are handled in parallel and independently: one whose
/// questions hang delays no other.
pub(crate) async fn run(runtime: Arc<Runtime>, mut stop: watch::Receiver<bool>) {
    let mut running: FuturesUnordered<BoxFuture<'_, Handled>> = FuturesUnordered::new();
    let mut busy: BTreeMap<RepoKey, usize> = BTreeMap::new();
    let mut paused_until: Option<Instant> = None;
    loop {
        let heard = runtime.timers.heard();
        paused_until = paused_until.filter(|at| *at > Instant::now());
        let mut next = None;
        if paused_until.is_none() && !runtime.draining() {
            match look(&runtime, &busy, AT_ONCE.saturating_sub(running.len())).await {
                Ok((due, at)) => {
                    next = at;
                    for (repo, items) in due {
                        busy.insert(repo.clone(), items.len());
                        let runtime = &runtime;
                        running.push(Box::pin(async move { (repo.clone(), handle(runtime, repo, items).await) }));
                    }
                }
                Err(error) => {
                    tracing::warn!(?error, "timers can't be read and are tried again");
                    paused_until = Some(Instant::now() + WAIT_AFTER_FAILURE);
                }
            }
        }
        if running.is_empty() && paused_until.is_none() {
            runtime.timers.rest(heard, next);
        }
        tokio::select! {
            () = runtime.timers.poked() => {}
            Some((repo, outcome)) = running.next() => {
                busy.remove(&repo);
                match outcome {
                    Ok(true) => {}
                    // Another process handles it; the rest is read again in a while.
                    Ok(false) => paused_until = Some(Instant::now() + LOOK_EVERY),
                    Err(error) => {
                        tracing::warn!(?error, "timers can't be handled and are tried again");
                        paused_until = Some(Instant::now() + WAIT_AFTER_FAILURE);
                    }
                }
            }
            () = sleep_until(&runtime, next) => {}
            () = tokio::time::sleep_until(paused_until.unwrap_or_else(Instant::now)), if paused_until.is_some() => {}
            () = tokio::time::sleep(LOOK_EVERY), if runtime.leases.are_shared() => {}
            () = stopped(&mut stop) => break,
        }
    }
    while running.next().await.is_some() {}
}

async fn sleep_until(runtime: &Runtime, at: Option<Timestamp>) {
    match at {
        Some(at) => runtime.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Returns the timers that are due now, of at most `room` repositories that are not `busy`,
/// and when the next one is due.
async fn look(
    runtime: &Runtime,
    busy: &BTreeMap<RepoKey, usize>,
    room: usize,
) -> Result<(Vec<(RepoKey, Due)>, Option<Timestamp>), Failure> {
    let now = runtime.clock.now();
    // The timers of busy repositories are due until they are handled.
    let mut limit = PAGE + busy.values().sum::<usize>();
    let free = loop {
        let due = runtime.store.due_timers(now, limit).await?;
        let is_all = due.len() < limit;
        let mut free = by_repository(due);
        free.retain(|repo, _| !busy.contains_key(repo));
        if !free.is_empty() || is_all || limit >= LONGEST_PAGE {
            break free;
        }
        limit *= 2;
    };
    let next = runtime.store.next_timer_at().await?;
    // An overdue timer is in progress, has no room yet, or belongs to another process.
    Ok((free.into_iter().take(room).collect(), next.filter(|at| *at > now)))
}

fn by_repository(timers: Vec<Timer>) -> BTreeMap<RepoKey, Due> {
    let mut repositories: BTreeMap<RepoKey, Due> = BTreeMap::new();
    for timer in timers {
        repositories.entry(timer.repo).or_default().insert(timer.key, timer.at);
    }
    repositories
}

/// Handles due timers; returns `false` if another process works on the repository.
async fn handle(runtime: &Runtime, repo: RepoKey, due: Due) -> Result<bool, Failure> {
    let tenure = match runtime.leases.hold(LeaseKey::of(&repo)).await {
        Ok(tenure) => tenure,
        Err(StoreError::LeaseLost(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let timers: BTreeSet<TimerKey> = due.keys().copied().collect();
    let outcome = AssertUnwindSafe(derive_again(runtime, &repo, &timers)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|panic| Err(Failure::Fault(format!("panicked: {}", panic_text(&*panic)))));
    runtime.worked();
    match outcome {
        Ok(told) => {
            metrics::counter!(metric::TIMERS, "outcome" => "done").increment(1);
            let note = note(&told);
            tracing::info!(repo = %repo, items = due.len(), note, "timers done");
            Ok(true)
        }
        Err(Failure::NotNow(why)) => Err(Failure::NotNow(why)),
        Err(Failure::Fault(why)) => {
            metrics::counter!(metric::TIMERS, "outcome" => "failed").increment(1);
            let items: Vec<String> = due.keys().map(ToString::to_string).collect();
            tracing::error!(repo = %repo, ?items, why, "items can't be derived; put off by an hour");
            put_off(runtime, repo, &due, tenure.lease()).await?;
            Ok(true)
        }
    }
}

/// Postpones timers that are unchanged since they were read: a decision made meanwhile has set
/// its own.
async fn put_off(runtime: &Runtime, repo: RepoKey, due: &Due, lease: &Lease) -> Result<(), StoreError> {
    let _held = runtime.repos.hold(&repo).await;
    let now = runtime.clock.now();
    let standing = runtime.store.due_timers(now, LONGEST_PAGE).await?;
    let standing = standing.into_iter().filter(|timer| timer.repo == repo && due.get(&timer.key) == Some(&timer.at));
    let later = after(now, PUT_OFF);
    let timers = standing.map(|timer| (timer.key, Some(later))).collect();
    runtime
        .commit(Commit { under: vec![lease.clone()], repo: Some(repo), now: Some(now), timers, ..Commit::default() })
        .await
}

async fn derive_again(runtime: &Runtime, repo: &RepoKey, timers: &BTreeSet<TimerKey>) -> Result<Vec<String>, Failure> {
    let mut held = runtime.repos.hold(repo).await;
    let mut state = held.take(runtime.store.as_ref()).await?;
    let place = state.row.clone();
    let target = place.as_ref().and_then(binding::target);
    let forge = runtime.forge(&repo.forge).map(AsRef::as_ref);
    let aim = forge.zip(target.as_ref());
    let occasion = Occasion::Timers { organisation: timers.contains(&TimerKey::Organization) };
    let (policy, mut attention) = policy::attend(runtime, aim, &mut state, occasion, Brought::default()).await?;
    let terms = DecisionContext {
        policy: &policy,
        alerts: &runtime.alerts.rules,
        now: runtime.clock.now(),
        writes_disabled: None,
    };
    state.repo.ingest(Input::Timers(timers), &terms);
    let items = std::mem::take(&mut attention.items);
    state.repo.ingest(Input::Changed { documents: &BTreeSet::new(), items: &items }, &terms);
    if let Some(forge) = forge {
        let here = commands::Place { forge, target: target.clone(), policy: &policy };
        commands::again(runtime, &mut state.repo, here).await;
    }
    let scope = Scope { place: place.as_ref(), policy: &policy, cause: None, delivery: None };
    let Decided { mut commit, writes, mut notes } = decision::reach(runtime, &mut state, scope).await;
    let own = timers.contains(&TimerKey::Policy) || timers.contains(&TimerKey::Organization);
    notes.extend(attention.into_commit(&mut state, writes, None, own, &mut commit));
    if timers.contains(&TimerKey::Repository) {
        notes.extend(retro::hold(runtime, aim, &policy, &mut state, writes, &mut commit).await?);
    }
    decision::keep(runtime, held, state, commit).await?;
    Ok(notes)
}
