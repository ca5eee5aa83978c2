//! Finds deliveries that the forge sent and the inbox lacks, and takes them in.
//!
//! The walk compares the forge's list with the inbox by delivery id and ignores whether the
//! forge calls a delivery acknowledged. It therefore also finds deliveries that were
//! acknowledged and lost afterwards, for example by restoring a backup. A missing delivery
//! enters through the same [`TakeIn`] as a webhook and under the same id, so that a later
//! redelivery is recognised as a duplicate.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    app::{clock::after, retry::persistently},
    domain::id::ForgeName,
    metric,
    port::{
        clock::Clock,
        forge::{Forge, ForgeError, SentDelivery},
        intake::TakeIn,
        store::{Accepted, Seq, Store, StoreError},
    },
};

/// Overlap with the previous walk: the list may lag, and clocks differ.
const SLACK: SignedDuration = SignedDuration::from_mins(10);
/// Most missing deliveries remembered in one walk. The rest is left to the next walk: an hour's
/// API calls do not suffice for so many.
const MOST_MISSING: usize = 10_000;
/// Deliveries fetched in parallel.
const AT_ONCE: usize = 4;
/// Failed fetches in a row after which the walk is broken off. A forge occasionally fails for
/// one delivery; this many in a row mean that it fails altogether.
const MOST_FAILURES: usize = 5;
/// Most skipped deliveries remembered; a further one breaks the walk off.
const MOST_SKIPPED: usize = 200;
/// Wait before fetching a listed delivery, younger than [`SLACK`], that was not found again.
const LAG: Duration = Duration::from_secs(1);

/// Age up to which GitHub surely keeps a delivery: three days, less some slack.
const LISTED: SignedDuration = SignedDuration::from_hours(71);
/// Interval between surveys of the items of a forge that has no list.
const UNLISTED_EVERY: SignedDuration = SignedDuration::from_mins(59);
/// Time for which a lost delivery concerns every process that starts: processes start together,
/// or one continues where another crashed.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// Walks a forge's list of deliveries.
pub struct CatchUp<'a> {
    /// Inbox to compare with; also stores the progress of the last walk.
    pub store: &'a dyn Store,
    /// Forge whose list is read.
    pub forge: &'a dyn Forge,
    /// Takes the missing deliveries in.
    pub door: &'a dyn TakeIn,
    /// Clock.
    pub clock: &'a dyn Clock,
}

/// Result of one walk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caught {
    /// Entries of the forge's list that were read.
    pub seen: u64,
    /// Deliveries that were missing and have been taken in.
    pub taken: u64,
    /// Deliveries among [`taken`](Self::taken) that we had acknowledged and lost.
    pub lost: u64,
    /// Highest number in the inbox of a delivery that was taken in.
    pub through: Seq,
    /// Missing deliveries that the forge can't return any more.
    pub gone: u64,
    /// Missing deliveries that can't be fetched at present; the next walk asks for them again.
    pub skipped: u64,
    /// True if more is missing: walk again.
    pub more: bool,
    /// Start of the period that the forge's list no longer covers and in which deliveries may be
    /// missing. Only a survey of the items closes such a gap.
    pub gap: Option<Timestamp>,
}

/// Reason why a walk was broken off. Deliveries taken in before that stay in the inbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatchUpError {
    /// The forge failed.
    #[error("{0}")]
    Forge(#[from] ForgeError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Progress of the last complete walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// Everything sent before this was compared (the forge's clock).
    until: Timestamp,
    /// Time at which the walk began (our clock).
    walked_at: Timestamp,
}

/// Result of comparing the forge's list with the inbox.
#[derive(Default)]
struct Found {
    seen: u64,
    newest: Option<Timestamp>,
    /// Missing deliveries, oldest first.
    missing: VecDeque<SentDelivery>,
    more: bool,
}

