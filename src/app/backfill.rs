//! Reads a repository as it is, page by page, into the inbox.
//!
//! How far it came is noted after each page, so that one who was killed goes
//! on there.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::survey::{self, Terms};
use crate::port::{
    clock::Clock,
    forge::{Forge, ForgeError},
    store::{Store, StoreError},
};

/// A reading that was broken off longer ago begins anew.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// What a reading works with.
pub struct Backfill<'a> {
    /// Where pages go, and how far it came.
    pub store: &'a dyn Store,
    /// The forge that is read.
    pub forge: &'a dyn Forge,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// What to read.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// `owner/name`.
    pub full_name: String,
    /// Only what changed since.
    pub since: Option<Timestamp>,
    /// Labels may be written.
    pub write: bool,
}

/// How far a reading came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being read, such as `issues`.
    pub part: String,
    /// How much of that was read.
    pub read: u64,
    /// How much there is, as far as the forge tells.
    pub expected: Option<u64>,
    /// Everything read so far.
    pub total: u64,
}

/// Why a reading was broken off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackfillError {
    /// The App is not installed there.
    #[error("the App is not installed on {0}, or there is no such repository")]
    NotInstalled(String),
    /// The forge.
    #[error("{0}")]
    Forge(#[from] ForgeError),
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Where a reading was broken off.
#[derive(Serialize, Deserialize)]
struct Place {
    since: Option<Timestamp>,
    write: bool,
    noted_at: Timestamp,
    next: String,
    progress: Progress,
}

impl Backfill<'_> {
    /// Reads everything wanted, or what is left of it; returns how much that was in all.
    /// `tell` hears of each page.
    pub async fn read(&self, wanted: &Wanted, tell: &mut (dyn FnMut(&Progress) + Send)) -> Result<u64, BackfillError> {
        let installation = self.forge.installation_of(&wanted.full_name).await?;
        let installation = installation.ok_or_else(|| BackfillError::NotInstalled(wanted.full_name.clone()))?;
        let name = format!("backfill/{}/{}", self.forge.name(), wanted.full_name.to_lowercase());
        let broken_off = self.store.memo(&name).await?.and_then(|text| serde_json::from_str::<Place>(&text).ok());
        let broken_off = broken_off
            .filter(|place| place.write == wanted.write && self.clock.now().duration_since(place.noted_at) < STALE);
        let (since, mut at, mut progress) = match broken_off {
            Some(place) => (place.since, Some(place.next), place.progress),
            None => (wanted.since, None, Progress::default()),
        };
        // With it, what lies before our record counts as evidence too.
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
    /// What happened before it is no evidence. Returns how much was read.
    pub async fn sweep(&self, since: Timestamp) -> Result<u64, BackfillError> {
        let mut read = 0;
        for installation in self.forge.installations().await? {
            let served = self.store.repositories(self.forge.name(), installation).await?;
            for row in served.into_iter().filter(|row| row.active) {
                let mut at: Option<String> = None;
                loop {
                    let page = self.forge.survey(installation, &row.full_name, Some(since), at.as_deref()).await;
                    let page = match page {
                        Ok(page) => page,
                        Err(ForgeError::NotFound(why) | ForgeError::Deleted(why) | ForgeError::Permanent(why)) => {
                            tracing::warn!(repo = %row.repo, why, "a repository can't be read for what was missed");
                            break;
                        }
                        Err(passing) => return Err(passing.into()),
                    };
                    read += page.events.len() as u64;
                    at.clone_from(&page.next);
                    let terms = Terms { write: true, since: Some(since) };
                    survey::post(self.store, page, terms, self.clock.now()).await?;
                    if at.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(read)
    }
}
