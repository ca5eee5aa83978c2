//! Decides events of an App that was installed, changed, suspended or removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};

use crate::{
    app::{
        decision::Failure,
        leases::Tenure,
        removal::{self, Known},
        repos::Held,
        runtime::{OnRemoval, Runtime},
    },
    domain::{
        event::{ConnectionSeen, Event},
        id::{ConnectionId, ForgeName, RepoKey},
    },
    port::store::{Commit, DeliveryRow, DeliveryState, Lease, LeaseKey, RepositoryRow, Seq, StoreError},
};

/// Updates our map of repositories in one commit.
///
/// Nothing is written to the forge. Effects already queued for a removed
/// repository are dropped when they are tried.
pub(crate) async fn decide(
    runtime: &Runtime,
    lease: &Lease,
    row: &DeliveryRow,
    event: &Event,
    seen: &ConnectionSeen,
) -> Result<(DeliveryState, String), Failure> {
    let (forge, seq) = (&row.forge, row.seq);
    let Some(installation) = event.connection else {
        let why = "the payload names no installation".to_owned();
        return end(runtime, vec![lease.clone()], seq, Vec::new(), why).await;
    };
    let served = runtime.store.repositories(forge, installation).await?;
    let served: BTreeMap<RepoKey, RepositoryRow> = served.into_iter().map(|r| (r.repo.clone(), r)).collect();
    let erases = runtime.settings.on_removal == OnRemoval::Delete;
    let known = Known { installation, served: &served, erases };
    let confirmed = match runtime.forge(forge) {
        Some(adapter) => removal::confirm(adapter.as_ref(), &known, seen).await?,
        None => seen.clone(),
    };
    let is_over = confirmed != *seen;
    let seen = &confirmed;
    // Everything that changes is held until it is committed, so that no
    // delivery of those repositories is decided by the old map. Holding many is
    // safe: any other holder of one waits for no second.
    let mut keys: Vec<RepoKey> = served.keys().cloned().collect();
    keys.extend(seen.added.iter().map(|(key, _)| key.clone()).chain(seen.removed.iter().cloned()));
    keys.retain(|key| key.forge == *forge);
    keys.sort();
    keys.dedup();
    let mut held = Vec::with_capacity(keys.len());
    for key in keys {
        let holder = runtime.repos.hold(&key).await;
        held.push((key, holder));
    }
    // From here on, other processes' decisions on these repositories are refused and repeated.
    let keys: Vec<LeaseKey> = held.iter().map(|(key, _)| LeaseKey::of(key)).collect();
    let tenures = runtime.leases.seize(&keys).await?;
    let under = iter::once(lease).chain(tenures.iter().map(Tenure::lease)).cloned().collect();
    let decided = apply(runtime, under, row, &Told { installation, seen, served: &served, is_over }, &mut held).await;
    // The processes that worked on them continue at once.
    runtime.leases.give_back(tenures).await;
    decided
}

/// Content of an installation event.
struct Told<'a> {
    installation: ConnectionId,
    seen: &'a ConnectionSeen,
    served: &'a BTreeMap<RepoKey, RepositoryRow>,
    /// True if the forge says that part of the event no longer holds.
    is_over: bool,
}