impl CatchUp<'_> {
    /// Walks the forge's list back to where the last walk began, or to `since`, and takes in the
    /// missing deliveries, oldest first.
    pub async fn walk(&self, since: Option<Timestamp>) -> Result<Caught, CatchUpError> {
        let outcome = self.walk_and_take(since).await;
        let forge = self.forge.name().to_string();
        let told = match &outcome {
            Ok(_) => "done",
            Err(CatchUpError::Forge(ForgeError::RateLimited { .. })) => "limited",
            Err(_) => "failed",
        };
        metrics::counter!(metric::CATCH_UPS, "forge" => forge, "outcome" => told).increment(1);
        outcome
    }

    async fn walk_and_take(&self, since: Option<Timestamp>) -> Result<Caught, CatchUpError> {
        let name = format!("catch-up/{}", self.forge.name());
        let mark = self.store.memo(&name).await?.and_then(|text| serde_json::from_str::<Mark>(&text).ok());
        let walked_at = self.clock.now();
        let back_to = since.or_else(|| mark.map(|mark| after(mark.until, -SLACK)));
        let found = self.compare(back_to).await?;
        let past = mark.map(|mark| walked_at.duration_since(mark.walked_at));
        // Without a list, or beyond its reach, only the items themselves show what happened.
        let blind = match &found {
            Some(_) => past.is_some_and(|past| past > LISTED),
            None => past.is_none_or(|past| past > UNLISTED_EVERY),
        };
        let gap = mark.filter(|_| blind && since.is_none()).map(|mark| after(mark.until, -SLACK));
        if let Some(gap) = gap {
            remember_gap(self.store, self.forge.name(), gap).await?;
        }
        let Some(found) = found else {
            if blind {
                self.mark(&name, Mark { until: walked_at, walked_at }).await?;
            }
            return Ok(Caught { gap, ..Caught::default() });
        };
        let mut caught = Caught { seen: found.seen, more: found.more, gap, ..Caught::default() };
        let mut skipped = Skipped::read(self.store, self.forge.name()).await?;
        let taken = self.take(skipped.last(found.missing), &mut caught, &mut skipped).await;
        skipped.keep(self.store, self.forge.name()).await?;
        taken?;
        if !caught.more && since.is_none() {
            let until = found.newest.or(mark.map(|mark| mark.until)).unwrap_or(walked_at);
            self.mark(&name, Mark { until, walked_at }).await?;
        }
        Ok(caught)
    }

    /// Records that a delivery that we had acknowledged is missing.
    async fn note_lost(&self) -> Result<(), StoreError> {
        self.store.note(&lost_memo(self.forge.name()), Some(&self.clock.now().to_string())).await
    }

    async fn mark(&self, name: &str, mark: Mark) -> Result<(), StoreError> {
        self.store.note(name, Some(&serde_json::to_string(&mark).unwrap_or_default())).await
    }

    /// Returns the listed deliveries that the inbox lacks; `None` if the forge has no list.
    async fn compare(&self, back_to: Option<Timestamp>) -> Result<Option<Found>, CatchUpError> {
        let mut found = Found::default();
        let mut known_missing = BTreeSet::new();
        let mut page: Option<String> = None;
        loop {
            // A list may have hundreds of pages: one lost response is no reason to start over.
            let Some(sent) = persistently(|| self.forge.sent(page.as_deref())).await? else { return Ok(None) };
            let ids: Vec<String> = sent.deliveries.iter().map(|sent| sent.delivery.clone()).collect();
            let here = self.store.taken_in(self.forge.name(), &ids).await?;
            for delivery in sent.deliveries {
                if back_to.is_some_and(|back_to| delivery.at < back_to) {
                    return Ok(Some(found));
                }
                found.seen += 1;
                found.newest = found.newest.max(Some(delivery.at));
                // A delivery that was sent again is in the list more than once.
                if here.contains(&delivery.delivery) || !known_missing.insert(delivery.delivery.clone()) {
                    continue;
                }
                found.missing.push_front(delivery);
                if found.missing.len() > MOST_MISSING
                    && let Some(newest) = found.missing.pop_back()
                {
                    known_missing.remove(&newest.delivery);
                    found.more = true;
                }
            }
            match sent.next {
                Some(next) if page.as_ref() != Some(&next) => page = Some(next),
                _ => return Ok(Some(found)),
            }
        }
    }

    async fn take(
        &self,
        missing: VecDeque<SentDelivery>,
        caught: &mut Caught,
        skipped: &mut Skipped,
    ) -> Result<(), CatchUpError> {
        let mut failures = 0;
        let fetch = async |sent: SentDelivery| {
            let mut fetched = persistently(|| self.forge.sent_delivery(sent.id)).await;
            if matches!(fetched, Ok(None)) && self.clock.now().duration_since(sent.at) < SLACK {
                // A replica of the forge may lag, and no later walk asks for this delivery.
                tokio::time::sleep(LAG).await;
                fetched = persistently(|| self.forge.sent_delivery(sent.id)).await;
            }
            (sent, fetched)
        };
        let mut fetched = stream::iter(missing).map(fetch).buffered(AT_ONCE);
        while let Some((sent, fetched)) = fetched.next().await {
            let failed = matches!(fetched, Err(ForgeError::Transient(_) | ForgeError::Doubt(_)));
            failures = if failed { failures + 1 } else { 0 };
            if !matches!(fetched, Err(ForgeError::RateLimited { .. })) {
                skipped.note(&sent, failed);
            }
            let (outcome, count) = match fetched {
                Ok(Some((verified, body))) => {
                    if sent.acknowledged && caught.lost == 0 {
                        // Recorded before others can see the delivery: a crash must not lose it.
                        self.note_lost().await?;
                    }
                    match self.door.take_in(self.forge.name(), verified, body).await? {
                        // The webhook arrived meanwhile.
                        Accepted::Duplicate(_) => continue,
                        Accepted::New(seq) => {
                            caught.through = caught.through.max(seq);
                            let (id, acknowledged) = (&sent.delivery, sent.acknowledged);
                            tracing::info!(id, seq, acknowledged, "a missed delivery was taken in");
                        }
                    }
                    caught.taken += 1;
                    if sent.acknowledged { ("lost", Some(&mut caught.lost)) } else { ("missed", None) }
                }
                Ok(None) => ("gone", Some(&mut caught.gone)),
                Err(ForgeError::Permanent(why) | ForgeError::NotFound(why) | ForgeError::Deleted(why)) => {
                    tracing::warn!(id = sent.delivery, why, "a missed delivery can't be had from the forge");
                    ("gone", Some(&mut caught.gone))
                }
                Err(why) if failed && failures < MOST_FAILURES && skipped.0.len() < MOST_SKIPPED => {
                    tracing::warn!(id = sent.delivery, %why, "a missed delivery can't be had now and is skipped");
                    if sent.acknowledged {
                        self.note_lost().await?;
                    }
                    ("skipped", Some(&mut caught.skipped))
                }
                Err(passing) => return Err(passing.into()),
            };
            if let Some(count) = count {
                *count += 1;
            }
            let forge = self.forge.name().to_string();
            metrics::counter!(metric::CAUGHT_UP, "forge" => forge, "outcome" => outcome).increment(1);
        }
        Ok(())
    }
}

