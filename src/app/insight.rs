//! Rows for delivery metrics: reads them, and derives those of repositories that an earlier version
//! decided on.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::{
    app::{decision::Failure, runtime::Runtime, wake::stopped},
    domain::{
        id::{ItemId, RepoKey},
        insight::{RowGroup, RowKind},
    },
    insight::{self, InsightRows, rows::DEFINITION},
    port::store::{Commit, InsightPage, Store, StoreError},
};

/// Rows of one page.
const PAGE: usize = 5_000;
/// Items derived at once: deliveries of the repository wait no longer than such a step.
const ITEMS: usize = 200;
/// Rows stored at once.
const GROUPS: usize = 500;
/// Pause between steps.
const PAUSE: Duration = Duration::from_millis(20);
/// Pause after a failure.
const AGAIN: Duration = Duration::from_secs(30);
/// Name of the memo with the time at which rows were first derived.
const SINCE: &str = "insight/since";
/// A forge's clock may be late by this.
const SLACK: SignedDuration = SignedDuration::from_mins(1);
/// Interval at which the progress is logged.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Reads the rows of a repository that concern windows which begin at `since` or later.
pub async fn rows(store: &dyn Store, repo: &RepoKey, since: Timestamp) -> Result<InsightRows, StoreError> {
    let mut rows = InsightRows::default();
    for kind in RowKind::ALL {
        let mut after = None;
        loop {
            let page = store.insight(repo, &InsightPage { kind, since, after, limit: PAGE }).await?;
            for row in &page {
                if !rows.add(kind, &row.body) {
                    tracing::error!(%repo, owner = row.owner, "a row for delivery metrics can't be read and is left out");
                }
            }
            after = match page.last() {
                Some(last) if page.len() == PAGE => Some((last.at, last.owner.clone(), last.part.clone())),
                _ => break,
            };
        }
    }
    Ok(rows)
}

/// Returns whether the rows of everything on record were derived: at the start of a later process, or
/// with each event because the record began after this version first started.
pub async fn is_complete(
    store: &dyn Store,
    repo: &RepoKey,
    recorded_since: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let since: Option<Timestamp> = store.memo(SINCE).await?.and_then(|at| at.parse().ok());
    let is_new = since.zip(recorded_since).is_some_and(|(since, began)| began.duration_since(since) > -SLACK);
    Ok(is_new || is_filled(store, repo).await?)
}

/// Returns whether the rows of earlier events were derived.
pub async fn is_filled(store: &dyn Store, repo: &RepoKey) -> Result<bool, StoreError> {
    Ok(store.memo(&memo(repo)).await?.as_deref() == Some(DEFINITION.to_string().as_str()))
}

fn memo(repo: &RepoKey) -> String {
    format!("insight/{}/{}", repo.forge, repo.id)
}

/// Derives the rows of every repository that has none yet, one after the other, beside everything
/// else. A process that is stopped goes on with the next repository when it starts again.
pub(crate) async fn fill(runtime: Arc<Runtime>, mut stop: watch::Receiver<bool>) {
    loop {
        let done = tokio::select! {
            done = fill_all(&runtime) => done,
            () = stopped(&mut stop) => return,
        };
        match done {
            Ok(true) => break,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "rows for delivery metrics can't be derived now"),
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = stopped(&mut stop) => return,
        }
    }
    stopped(&mut stop).await;
}

/// Returns whether every repository has its rows.
async fn fill_all(runtime: &Runtime) -> Result<bool, StoreError> {
    if runtime.store.memo(SINCE).await?.is_none() {
        runtime.store.note(SINCE, Some(&runtime.clock.now().to_string())).await?;
    }
    let mut open = Vec::new();
    for row in runtime.store.all_repositories().await? {
        if !is_filled(runtime.store.as_ref(), &row.repo).await? {
            open.push(row.repo);
        }
    }
    let (all, mut told, mut skipped) = (open.len(), Instant::now(), false);
    for (done, repo) in open.into_iter().enumerate() {
        if told.elapsed() >= TELL_EVERY {
            tracing::info!(done, all, "deriving the rows for delivery metrics of earlier events");
            told = Instant::now();
        }
        match fill_one(runtime, &repo).await {
            Ok(()) => runtime.store.note(&memo(&repo), Some(&DEFINITION.to_string())).await?,
            // Another process decides on it, or the store does not answer.
            Err(Failure::NotNow(why)) => {
                skipped = true;
                tracing::debug!(%repo, why, "its rows are not derived yet");
            }
            Err(Failure::Fault(why)) => tracing::error!(%repo, why, "its rows for delivery metrics can't be derived"),
        }
    }
    Ok(!skipped)
}

async fn fill_one(runtime: &Runtime, repo: &RepoKey) -> Result<(), Failure> {
    let mut after: Option<ItemId> = None;
    loop {
        let mut held = runtime.repos.hold(repo).await;
        let state = held.take(runtime.store.as_ref()).await?;
        let (facts, now) = (&state.repo.facts, runtime.clock.now());
        let policy = runtime.policies.policy(repo, &facts.policy_files);
        let first = after.map_or(0, |after| after.saturating_add(1));
        let items: BTreeSet<ItemId> = facts.items.range(first..).take(ITEMS).map(|(number, _)| *number).collect();
        after = items.last().copied();
        let groups = match after {
            Some(_) => insight::rows_of_items(facts, &items, &policy, now),
            None => insight::rows_of_repository(facts, &policy, now),
        };
        for part in groups.chunks(GROUPS) {
            store(runtime, repo, part, held.lease()).await?;
        }
        held.put(state);
        drop(held);
        if items.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn store(
    runtime: &Runtime,
    repo: &RepoKey,
    groups: &[RowGroup],
    lease: Option<crate::port::store::Lease>,
) -> Result<(), StoreError> {
    let mut commit = Commit { repo: Some(repo.clone()), insight: groups.to_vec(), ..Commit::default() };
    commit.under.extend(lease);
    runtime.commit(commit).await
}
