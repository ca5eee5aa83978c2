//! Rows for delivery metrics: reads them, and derives those of repositories that an earlier version
//! decided on.

pub mod csv;
pub mod report;
pub(crate) mod stale;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    app::{decision::Failure, runtime::Runtime, wake::stopped},
    domain::{
        id::RepoKey,
        insight::{RowGroup, RowKind},
    },
    insight::{InsightRows, TermsRow, Walk, rows::DEFINITION},
    port::store::{Commit, InsightPage, Store, StoreError},
};

/// Rows of one page.
const PAGE: usize = 5_000;
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
    for kind in RowKind::OF_FIGURES {
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

/// Returns whether the rows of everything on record were derived under the policy in force: by the
/// fill, or with each event because the record began after this version first started.
pub async fn is_complete(store: &dyn Store, repo: &RepoKey, terms: &TermsRow) -> Result<bool, StoreError> {
    let [filled, since] = completeness(repo);
    Ok(shows_completeness(store.memo(&filled).await?, store.memo(&since).await?, terms))
}

/// Returns the names under which the program stores what [`shows_completeness`] needs.
pub(crate) fn completeness(repo: &RepoKey) -> [String; 2] {
    [memo(repo), SINCE.to_owned()]
}

/// Like [`is_complete`], from the values of [`completeness`].
pub(crate) fn shows_completeness(filled: Option<String>, since: Option<String>, terms: &TermsRow) -> bool {
    if let Some(filled) = parsed(filled) {
        return filled.is_done_for(&terms.policy);
    }
    let since: Option<Timestamp> = since.and_then(|at| at.parse().ok());
    since.zip(terms.recorded_since).is_some_and(|(since, began)| began.duration_since(since) > -SLACK)
}

/// Returns whether the fill derived every row of a repository by the present definitions.
pub async fn is_filled(store: &dyn Store, repo: &RepoKey) -> Result<bool, StoreError> {
    Ok(filled(store, repo).await?.is_some_and(|filled| filled.next.is_none()))
}

/// How far the rows of a repository were derived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Filled {
    /// Version of the definitions.
    definition: u32,
    /// Version of the policy.
    policy: String,
    /// Where to go on; `None`: it is done.
    next: Option<Walk>,
}

impl Filled {
    fn is_done_for(&self, policy: &str) -> bool {
        self.next.is_none() && self.policy == policy
    }
}

/// Returns how far a repository's rows were derived by the present definitions.
async fn filled(store: &dyn Store, repo: &RepoKey) -> Result<Option<Filled>, StoreError> {
    Ok(parsed(store.memo(&memo(repo)).await?))
}

fn parsed(known: Option<String>) -> Option<Filled> {
    let filled: Option<Filled> = known.and_then(|known| serde_json::from_str(&known).ok());
    filled.filter(|filled| filled.definition == DEFINITION)
}

/// Records that every row of a repository was derived under a policy.
pub async fn note_filled(store: &dyn Store, repo: &RepoKey, policy: &str) -> Result<(), StoreError> {
    let filled = Filled { definition: DEFINITION, policy: policy.to_owned(), next: None };
    store.note(&memo(repo), Some(&serde_json::json!(filled).to_string())).await
}

fn memo(repo: &RepoKey) -> String {
    format!("insight/{}/{}", repo.forge, repo.id)
}

/// Derives the rows of every repository that has none yet, or whose policy changed, one after the
/// other, beside everything else. A process that is stopped goes on from the step at which it was when
/// it starts again.
pub(crate) async fn fill(runtime: Arc<Runtime>, mut stop: watch::Receiver<bool>) {
    let mut first = true;
    loop {
        let done = tokio::select! {
            done = fill_some(&runtime, first) => done,
            () = stopped(&mut stop) => return,
        };
        match done {
            Ok(true) => {
                first = false;
                tokio::select! {
                    () = runtime.stale_rows.added() => {}
                    () = stopped(&mut stop) => return,
                }
                continue;
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "rows for delivery metrics can't be derived now"),
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

/// Derives the rows of all repositories, or of those whose terms changed. Returns whether nothing is
/// left.
async fn fill_some(runtime: &Runtime, all: bool) -> Result<bool, StoreError> {
    let mut open: BTreeSet<RepoKey> = runtime.stale_rows.take();
    if all {
        if runtime.store.memo(SINCE).await?.is_none() {
            runtime.store.note(SINCE, Some(&runtime.clock.now().to_string())).await?;
        }
        for row in runtime.store.all_repositories().await? {
            if !is_up_to_date(runtime.store.as_ref(), &row.repo).await? {
                open.insert(row.repo);
            }
        }
    }
    let (all, mut told, mut skipped) = (open.len(), Instant::now(), false);
    for (done, repo) in open.into_iter().enumerate() {
        if told.elapsed() >= TELL_EVERY {
            tracing::info!(done, all, "deriving the rows for delivery metrics of earlier events");
            told = Instant::now();
        }
        match fill_one(runtime, &repo).await {
            Ok(()) => {}
            // Another process decides on it, or the store does not answer.
            Err(Failure::NotNow(why)) => {
                skipped = true;
                runtime.stale_rows.add(repo.clone());
                tracing::debug!(%repo, why, "its rows are not derived yet");
            }
            Err(Failure::Fault(why)) => tracing::error!(%repo, why, "its rows for delivery metrics can't be derived"),
        }
    }
    Ok(!skipped)
}

/// Returns whether the rows are of the policy under which the last of them were derived.
async fn is_up_to_date(store: &dyn Store, repo: &RepoKey) -> Result<bool, StoreError> {
    let Some(filled) = filled(store, repo).await? else { return Ok(false) };
    let page = InsightPage { kind: RowKind::Terms, since: Timestamp::MIN, after: None, limit: 1 };
    let mut rows = InsightRows::default();
    for row in store.insight(repo, &page).await? {
        rows.add(RowKind::Terms, &row.body);
    }
    Ok(rows.terms.map_or(filled.next.is_none(), |terms| filled.is_done_for(&terms.policy)))
}

async fn fill_one(runtime: &Runtime, repo: &RepoKey) -> Result<(), Failure> {
    let mut known = filled(runtime.store.as_ref(), repo).await?;
    loop {
        let mut held = runtime.repos.hold(repo).await;
        let state = held.take(runtime.store.as_ref()).await?;
        let (facts, now) = (&state.repo.facts, runtime.clock.now());
        let policy = runtime.policies.policy(repo, &facts.policy_files);
        let walk = match known.take().filter(|known| known.policy == policy.version) {
            Some(known) => known.next,
            None => Some(Walk::default()),
        };
        let Some(walk) = walk else {
            held.put(state);
            return Ok(());
        };
        let (groups, next) = walk.step(facts, &policy, now);
        for part in groups.chunks(GROUPS) {
            store(runtime, repo, part, held.lease()).await?;
        }
        held.put(state);
        drop(held);
        let done = next.is_none();
        let filled = Filled { definition: DEFINITION, policy: policy.version.clone(), next };
        runtime.store.note(&memo(repo), Some(&serde_json::json!(filled).to_string())).await?;
        if done {
            return Ok(());
        }
        known = Some(filled);
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