/// Deliveries that could not be fetched and were skipped.
#[derive(Default, Serialize, Deserialize)]
struct Skipped(Vec<Left>);

/// A [`SentDelivery`] as it is stored.
#[derive(Serialize, Deserialize)]
struct Left {
    id: u64,
    delivery: String,
    at: Timestamp,
    acknowledged: bool,
}

impl Skipped {
    async fn read(store: &dyn Store, forge: &ForgeName) -> Result<Self, StoreError> {
        let kept: Self = store
            .memo(&skipped_memo(forge))
            .await?
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let ids: Vec<String> = kept.0.iter().map(|left| left.delivery.clone()).collect();
        let here = store.taken_in(forge, &ids).await?;
        Ok(Self(kept.0.into_iter().filter(|left| !here.contains(&left.delivery)).collect()))
    }

    async fn keep(&self, store: &dyn Store, forge: &ForgeName) -> Result<(), StoreError> {
        let text = serde_json::to_string(self).unwrap_or_default();
        store.note(&skipped_memo(forge), (!self.0.is_empty()).then_some(text.as_str())).await
    }

    /// Returns the missing deliveries, followed by those skipped before.
    fn last(&self, mut missing: VecDeque<SentDelivery>) -> VecDeque<SentDelivery> {
        missing.retain(|sent| self.0.iter().all(|left| left.delivery != sent.delivery));
        missing.extend(self.0.iter().map(|left| SentDelivery {
            id: left.id,
            delivery: left.delivery.clone(),
            at: left.at,
            acknowledged: left.acknowledged,
        }));
        missing
    }

    /// Remembers a delivery whose fetch failed, and forgets one whose fetch did not.
    fn note(&mut self, sent: &SentDelivery, failed: bool) {
        self.0.retain(|left| left.delivery != sent.delivery);
        if failed {
            let SentDelivery { id, delivery, at, acknowledged } = sent.clone();
            self.0.push(Left { id, delivery, at, acknowledged });
        }
    }
}

fn skipped_memo(forge: &ForgeName) -> String {
    format!("skipped/{forge}")
}

/// Returns the time since when a forge's items have to be surveyed, if they have to be.
pub(super) async fn gap(store: &dyn Store, forge: &ForgeName) -> Result<Option<Timestamp>, StoreError> {
    Ok(store.memo(&gap_memo(forge)).await?.and_then(|text| text.parse().ok()))
}

/// Removes the gap once the items were surveyed.
pub(super) async fn forget_gap(store: &dyn Store, forge: &ForgeName) -> Result<(), StoreError> {
    store.note(&gap_memo(forge), None).await
}

/// Stores a gap; an earlier one stays. Called before the mark advances, so that a crash does not
/// forget the gap.
async fn remember_gap(store: &dyn Store, forge: &ForgeName, since: Timestamp) -> Result<(), StoreError> {
    let since = gap(store, forge).await?.map_or(since, |known| known.min(since));
    store.note(&gap_memo(forge), Some(&since.to_string())).await
}

/// Returns whether a delivery that we had acknowledged was found missing within [`LATELY`],
/// whichever process took it in.
pub(super) async fn lost_lately(store: &dyn Store, forge: &ForgeName, now: Timestamp) -> Result<bool, StoreError> {
    let noted = store.memo(&lost_memo(forge)).await?.and_then(|text| text.parse::<Timestamp>().ok());
    Ok(noted.is_some_and(|at| now.duration_since(at) < LATELY))
}

fn lost_memo(forge: &ForgeName) -> String {
    format!("lost/{forge}")
}

fn gap_memo(forge: &ForgeName) -> String {
    format!("gap/{forge}")
}