/// Computes the changes while `held` excludes everyone else, and commits them.
async fn apply(
    runtime: &Runtime,
    under: Vec<Lease>,
    row: &DeliveryRow,
    told: &Told<'_>,
    held: &mut [(RepoKey, Held)],
) -> Result<(DeliveryState, String), Failure> {
    let Told { installation, seen, served, is_over } = *told;
    let (forge, seq) = (&row.forge, row.seq);
    let mut suspended = Suspended::read(runtime, forge, installation).await?;
    let mut rows = Vec::new();
    for (key, _) in held.iter() {
        let known = runtime.store.repository(key).await?;
        let change = Change {
            named: seen.added.iter().find(|(added, _)| added == key).map(|(_, name)| name.as_str()),
            removed: seen.removed.contains(key),
            suspended: suspended.repositories.contains(&key.id),
        };
        if let Some(row) = changed(known.as_ref(), key, installation, seen, &change) {
            rows.push(row);
        }
        if !seen.active && known.is_some_and(|row| row.active && row.installation == Some(installation)) {
            suspended.repositories.insert(key.id);
        }
    }
    if !seen.active {
        suspended.repositories.extend(seen.added.iter().map(|(key, _)| key.id));
        suspended.repositories.retain(|id| !seen.removed.iter().any(|key| key.id == *id));
        suspended.note(runtime).await?;
    }
    let mut note = summary(installation, seen, rows.len());
    if is_over {
        note.push_str("; the forge says that it still serves what was taken from it");
    }
    if runtime.settings.on_removal == OnRemoval::Delete {
        // Before the delivery is done: a crash between the two repeats this.
        let gone = held.iter_mut().filter(|(key, _)| seen.removed.contains(key));
        for (key, holder) in gone {
            let ours = served.get(key).is_some_and(|row| row.installation == Some(installation));
            if ours {
                holder.forget();
                runtime
                    .store
                    .erase(key, seq, "its repository was taken from the App, and what was kept of it deleted")
                    .await?;
            }
        }
        note.push_str("; what was kept of removed ones is deleted");
    }
    if !seen.active
        && let Some(adapter) = runtime.forge(forge)
    {
        adapter.forget(installation).await;
    }
    let decided = end(runtime, under, seq, rows.clone(), note).await?;
    if seen.active && !suspended.repositories.is_empty() {
        suspended.repositories.clear();
        // The delivery is decided: a stale entry would at most be read once more.
        if let Err(error) = suspended.note(runtime).await {
            tracing::warn!("what was suspended can't be forgotten: {error}");
        }
    }
    for row in rows {
        if let Some((_, holder)) = held.iter_mut().find(|(key, _)| *key == row.repo) {
            holder.set_row(row);
        }
    }
    Ok(decided)
}

/// Content of an installation event for one repository.
struct Change<'a> {
    /// Name under which the repository was added.
    named: Option<&'a str>,
    /// True if the repository was removed.
    removed: bool,
    /// True if it was served until the installation was suspended.
    suspended: bool,
}

/// Returns the repository's row after the event; `None` if it does not change.
fn changed(
    known: Option<&RepositoryRow>,
    key: &RepoKey,
    installation: ConnectionId,
    seen: &ConnectionSeen,
    change: &Change<'_>,
) -> Option<RepositoryRow> {
    let mut row = match (known, change.named) {
        (Some(row), _) => row.clone(),
        (None, Some(name)) => RepositoryRow {
            repo: key.clone(),
            full_name: name.to_owned(),
            installation: Some(installation),
            active: false,
        },
        (None, None) => return None,
    };
    let ours = row.installation == Some(installation);
    if seen.active
        && !change.removed
        && let Some(name) = change.named
    {
        name.clone_into(&mut row.full_name);
        row.installation = Some(installation);
        row.active = true;
    } else if ours && (change.removed || !seen.active) {
        row.active = false;
    } else if ours && change.suspended {
        // Not every repository of the installation: one that was archived or
        // removed before the suspension does not come back when it ends.
        row.active = true;
    }
    (known != Some(&row)).then_some(row)
}

/// Repositories that are suspended with their installation, and are served
/// again once the suspension ends.
struct Suspended {
    memo: String,
    repositories: BTreeSet<u64>,
}

impl Suspended {
    async fn read(runtime: &Runtime, forge: &ForgeName, installation: ConnectionId) -> Result<Self, Failure> {
        let memo = format!("suspended/{forge}/{installation}");
        let noted = runtime.store.memo(&memo).await?;
        let repositories = noted.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        Ok(Self { memo, repositories })
    }

    async fn note(&self, runtime: &Runtime) -> Result<(), StoreError> {
        let text = serde_json::to_string(&self.repositories).unwrap_or_default();
        let value = (!self.repositories.is_empty()).then_some(text.as_str());
        runtime.store.note(&self.memo, value).await
    }
}

fn summary(installation: ConnectionId, seen: &ConnectionSeen, changed: usize) -> String {
    let state = if seen.active { "active" } else { "no longer active" };
    format!("installation {installation} is {state}; {changed} repositories changed")
}

async fn end(
    runtime: &Runtime,
    under: Vec<Lease>,
    seq: Seq,
    repositories: Vec<RepositoryRow>,
    note: String,
) -> Result<(DeliveryState, String), Failure> {
    let state = DeliveryState::Done;
    let commit = Commit {
        under,
        now: Some(runtime.clock.now()),
        deliveries: vec![(seq, state, note.clone())],
        repositories,
        ..Commit::default()
    };
    runtime.commit(commit).await?;
    runtime.outbox.poke();
    // Alerts may have waited for one of them.
    runtime.inbox.poke();
    Ok((state, note))
}
