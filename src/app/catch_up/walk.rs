//! What the forge sent and we don't have: found in its own list, and taken in.
//!
//! The list is compared with the inbox by the deliveries' ids, not by whether
//! the forge calls them delivered: what was acknowledged and lost afterwards,
//! as by restoring a backup, is found too. What is missing comes through the
//! same door as a webhook and under the same id, so that a later redelivery is
//! a repetition.

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

/// The list is walked so much further back than it was last time: it may lag,
/// and clocks differ.
const SLACK: SignedDuration = SignedDuration::from_mins(10);
/// Missing deliveries that are remembered in one walk. More are left to the
/// next one; an hour's API calls do not suffice for so many.
const MOST_MISSING: usize = 10_000;
/// Deliveries fetched side by side.
const AT_ONCE: usize = 4;
/// The forge fails for one delivery now and then, and is believed to fail
/// altogether when so many in a row could not be had.
const MOST_FAILURES: usize = 5;
/// Skipped deliveries that are remembered; beyond them a walk is broken off.
const MOST_SKIPPED: usize = 200;
/// Rest before what the list has had for less than [`SLACK`], and is not there, is called gone.
const LAG: Duration = Duration::from_secs(1);

/// For so long GitHub surely keeps a delivery: three days, less some slack.
const LISTED: SignedDuration = SignedDuration::from_hours(71);
/// How often the items of a forge without a list are looked at.
const UNLISTED_EVERY: SignedDuration = SignedDuration::from_mins(59);
/// What was lost concerns every process that starts within this time: they
/// start together, or one goes on where another crashed.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// What catching up works with.
pub struct CatchUp<'a> {
    /// The inbox to compare with; keeps how far the last walk came.
    pub store: &'a dyn Store,
    /// The forge that is asked.
    pub forge: &'a dyn Forge,
    /// The door.
    pub door: &'a dyn TakeIn,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// What one walk found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caught {
    /// Entries of the forge's list that were looked at.
    pub seen: u64,
    /// Deliveries that were missing and are taken in now.
    pub taken: u64,
    /// Of those: deliveries that we had acknowledged, and lost.
    pub lost: u64,
    /// The last of them in the inbox.
    pub through: Seq,
    /// Deliveries that are missing and that the forge can't show any more.
    pub gone: u64,
    /// Deliveries that can't be had at present: the next walk asks for them again.
    pub skipped: u64,
    /// There is more: walk again.
    pub more: bool,
    /// Since when nothing is known to have been taken in although the forge
    /// keeps its list no longer than that: only a look at the items helps.
    pub gap: Option<Timestamp>,
}

/// Why a walk was broken off. What was taken in until then stays taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatchUpError {
    /// The forge.
    #[error("{0}")]
    Forge(#[from] ForgeError),
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// How far the last whole walk came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// Everything sent until then was looked at, by the forge's clock.
    until: Timestamp,
    /// When it began, by ours.
    walked_at: Timestamp,
}

/// What a walk of the list found.
#[derive(Default)]
struct Found {
    seen: u64,
    newest: Option<Timestamp>,
    /// Oldest first.
    missing: VecDeque<SentDelivery>,
    more: bool,
}

impl CatchUp<'_> {
    /// Walks the forge's list back to where the last walk began, or to `since`,
    /// and takes in what is missing, oldest first.
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
        // Without a list, or beyond it, only the items themselves tell.
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

    /// Something that we had acknowledged is missing.
    async fn note_lost(&self) -> Result<(), StoreError> {
        self.store.note(&lost_memo(self.forge.name()), Some(&self.clock.now().to_string())).await
    }

    async fn mark(&self, name: &str, mark: Mark) -> Result<(), StoreError> {
        self.store.note(name, Some(&serde_json::to_string(&mark).unwrap_or_default())).await
    }

    /// What is in the forge's list and not in the inbox; `None`: the forge has no list.
    async fn compare(&self, back_to: Option<Timestamp>) -> Result<Option<Found>, CatchUpError> {
        let mut found = Found::default();
        let mut known_missing = BTreeSet::new();
        let mut page: Option<String> = None;
        loop {
            // A list may have hundreds of pages: one lost answer is no reason to begin anew.
            let Some(sent) = persistently(|| self.forge.sent(page.as_deref())).await? else { return Ok(None) };
            let ids: Vec<String> = sent.deliveries.iter().map(|sent| sent.delivery.clone()).collect();
            let here = self.store.taken_in(self.forge.name(), &ids).await?;
            for delivery in sent.deliveries {
                if back_to.is_some_and(|back_to| delivery.at < back_to) {
                    return Ok(Some(found));
                }
                found.seen += 1;
                found.newest = found.newest.max(Some(delivery.at));
                // A delivery that was tried again is in the list more than once.
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
                // It is in the list: a replica may lag behind that, and nobody asks for it again.
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
                        // Before it is there for others, and whatever becomes of this process.
                        self.note_lost().await?;
                    }
                    match self.door.take_in(self.forge.name(), verified, body).await? {
                        // It came by itself meanwhile.
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

/// Deliveries that could not be had, so that the walk went on without them.
#[derive(Default, Serialize, Deserialize)]
struct Skipped(Vec<Left>);

/// A [`SentDelivery`] as it is kept.
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

    /// What is missing with what was skipped before, which comes last.
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

    /// Remembers a delivery that failed, and forgets one that did not.
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

/// Since when a forge's items have to be looked at, if they have.
pub(super) async fn gap(store: &dyn Store, forge: &ForgeName) -> Result<Option<Timestamp>, StoreError> {
    Ok(store.memo(&gap_memo(forge)).await?.and_then(|text| text.parse().ok()))
}

/// The items were looked at.
pub(super) async fn forget_gap(store: &dyn Store, forge: &ForgeName) -> Result<(), StoreError> {
    store.note(&gap_memo(forge), None).await
}

/// Noted before the mark moves on: a crash must not forget it. An earlier gap stays.
async fn remember_gap(store: &dyn Store, forge: &ForgeName, since: Timestamp) -> Result<(), StoreError> {
    let since = gap(store, forge).await?.map_or(since, |known| known.min(since));
    store.note(&gap_memo(forge), Some(&since.to_string())).await
}

/// Whether something that we had acknowledged was missing a moment ago,
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
