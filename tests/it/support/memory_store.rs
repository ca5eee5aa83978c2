//! A store in memory that implements the port's contract, and can fail on demand.

use phasebot::{
    domain::{
        derived::Transition,
        effect::Lane,
        id::{ConnectionId, ForgeName, ItemId, RepoKey},
        insight::{InsightRow, RowKind},
        timer::TimerKey,
    },
    port::store::{
        Accepted, Commit, DeliveryFilter, DeliveryRow, DeliveryState, Document, EffectEnd, EffectId, EffectState,
        InsightPage, Lease, NewDelivery, NewNotice, NoticeEnd, NoticeId, NoticeOutcome, NoticeStep, Partition, Pending,
        RepositoryRow, Seq, Store, StoreError, StoreStats, StoredDelivery, StoredEffect, StoredItem, StoredNotice,
        Timer,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use jiff::Timestamp;

/// Store in memory.
#[derive(Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
    /// Number of the next commits that fail.
    pub failing_commits: AtomicU32,
    /// Number of the next results of effects that cannot be stored.
    pub failing_finishes: AtomicU32,
    /// Number of successful commits of decisions.
    pub commits: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    deliveries: Vec<StoredDelivery>,
    repositories: BTreeMap<RepoKey, RepositoryRow>,
    facts: BTreeMap<(RepoKey, String), String>,
    items: BTreeMap<(RepoKey, ItemId), StoredItem>,
    histories: BTreeMap<(RepoKey, ItemId), Vec<Transition>>,
    effects: Vec<StoredEffect>,
    timers: BTreeMap<(RepoKey, TimerKey), Timestamp>,
    memos: BTreeMap<String, String>,
    notices: Vec<StoredNotice>,
    insight: BTreeMap<(RepoKey, RowKind, String, String), InsightRow>,
}

fn fails(counter: &AtomicU32) -> Result<(), StoreError> {
    let one_less = |n: u32| n.checked_sub(1);
    match counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
        Ok(_) => Err(StoreError::Unavailable("told to fail".to_owned())),
        Err(_) => Ok(()),
    }
}

fn open(state: EffectState) -> bool {
    matches!(state, EffectState::Queued | EffectState::Sending)
}

impl Inner {
    fn row(&mut self, seq: Seq) -> Option<&mut DeliveryRow> {
        self.deliveries.iter_mut().map(|d| &mut d.row).find(|r| r.seq == seq)
    }

    fn named(&self, forge: &ForgeName, name: &str) -> Option<u64> {
        let known =
            self.repositories.values().find(|r| r.repo.forge == *forge && r.full_name.eq_ignore_ascii_case(name));
        known.map(|r| r.repo.id)
    }

