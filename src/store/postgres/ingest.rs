//! Takes deliveries in, many in one transaction.
//!
//! A task collects waiting deliveries, sends them as one statement, and replies
//! once it is committed. An advisory lock, held until the commit, lets one
//! replica write at a time. Numbers therefore become visible in order, and the
//! order of arrival is the order of numbers, however many replicas take in.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::{
    Semaphore,
    mpsc::{self, error::TrySendError},
    oneshot,
};

use crate::{
    port::store::{Accepted, NewDelivery, Seq, StoreError},
    store::{
        pack::{Packed, pack},
        postgres::{
            db::{Db, Step, Work, patiently, pipeline},
            value::{args, bits, col, count, millis, number, text},
        },
        timely::turned,
    },
};

/// Most deliveries in one transaction.
const BATCH: usize = 256;
/// Deliveries that may wait; one beyond that is refused.
const QUEUE: usize = 1024;
/// Limit on packed bodies that wait or are being sent (KiB). More than the largest body.
const BACKLOG_KIB: usize = 48 * 1024;
/// Size from which a transaction takes no further deliveries (bytes).
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Advisory lock for taking deliveries in: "phas" in ASCII, plus one.
const INGEST_LOCK: i64 = 0x7068_6174;

/// Handle of the task, which ends when the last handle drops.
pub(super) struct Ingest {
    jobs: mpsc::Sender<Job>,
    backlog: Arc<Semaphore>,
}

/// A delivery with its packed body.
type Item = (NewDelivery, Packed);

struct Job {
    items: Vec<Item>,
    answer: oneshot::Sender<Result<Vec<Accepted>, StoreError>>,
    /// Share of the backlog.
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Ingest {
    /// Starts the task.
    pub(super) fn start(db: Db) -> Self {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(run(db, waiting));
        Self { jobs, backlog: Arc::new(Semaphore::new(BACKLOG_KIB)) }
    }

    /// Stores deliveries, each once, all or none. Refuses at once when too much waits.
    pub(super) async fn accept(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Accepted>, StoreError> {
        let mut items = Vec::with_capacity(deliveries.len());
        for mut new in deliveries {
            let body = pack(std::mem::take(&mut new.body)).await?;
            items.push((new, body));
        }
        let share = u32::try_from((size_of(&items) / 1024 + 1).min(BACKLOG_KIB)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.backlog).try_acquire_many_owned(share).map_err(|_| overloaded())?;
        let (answer, answered) = oneshot::channel();
        let job = Job { items, answer, _permit: permit };
        self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => overloaded(),
            TrySendError::Closed(_) => stopped(),
        })?;
        answered.await.map_err(|_| stopped())?
    }
}

/// Returns the size of packed bodies in bytes.
fn size_of(items: &[Item]) -> usize {
    items.iter().map(|(_, body)| body.frame.len()).sum()
}

fn overloaded() -> StoreError {
    StoreError::Unavailable("too many deliveries wait".to_owned())
}

fn stopped() -> StoreError {
    StoreError::Unavailable("taking in has stopped".to_owned())
}

async fn run(db: Db, mut waiting: mpsc::Receiver<Job>) {
    let mut batch: Vec<Job> = Vec::with_capacity(BATCH);
    while let Some(first) = waiting.recv().await {
        let mut bytes = size_of(&first.items);
        batch.push(first);
        while batch.len() < BATCH
            && bytes < BATCH_BYTES
            && let Ok(next) = waiting.try_recv()
        {
            bytes += size_of(&next.items);
            batch.push(next);
        }
        let items: Vec<&Item> = batch.iter().flat_map(|job| &job.items).collect();
        let kept = keep(&db, &items).await;
        if let Err(error) = &kept {
            tracing::error!(%error, deliveries = items.len(), "deliveries can't be kept");
        }
        let mut next = 0;
        for job in batch.drain(..) {
            let own = next..next + job.items.len();
            next = own.end;
            let accepted =
                kept.as_ref().map_err(Clone::clone).and_then(|kept| Ok(kept.get(own).ok_or_else(stopped)?.to_vec()));
            // The receiver is gone if the caller was cancelled; the delivery is stored anyway.
            let _ = job.answer.send(accepted);
        }
    }
}

/// Stores the whole batch in one transaction.
async fn keep(db: &Db, batch: &[&Item]) -> Result<Vec<Accepted>, StoreError> {
    let mut work = db.work().await?;
    patiently(async {
        let (firsts, which) = without_repetitions(batch);
        let made = insert(&work, &firsts).await?;
        work.plain("COMMIT").await?;
        let known = if made.iter().all(Option::is_some) { Vec::new() } else { find(&work, &firsts).await? };
        let mut seen = vec![false; firsts.len()];
        let answer = |first: &usize| {
            let repeated = std::mem::replace(&mut seen[*first], true);
            match made[*first] {
                Some(seq) if !repeated => Ok(Accepted::New(seq)),
                Some(seq) => Ok(Accepted::Duplicate(seq)),
                None => known.get(*first).copied().flatten().map(Accepted::Duplicate).ok_or_else(pruned),
            }
        };
        which.iter().map(answer).collect()
    })
    .await
    .inspect(|_| work.end())
}

fn pruned() -> StoreError {
    StoreError::Unavailable("a delivery was forgotten while it came again".to_owned())
}

