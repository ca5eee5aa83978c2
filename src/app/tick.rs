//! Timers that are due: derives their items again.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::{
    clock::after,
    commands,
    decision::{self, Failure, Scope, WATCH_TIMER},
    draft::{self, Writes},
    place,
    policy::{self, Brought, Occasion},
    pulse::stopped,
    shell::Shell,
    worker::panic_text,
};
use crate::{
    decide::command::run::Ran,
    domain::id::{ItemNumber, RepoKey},
    metric,
    port::store::{Commit, LeaseKey, StoreError, Timer},
};

/// Timers read from the store at once.
const PAGE: usize = 256;
/// Repositories handled beside each other.
const AT_ONCE: usize = 4;
/// Wait after a failure that is not the timer's own.
const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How often timers are looked at that other processes set, and may have left.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A timer whose item can't be derived is tried again after so long.
const PUT_OFF: SignedDuration = SignedDuration::from_hours(1);

/// Runs until `stop` turns true.
pub(crate) async fn run(shell: Arc<Shell>, mut stop: watch::Receiver<bool>) {
    loop {
        let heard = shell.timers.heard();
        let (next, failed) = match pass(&shell).await {
            Ok(next) => {
                shell.timers.rest(heard, next);
                (next, false)
            }
            Err(error) => {
                tracing::warn!(?error, "timers can't be handled and are tried again");
                (None, true)
            }
        };
        tokio::select! {
            () = shell.timers.poked() => {}
            () = sleep_until(&shell, next) => {}
            () = tokio::time::sleep(WAIT_AFTER_FAILURE), if failed => {}
            () = tokio::time::sleep(LOOK_EVERY), if shell.leases.are_shared() => {}
            () = stopped(&mut stop) => return,
        }
    }
}

async fn sleep_until(shell: &Shell, at: Option<Timestamp>) {
    match at {
        Some(at) => shell.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Handles everything that is due now; returns when the next timer is.
async fn pass(shell: &Shell) -> Result<Option<Timestamp>, Failure> {
    while !shell.draining() {
        let due = shell.store.due_timers(shell.clock.now(), PAGE).await?;
        if due.is_empty() {
            break;
        }
        let handled = stream::iter(by_repository(due))
            .map(|(repo, items)| handle(shell, repo, items))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        if !handled.into_iter().collect::<Result<Vec<bool>, _>>()?.into_iter().all(|done| done) {
            break; // another process is on it; what is left then is looked at in a while
        }
    }
    let next = shell.store.next_timer_at().await?;
    // What is overdue is another process's affair, or the next look's.
    Ok(next.filter(|at| !shell.leases.are_shared() || *at > shell.clock.now()))
}

fn by_repository(timers: Vec<Timer>) -> BTreeMap<RepoKey, BTreeSet<ItemNumber>> {
    let mut repositories: BTreeMap<RepoKey, BTreeSet<ItemNumber>> = BTreeMap::new();
    for timer in timers {
        repositories.entry(timer.repo).or_default().insert(timer.item);
    }
    repositories
}

/// Returns `false` if another process works on the repository.
async fn handle(shell: &Shell, repo: RepoKey, items: BTreeSet<ItemNumber>) -> Result<bool, Failure> {
    let _tenure = match shell.leases.hold(LeaseKey::of(&repo)).await {
        Ok(tenure) => tenure,
        Err(StoreError::LeaseLost(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let outcome = AssertUnwindSafe(derive_again(shell, &repo, items.clone())).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|panic| Err(Failure::Fault(format!("panicked: {}", panic_text(&*panic)))));
    shell.worked();
    match outcome {
        Ok(told) => {
            metrics::counter!(metric::TIMERS, "outcome" => "done").increment(1);
            let note = draft::note(&told);
            tracing::info!(repo = %repo, items = items.len(), note, "timers done");
            Ok(true)
        }
        Err(Failure::NotNow(why)) => Err(Failure::NotNow(why)),
        Err(Failure::Fault(why)) => {
            metrics::counter!(metric::TIMERS, "outcome" => "failed").increment(1);
            tracing::error!(repo = %repo, ?items, why, "items can't be derived; put off by an hour");
            let later = after(shell.clock.now(), PUT_OFF);
            let timers = items.into_iter().map(|item| (item, Some(later))).collect();
            let commit = Commit { repo: Some(repo), now: Some(shell.clock.now()), timers, ..Commit::default() };
            shell.store.commit(commit).await?;
            Ok(true)
        }
    }
}

async fn derive_again(shell: &Shell, repo: &RepoKey, items: BTreeSet<ItemNumber>) -> Result<Vec<String>, Failure> {
    let (own, mut items): (BTreeSet<_>, BTreeSet<_>) = items.into_iter().partition(|n| policy::is_repository_timer(*n));
    let watch = items.remove(&WATCH_TIMER);
    let mut held = shell.repos.hold(repo).await;
    let mut state = held.take(shell.store.as_ref()).await?;
    let place = state.row.clone();
    let target = place.as_ref().and_then(place::target);
    let forge = shell.forge(&repo.forge).map(AsRef::as_ref);
    let aim = forge.zip(target.as_ref());
    let occasion = Occasion::Timers { organisation: own.contains(&policy::ORGANISATION_TIMER) };
    let (policy, mut attention) = policy::attend(shell, aim, &mut state, occasion, Brought::default()).await?;
    items.append(&mut attention.items);
    let ran = match forge {
        Some(forge) => {
            let here = commands::Place { forge, target: target.clone(), policy: &policy };
            commands::again(shell, &mut state, here).await
        }
        None => Ran::default(),
    };
    items.extend(ran.observed.items);
    let scope = Scope {
        repo,
        place: place.as_ref(),
        policy: &policy,
        items,
        changed: ran.observed.changed,
        cause: None,
        delivery: None,
        urgent: !ran.told.is_empty(),
    };
    if watch {
        state.wake_at = None; // it has fired
    }
    let (mut commit, mut told) = decision::reach(shell, &mut state, scope).await?;
    if watch && state.wake_at.is_none() {
        commit.timers.push((WATCH_TIMER, None));
    }
    let writes = Writes::allowed(shell.settings.dry_run, &policy, target.map(|t| t.installation));
    told.extend(attention.into_commit(&mut state, writes, None, !own.is_empty(), &mut commit));
    commands::queue(ran.wishes, writes, None, &mut commit);
    told.extend(ran.told);
    decision::keep(shell, held, state, commit).await?;
    Ok(told)
}