    /// Assigns alerts that waited for a repository to it.
    fn house(&mut self, place: &RepositoryRow) {
        for row in self.deliveries.iter_mut().map(|d| &mut d.row) {
            let meant = row.target.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&place.full_name));
            if meant && row.repo.is_none() && row.forge == place.repo.forge {
                row.repo = Some(place.repo.id);
            }
        }
    }

    fn keep(&mut self, repo: &RepoKey, documents: Vec<Document>) {
        for document in documents {
            let key = (repo.clone(), document.key);
            match document.body {
                Some(body) => drop(self.facts.insert(key, body)),
                None => drop(self.facts.remove(&key)),
            }
        }
    }

    fn queue_notice(&mut self, repo: &RepoKey, new: NewNotice, now: Timestamp) {
        let hash = new.notice.digest();
        let is_it =
            |n: &&mut StoredNotice| n.repo == *repo && n.target == new.target && n.notice.thread == new.notice.thread;
        let Some(row) = self.notices.iter_mut().find(is_it) else {
            if new.notice.is_news {
                let id = self.notices.len() as NoticeId + 1;
                self.notices.push(StoredNotice {
                    id,
                    version: 1,
                    repo: repo.clone(),
                    target: new.target,
                    notice: new.notice,
                    hash,
                    state: EffectState::Queued,
                    step: None,
                    tried: 0,
                    attempts: 0,
                    created_at: now,
                    not_before: now,
                    message: String::new(),
                    shown: String::new(),
                    told: String::new(),
                    note: String::new(),
                });
            }
            return;
        };
        let has_message = !row.message.is_empty();
        if row.hash == hash || (!new.notice.is_news && !open(row.state) && !has_message) {
            return;
        }
        let is_news = new.notice.is_news;
        (row.version, row.hash, row.notice) = (row.version + 1, hash, new.notice);
        (row.attempts, row.created_at, row.note) = (0, now, String::new());
        if row.state == EffectState::Sending {
            row.not_before = row.not_before.max(now);
        } else {
            row.not_before = now;
            row.state = if is_news || has_message { EffectState::Queued } else { EffectState::Dropped };
        }
    }

    fn queue(&mut self, repo: &RepoKey, new: phasebot::port::store::NewEffect, now: Timestamp) {
        let known = self.effects.iter_mut().rev().find(|e| e.repo == *repo && e.key == new.key);
        match known {
            Some(row) if new.replaces && open(row.state) => {
                row.version += 1;
                row.installation = new.installation;
                row.effect = new.effect;
                row.state = EffectState::Queued;
                row.attempts = 0;
                row.created_at = now;
                row.not_before = now;
                row.cause = new.cause;
            }
            Some(_) if !new.replaces => {}
            _ => {
                let id = self.effects.len() as EffectId + 1;
                self.effects.push(StoredEffect {
                    id,
                    version: 0,
                    repo: repo.clone(),
                    key: new.key,
                    installation: new.installation,
                    lane: new.effect.lane(),
                    effect: new.effect,
                    state: EffectState::Queued,
                    attempts: 0,
                    created_at: now,
                    not_before: now,
                    note: String::new(),
                    cause: new.cause,
                });
            }
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn accept(&self, d: NewDelivery) -> Result<Accepted, StoreError> {
        let mut inner = self.inner.lock().unwrap();
        let same = |r: &DeliveryRow| r.forge == d.forge && r.hook == d.hook && r.delivery == d.delivery;
        if let Some(known) = inner.deliveries.iter().find(|k| same(&k.row)) {
            return Ok(Accepted::Duplicate(known.row.seq));
        }
        let seq = inner.deliveries.len() as Seq + 1;
        let repo = d.target.as_ref().map_or(d.repo, |name| inner.named(&d.forge, name));
        let row = DeliveryRow {
            seq,
            forge: d.forge,
            hook: d.hook,
            delivery: d.delivery,
            event: d.event,
            action: d.action,
            repo,
            target: d.target,
            installation: d.installation,
            received_at: d.received_at,
            decided_at: None,
            state: if d.quarantined.is_some() { DeliveryState::Quarantined } else { DeliveryState::Pending },
            note: d.quarantined.unwrap_or_default(),
            attempts: 0,
        };
        inner.deliveries.push(StoredDelivery { row, body: d.body });
        Ok(Accepted::New(seq))
    }

    async fn accept_all(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Accepted>, StoreError> {
        let mut accepted = Vec::new();
        for delivery in deliveries {
            accepted.push(self.accept(delivery).await?);
        }
        Ok(accepted)
    }

    async fn pending(&self, after: Seq, limit: usize) -> Result<Vec<Pending>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let waiting = inner.deliveries.iter().map(|d| &d.row);
        let waiting = waiting
            .filter(|r| r.state == DeliveryState::Pending && r.seq > after && (r.target.is_none() || r.repo.is_some()));
        let pending =
            |r: &DeliveryRow| Pending { seq: r.seq, partition: Partition { forge: r.forge.clone(), repo: r.repo } };
        Ok(waiting.take(limit).map(pending).collect())
    }

    async fn delivery(&self, seq: Seq) -> Result<Option<StoredDelivery>, StoreError> {
        Ok(self.inner.lock().unwrap().deliveries.iter().find(|d| d.row.seq == seq).cloned())
    }

    async fn taken_in(&self, forge: &ForgeName, deliveries: &[String]) -> Result<BTreeSet<String>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let known = |id: &&String| inner.deliveries.iter().any(|d| d.row.forge == *forge && d.row.delivery == **id);
        Ok(deliveries.iter().filter(known).cloned().collect())
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let limit = if filter.limit == 0 { 50 } else { filter.limit };
        let wanted = |r: &&DeliveryRow| {
            filter.state.is_none_or(|s| s == r.state)
                && filter.event.as_ref().is_none_or(|e| *e == r.event)
                && filter.repo.is_none_or(|n| Some(n) == r.repo)
                && filter.delivery.as_ref().is_none_or(|d| *d == r.delivery)
        };
        Ok(inner.deliveries.iter().rev().map(|d| &d.row).filter(wanted).take(limit).cloned().collect())
    }

    async fn replay(&self, seq: Seq) -> Result<bool, StoreError> {
        let mut inner = self.inner.lock().unwrap();
        let Some(row) = inner.row(seq) else { return Ok(false) };
        row.state = DeliveryState::Pending;
        row.attempts = 0;
        Ok(true)
    }

    async fn drop_delivery(&self, seq: Seq, why: &str) -> Result<bool, StoreError> {
        let mut inner = self.inner.lock().unwrap();
        let Some(row) = inner.row(seq) else { return Ok(false) };
        row.state = DeliveryState::Dropped;
        why.clone_into(&mut row.note);
        Ok(true)
    }

    async fn repository(&self, repo: &RepoKey) -> Result<Option<RepositoryRow>, StoreError> {
        Ok(self.inner.lock().unwrap().repositories.get(repo).cloned())
    }

    async fn repository_named(&self, forge: &ForgeName, name: &str) -> Result<Option<RepositoryRow>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let is_it = |row: &&RepositoryRow| row.repo.forge == *forge && row.full_name.eq_ignore_ascii_case(name);
        Ok(inner.repositories.values().find(is_it).cloned())
    }

    async fn repositories(&self, forge: &ForgeName, id: ConnectionId) -> Result<Vec<RepositoryRow>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let served = |r: &&RepositoryRow| r.repo.forge == *forge && r.installation == Some(id);
        Ok(inner.repositories.values().filter(served).cloned().collect())
    }

    async fn facts(&self, repo: &RepoKey) -> Result<Vec<Document>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let own = inner.facts.iter().filter(|((r, _), _)| r == repo);
        Ok(own.map(|((_, key), body)| Document { key: key.clone(), body: Some(body.clone()) }).collect())
    }

    async fn items(&self, repo: &RepoKey) -> Result<Vec<StoredItem>, StoreError> {
        let inner = self.inner.lock().unwrap();
        Ok(inner.items.iter().filter(|((r, _), _)| r == repo).map(|(_, row)| row.clone()).collect())
    }

    async fn transitions(&self, repo: &RepoKey, item: ItemId) -> Result<Vec<Transition>, StoreError> {
        Ok(self.inner.lock().unwrap().histories.get(&(repo.clone(), item)).cloned().unwrap_or_default())
    }

    async fn insight(&self, repo: &RepoKey, page: &InsightPage) -> Result<Vec<InsightRow>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let rows = inner.insight.iter().filter(|((of, kind, ..), _)| of == repo && *kind == page.kind);
        let mut rows: Vec<InsightRow> = rows.map(|(_, row)| row.clone()).collect();
        rows.sort_by(|a, b| (a.at, &a.owner, &a.part).cmp(&(b.at, &b.owner, &b.part)));
        let position = page.position();
        rows.retain(|row| (row.at.as_millisecond(), row.owner.as_str(), row.part.as_str()) > position);
        rows.truncate(page.limit);
        Ok(rows)
    }

    async fn all_repositories(&self) -> Result<Vec<RepositoryRow>, StoreError> {
        Ok(self.inner.lock().unwrap().repositories.values().cloned().collect())
    }

    async fn erase(&self, repo: &RepoKey, before: Seq, why: &str) -> Result<(), StoreError> {
        let mut inner = self.inner.lock().unwrap();
        inner.insight.retain(|(of, ..), _| of != repo);
        inner.facts.retain(|(of, _), _| of != repo);
        inner.items.retain(|(of, _), _| of != repo);
        inner.histories.retain(|(of, _), _| of != repo);
        inner.timers.retain(|(of, _), _| of != repo);
        inner.effects.retain(|effect| effect.repo != *repo);
        inner.notices.retain(|notice| notice.repo != *repo);
        let its =
            |d: &&mut StoredDelivery| d.row.forge == repo.forge && d.row.repo == Some(repo.id) && d.row.seq < before;
        for delivery in inner.deliveries.iter_mut().filter(its) {
            delivery.body = bytes::Bytes::from_static(b"{}");
            why.clone_into(&mut delivery.row.note);
            if matches!(delivery.row.state, DeliveryState::Pending | DeliveryState::Quarantined | DeliveryState::Dead) {
                delivery.row.state = DeliveryState::Dropped;
            }
        }
        Ok(())
    }

    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        fails(&self.failing_commits)?;
        // Rows for delivery metrics are also derived in the background.
        self.commits.fetch_add(usize::from(commit.now.is_some()), Ordering::SeqCst);
        let mut inner = self.inner.lock().unwrap();
        for (seq, state, note) in commit.deliveries {
            if let Some(row) = inner.row(seq) {
                row.attempts += u32::from(state == DeliveryState::Pending);
                row.decided_at = commit.now.filter(|_| state != DeliveryState::Pending);
                (row.state, row.note) = (state, note);
            }
        }
        for row in commit.repositories {
            inner.house(&row);
            inner.repositories.insert(row.repo.clone(), row);
        }
        let Some(repo) = commit.repo else { return Ok(()) };
        inner.keep(&repo, commit.facts);
        for row in commit.items {
            inner.items.insert((repo.clone(), row.item), row);
        }
        for (item, history) in commit.histories {
            inner.histories.insert((repo.clone(), item), history);
        }
        for group in commit.insight {
            inner.insight.retain(|(of, kind, owner, part), _| {
                of != &repo || *kind != group.kind || *owner != group.owner || *part < group.from
            });
            for row in group.rows {
                inner.insight.entry((repo.clone(), group.kind, row.owner.clone(), row.part.clone())).or_insert(row);
            }
        }
        for key in commit.cancel_effects {
            for e in inner.effects.iter_mut().filter(|e| e.repo == repo && e.key == key && open(e.state)) {
                e.state = EffectState::Dropped;
            }
        }
        for effect in commit.effects {
            inner.queue(&repo, effect, commit.now.unwrap_or(Timestamp::UNIX_EPOCH));
        }
        for new in commit.notices {
            inner.queue_notice(&repo, new, commit.now.unwrap_or(Timestamp::UNIX_EPOCH));
        }
        for (item, at) in commit.timers {
            let key = (repo.clone(), item);
            match at {
                Some(at) => drop(inner.timers.insert(key, at)),
                None => drop(inner.timers.remove(&key)),
            }
        }
        Ok(())
    }

    async fn due_effects(&self, now: Timestamp, per_lane: usize) -> Result<Vec<StoredEffect>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let mut due: Vec<_> = inner.effects.iter().filter(|e| open(e.state) && e.not_before <= now).cloned().collect();
        due.sort_by_key(|e| (e.lane, e.id));
        let mut counts: BTreeMap<(ConnectionId, Lane), usize> = BTreeMap::new();
        due.retain(|e| {
            let count = counts.entry((e.installation, e.lane)).or_default();
            *count += 1;
            *count <= per_lane
        });
        Ok(due)
    }

    async fn is_live(&self, id: EffectId, version: u64) -> Result<bool, StoreError> {
        let inner = self.inner.lock().unwrap();
        Ok(inner.effects.iter().any(|e| e.id == id && e.version == version && open(e.state)))
    }

    async fn next_effect_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let inner = self.inner.lock().unwrap();
        Ok(inner.effects.iter().filter(|e| open(e.state) && e.not_before > now).map(|e| e.not_before).min())
    }

    async fn mark_sending(&self, id: EffectId, version: u64, _: &[Lease]) -> Result<bool, StoreError> {
        let mut inner = self.inner.lock().unwrap();
        let row = inner.effects.iter_mut().find(|e| e.id == id && e.version == version && open(e.state));
        Ok(row.map(|row| row.state = EffectState::Sending).is_some())
    }

    async fn finish_effect(
        &self,
        id: EffectId,
        version: u64,
        end: EffectEnd,
        repo: &RepoKey,
        facts: Vec<Document>,
        _: &[Lease],
    ) -> Result<(), StoreError> {
        fails(&self.failing_finishes)?;
        let mut inner = self.inner.lock().unwrap();
        inner.keep(repo, facts);
        let row = inner.effects.iter_mut().find(|e| e.id == id && e.version == version && open(e.state));
        let Some(row) = row else { return Ok(()) };
        match end {
            EffectEnd::Done { note, .. } => (row.state, row.note) = (EffectState::Done, note),
            EffectEnd::Dead { error, .. } => (row.state, row.note) = (EffectState::Dead, error),
            EffectEnd::Dropped { reason, .. } => (row.state, row.note) = (EffectState::Dropped, reason),
            EffectEnd::Retry { not_before, error, in_doubt, counts } => {
                row.state = if in_doubt { EffectState::Sending } else { EffectState::Queued };
                row.attempts += u32::from(counts);
                (row.not_before, row.note) = (not_before, error);
            }
        }
        Ok(())
    }

    async fn effects(&self, dead_only: bool, limit: usize) -> Result<Vec<StoredEffect>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let wanted = |e: &&StoredEffect| !dead_only || e.state == EffectState::Dead;
        Ok(inner.effects.iter().rev().filter(wanted).take(limit).cloned().collect())
    }

    async fn due_notices(&self, now: Timestamp, per_target: usize) -> Result<Vec<StoredNotice>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let due = inner.notices.iter().filter(|n| open(n.state) && n.not_before <= now);
        let mut due: Vec<StoredNotice> = due.cloned().collect();
        due.sort_by(|a, b| (&a.target, a.id).cmp(&(&b.target, b.id)));
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        due.retain(|n| {
            let count = counts.entry(n.target.clone()).or_default();
            *count += 1;
            *count <= per_target
        });
        Ok(due)
    }

    async fn next_notice_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let inner = self.inner.lock().unwrap();
        Ok(inner.notices.iter().filter(|n| open(n.state) && n.not_before > now).map(|n| n.not_before).min())
    }

    async fn mark_notice(&self, id: NoticeId, version: u64, step: NoticeStep, _: &[Lease]) -> Result<bool, StoreError> {
        let mut inner = self.inner.lock().unwrap();
        let row = inner.notices.iter_mut().find(|n| n.id == id && n.version == version && open(n.state));
        let Some(row) = row else { return Ok(false) };
        (row.state, row.step, row.tried) = (EffectState::Sending, Some(step), version);
        Ok(true)
    }

    async fn finish_notice(&self, id: NoticeId, version: u64, end: NoticeEnd) -> Result<(), StoreError> {
        let mut inner = self.inner.lock().unwrap();
        let Some(row) = inner.notices.iter_mut().find(|n| n.id == id) else { return Ok(()) };
        let learnt = end.learnt;
        row.message = learnt.message.unwrap_or(std::mem::take(&mut row.message));
        row.shown = learnt.shown.unwrap_or(std::mem::take(&mut row.shown));
        row.told = learnt.told.unwrap_or(std::mem::take(&mut row.told));
        let is_doubt = matches!(end.outcome, NoticeOutcome::Retry { in_doubt: true, .. });
        if row.version != version || !open(row.state) {
            if row.version != version && row.state == EffectState::Sending && !is_doubt {
                row.state = EffectState::Queued;
            }
            return Ok(());
        }
        row.note = end.note;
        row.state = match end.outcome {
            NoticeOutcome::Done => EffectState::Done,
            NoticeOutcome::Dead => EffectState::Dead,
            NoticeOutcome::Dropped => EffectState::Dropped,
            NoticeOutcome::Continue => {
                row.not_before = end.at;
                EffectState::Queued
            }
            NoticeOutcome::Retry { not_before, in_doubt } => {
                row.not_before = not_before;
                row.attempts += 1;
                if in_doubt { EffectState::Sending } else { EffectState::Queued }
            }
        };
        Ok(())
    }

    async fn notices(&self, limit: usize) -> Result<Vec<StoredNotice>, StoreError> {
        Ok(self.inner.lock().unwrap().notices.iter().rev().take(limit).cloned().collect())
    }

    async fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let timers = inner.timers.iter().map(|((repo, key), at)| Timer { repo: repo.clone(), key: *key, at: *at });
        let mut due: Vec<_> = timers.filter(|t| t.at <= now).collect();
        due.sort_by_key(|t| t.at);
        due.truncate(limit);
        Ok(due)
    }

    async fn next_timer_at(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.inner.lock().unwrap().timers.values().min().copied())
    }

    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.inner.lock().unwrap().memos.get(name).cloned())
    }

    async fn note(&self, name: &str, value: Option<&str>) -> Result<(), StoreError> {
        let mut inner = self.inner.lock().unwrap();
        match value {
            Some(value) => drop(inner.memos.insert(name.to_owned(), value.to_owned())),
            None => drop(inner.memos.remove(name)),
        }
        Ok(())
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let mut inner = self.inner.lock().unwrap();
        let old = |r: &DeliveryRow| {
            matches!(r.state, DeliveryState::Done | DeliveryState::Ignored | DeliveryState::Dropped)
                && r.decided_at.is_some_and(|at| at < before)
        };
        let gone: Vec<Seq> =
            inner.deliveries.iter().map(|d| &d.row).filter(|r| old(r)).map(|r| r.seq).take(limit).collect();
        inner.deliveries.retain(|d| !gone.contains(&d.row.seq));
        Ok(gone.len() as u64)
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        Ok(StoreStats::default())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
