//! Reads a repository's current state, page by page, into the inbox.
//!
//! Progress is stored after each page, so that a reader that was killed
//! continues there.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    app::{
        retry::persistently,
        survey::{self, Terms},
    },
    domain::id::ConnectionId,
    port::{
        clock::Clock,
        forge::{Forge, ForgeError},
        store::{Store, StoreError},
    },
};

/// Age from which an interrupted read starts over.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// Unreadable repositories in a row after which the forge is given a rest.
const MOST_FAILURES: usize = 5;

/// Reads repositories into the inbox.
pub struct Backfill<'a> {
    /// Receives the pages and the progress.
    pub store: &'a dyn Store,
    /// Forge that is read.
    pub forge: &'a dyn Forge,
    /// Clock.
    pub clock: &'a dyn Clock,
}

/// Selects the repository and items to read.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// `owner/name`.
    pub full_name: String,
    /// Reads only items that changed since.
    pub since: Option<Timestamp>,
    /// True if labels may be written.
    pub write: bool,
}

/// Progress of a read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Part being read, such as `issues`.
    pub part: String,
    /// Entries of the part read so far.
    pub read: u64,
    /// Entries in the part, as far as the forge reports it.
    pub expected: Option<u64>,
    /// Entries of all parts read so far.
    pub total: u64,
}

/// Reason why a read was broken off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackfillError {
    /// The App is not installed there.
    #[error("the App is not installed on {0}, or there is no such repository")]
    NotInstalled(String),
    /// The forge failed.
    #[error("{0}")]
    Forge(#[from] ForgeError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Position at which a read was interrupted.
#[derive(Serialize, Deserialize)]
struct Place {
    since: Option<Timestamp>,
    write: bool,
    noted_at: Timestamp,
    next: String,
    progress: Progress,
}

/// A repository, by its installation and its number.
type RepoPlace = (ConnectionId, u64);

/// Progress of a sweep.
#[derive(Serialize, Deserialize)]
struct Swept {
    since: Timestamp,
    /// Last repository that was tried; they are read in order.
    through: Option<RepoPlace>,
    /// Repositories that could not be read.
    failed: BTreeSet<RepoPlace>,
}

impl Swept {
    fn new(since: Timestamp) -> Self {
        Self { since, through: None, failed: BTreeSet::new() }
    }
}

impl Backfill<'_> {
    /// Reads everything wanted, or the rest of it; returns how many entries that was in all.
    /// Calls `tell` after each page.
    pub async fn read(&self, wanted: &Wanted, tell: &mut (dyn FnMut(&Progress) + Send)) -> Result<u64, BackfillError> {
        let installation = self.forge.connection_of(&wanted.full_name).await?;
        let installation = installation.ok_or_else(|| BackfillError::NotInstalled(wanted.full_name.clone()))?;
        let name = format!("backfill/{}/{}", self.forge.name(), wanted.full_name.to_lowercase());
        let broken_off = self.store.memo(&name).await?.and_then(|text| serde_json::from_str::<Place>(&text).ok());
        let broken_off = broken_off
            .filter(|place| place.write == wanted.write && self.clock.now().duration_since(place.noted_at) < STALE);
        let (since, mut at, mut progress) = match broken_off {
            Some(place) => (place.since, Some(place.next), place.progress),
            None => (wanted.since, None, Progress::default()),
        };
        // Without `since`, events before our records count as evidence too.
        let terms = Terms { write: wanted.write, since: None };
        loop {
            let page = self.forge.survey(installation, &wanted.full_name, since, at.as_deref()).await?;
            let count = page.events.len() as u64;
            if progress.part != page.part {
                progress = Progress { part: page.part.to_owned(), total: progress.total, ..Progress::default() };
            }
            progress.read += count;
            progress.total += count;
            progress.expected = page.expected;
            at.clone_from(&page.next);
            let now = self.clock.now();
            survey::post(self.store, page, terms, now).await?;
            tell(&progress);
            let Some(next) = at.clone() else {
                self.store.note(&name, None).await?;
                return Ok(progress.total);
            };
            let place = Place { since, write: wanted.write, noted_at: now, next, progress: progress.clone() };
            self.store.note(&name, Some(&serde_json::to_string(&place).unwrap_or_default())).await?;
        }
    }

    /// Reads what changed since a moment in every repository that we serve.
    /// Earlier events are no evidence. Returns how many entries were read.
    ///
    /// A repository that can't be read at present blocks no other: the next sweep,
    /// which continues where this one stopped, reads it last.
    pub async fn sweep(&self, since: Timestamp) -> Result<u64, BackfillError> {
        let name = format!("sweep/{}", self.forge.name());
        let kept = self.store.memo(&name).await?.and_then(|text| serde_json::from_str::<Swept>(&text).ok());
        let mut swept = kept.filter(|swept| swept.since == since).unwrap_or_else(|| Swept::new(since));
        let (mut read, mut failures, mut failed) = (0, 0, None);
        for (place, full_name) in self.left(&swept).await? {
            match self.look(place.0, &full_name, since).await {
                Ok(count) => {
                    (read, failures) = (read + count, 0);
                    swept.failed.remove(&place);
                }
                Err(BackfillError::Forge(error @ (ForgeError::Transient(_) | ForgeError::Doubt(_)))) => {
                    tracing::warn!(full_name, %error, "a repository can't be read now for what was missed");
                    failures += 1;
                    swept.failed.insert(place);
                    failed = Some(error);
                }
                Err(other) => return Err(other),
            }
            swept.through = swept.through.max(Some(place));
            self.store.note(&name, Some(&serde_json::to_string(&swept).unwrap_or_default())).await?;
            if failures >= MOST_FAILURES {
                break;
            }
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        self.store.note(&name, None).await?;
        Ok(read)
    }

    /// Lists the repositories that a sweep has not read, with their names; failed ones come last.
    async fn left(&self, swept: &Swept) -> Result<Vec<(RepoPlace, String)>, BackfillError> {
        let mut left = Vec::new();
        for installation in persistently(|| self.forge.connections()).await? {
            let served = self.store.repositories(self.forge.name(), installation).await?;
            let active = served.into_iter().filter(|row| row.active);
            left.extend(active.map(|row| ((installation, row.repo.id), row.full_name)));
        }
        left.retain(|(place, _)| swept.failed.contains(place) || swept.through.is_none_or(|through| *place > through));
        left.sort_by_key(|(place, _)| (swept.failed.contains(place), *place));
        Ok(left)
    }

    /// Reads what changed in one repository; returns how many entries.
    async fn look(&self, installation: ConnectionId, full_name: &str, since: Timestamp) -> Result<u64, BackfillError> {
        let mut read = 0;
        let mut at: Option<String> = None;
        loop {
            let page = persistently(|| self.forge.survey(installation, full_name, Some(since), at.as_deref())).await;
            let page = match page {
                Ok(page) => page,
                Err(ForgeError::NotFound(why) | ForgeError::Deleted(why) | ForgeError::Permanent(why)) => {
                    tracing::warn!(full_name, why, "a repository can't be read for what was missed");
                    return Ok(read);
                }
                Err(passing) => return Err(passing.into()),
            };
            read += page.events.len() as u64;
            at.clone_from(&page.next);
            let terms = Terms { write: true, since: Some(since) };
            survey::post(self.store, page, terms, self.clock.now()).await?;
            if at.is_none() {
                return Ok(read);
            }
        }
    }
}