/// Returns the distinct deliveries of a batch and, for each one, its index among them.
fn without_repetitions<'a>(batch: &[&'a Item]) -> (Vec<&'a Item>, Vec<usize>) {
    let mut firsts: Vec<&Item> = Vec::with_capacity(batch.len());
    let mut known: HashMap<(&str, &str, &str), usize> = HashMap::with_capacity(batch.len());
    let which = batch
        .iter()
        .map(|item| {
            let new = &item.0;
            let identity = (new.forge.0.as_str(), new.hook.as_str(), new.delivery.as_str());
            *known.entry(identity).or_insert_with(|| {
                firsts.push(item);
                firsts.len() - 1
            })
        })
        .collect();
    (firsts, which)
}

/// Inserts rows in the order given, which is the order of their numbers. The repository of an
/// alert is looked up by name, if possible.
pub(super) const ACCEPT: &str = "
    WITH given AS (
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int8[], $7::text[],
                             $8::int8[], $9::int8[], $10::text[], $11::text[], $12::int8[], $13::bytea[])
            WITH ORDINALITY AS g (forge, hook, delivery, event, action, repo, target, installation, received_at,
                                  state, note, size, body, n)
    ), placed AS (
        SELECT given.*, CASE WHEN target IS NULL THEN repo ELSE (
                   SELECT named.repo FROM repository_name named
                   WHERE named.forge = given.forge AND named.name = lower(given.target COLLATE \"C\")
               ) END AS place
        FROM given
    ), made AS (
        INSERT INTO delivery
            (forge, hook, delivery, event, action, repo, target, installation, received_at, state, note)
        SELECT forge, hook, delivery, event, action, place, target, installation, received_at, state,
               CASE WHEN target IS NOT NULL AND place IS NULL AND state = 'pending'
                    THEN 'waits: phasebot is not installed on ' || target ELSE note END
        FROM placed ORDER BY n
        ON CONFLICT (delivery, hook, forge) DO NOTHING
        RETURNING seq, forge, hook, delivery
    ), bodies AS (
        INSERT INTO delivery_body (seq, size, body)
        SELECT seq, size, body FROM made JOIN given USING (forge, hook, delivery)
    )
    SELECT n, seq FROM made JOIN given USING (forge, hook, delivery)";

/// Blocks other intake and naming of repositories until the transaction ends.
pub(super) fn lock(work: &Work) -> Step<'_> {
    Box::pin(async move { work.run("SELECT pg_advisory_xact_lock($1)", args![INGEST_LOCK]).await })
}

async fn insert(work: &Work, items: &[&Item]) -> Result<Vec<Option<Seq>>, StoreError> {
    let news = || items.iter().map(|(new, _)| new);
    let quarantined = |new: &NewDelivery| if new.quarantined.is_some() { "quarantined" } else { "pending" };
    let forge: Vec<_> = news().map(|new| text(&new.forge.0)).collect();
    let hook: Vec<_> = news().map(|new| text(&new.hook)).collect();
    let ids: Vec<_> = news().map(|new| turned(&new.delivery)).collect();
    let delivery: Vec<_> = ids.iter().map(|id| text(id)).collect();
    let event: Vec<_> = news().map(|new| text(&new.event)).collect();
    let action: Vec<_> = news().map(|new| new.action.as_deref().map(text)).collect();
    let repo: Vec<_> = news().map(|new| new.repo.map(bits)).collect();
    let target: Vec<_> = news().map(|new| new.target.as_deref().map(text)).collect();
    let installation: Vec<_> = news().map(|new| new.installation.map(bits)).collect();
    let received: Vec<_> = news().map(|new| millis(new.received_at)).collect();
    let state: Vec<_> = news().map(quarantined).collect();
    let note: Vec<_> = news().map(|new| text(new.quarantined.as_deref().unwrap_or_default())).collect();
    let size: Vec<_> = items.iter().map(|(_, body)| number(body.size)).collect();
    let body: Vec<_> = items.iter().map(|(_, body)| body.frame.as_slice()).collect();
    let mut rows = Vec::new();
    let accept = async {
        let args =
            args![forge, hook, delivery, event, action, repo, target, installation, received, state, note, size, body];
        rows = work.rows(ACCEPT, args).await?;
        Ok(0)
    };
    let steps: Vec<Step<'_>> = vec![Box::pin(work.begin()), lock(work), Box::pin(accept)];
    pipeline(steps).await?;
    let mut made = vec![None; items.len()];
    for row in &rows {
        let n = usize::try_from(col::<i64>(row, 0)? - 1).unwrap_or(usize::MAX);
        if let Some(place) = made.get_mut(n) {
            *place = Some(count(row, 1)?);
        }
    }
    Ok(made)
}

pub(super) const FIND: &str = "
    SELECT n, (SELECT seq FROM delivery d
               WHERE d.delivery = g.delivery AND d.hook = g.hook AND d.forge = g.forge)
    FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS g (forge, hook, delivery, n)
    ORDER BY n";

/// Finds the numbers of deliveries that are stored.
async fn find(work: &Work, items: &[&Item]) -> Result<Vec<Option<Seq>>, StoreError> {
    let forge: Vec<_> = items.iter().map(|(new, _)| text(&new.forge.0)).collect();
    let hook: Vec<_> = items.iter().map(|(new, _)| text(&new.hook)).collect();
    let ids: Vec<_> = items.iter().map(|(new, _)| turned(&new.delivery)).collect();
    let delivery: Vec<_> = ids.iter().map(|id| text(id)).collect();
    let rows = work.rows(FIND, args![forge, hook, delivery]).await?;
    rows.iter().map(|row| Ok(col::<Option<i64>>(row, 1)?.map(i64::cast_unsigned))).collect()
}
