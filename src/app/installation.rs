//! The App was installed, changed, suspended or removed.

use std::collections::BTreeMap;

use super::{
    decision::Failure,
    shell::{OnRemoval, Shell},
};
use crate::{
    domain::{
        event::{Event, InstallationSeen},
        id::{InstallationId, RepoKey},
    },
    port::store::{Commit, DeliveryRow, DeliveryState, Lease, LeaseKey, RepositoryRow, Seq},
};

/// Brings our map of repositories up to date, all of it in one commit.
///
/// Nothing is written to the forge. Effects already queued for a repository
/// that went are dropped when they are tried.
pub(crate) async fn decide(
    shell: &Shell,
    lease: &Lease,
    row: &DeliveryRow,
    event: &Event,
    seen: &InstallationSeen,
) -> Result<(DeliveryState, String), Failure> {
    let (forge, seq) = (&row.forge, row.seq);
    let mut under = vec![lease.clone()];
    let Some(installation) = event.installation else {
        return end(shell, under, seq, Vec::new(), "the payload names no installation".to_owned()).await;
    };
    let served = shell.store.repositories(forge, installation).await?;
    let served: BTreeMap<RepoKey, RepositoryRow> = served.into_iter().map(|r| (r.repo.clone(), r)).collect();
    // Everything that changes is held until it is committed, so that no
    // delivery of those repositories is decided by the old map. Holding many is
    // safe: whoever else holds one asks for no second.
    let mut keys: Vec<RepoKey> = served.keys().cloned().collect();
    keys.extend(seen.added.iter().map(|(key, _)| key.clone()).chain(seen.removed.iter().cloned()));
    keys.retain(|key| key.forge == *forge);
    keys.sort();
    keys.dedup();
    let mut held = Vec::with_capacity(keys.len());
    for key in keys {
        let holder = shell.repos.hold(&key).await;
        held.push((key, holder));
    }
    // Other processes' decisions on these repositories are refused from here on, and reached anew.
    let keys: Vec<LeaseKey> = held.iter().map(|(key, _)| LeaseKey::of(key)).collect();
    under.extend(shell.leases.seize(&keys).await?);

    let mut rows = Vec::new();
    for (key, _) in &held {
        let known = shell.store.repository(key).await?;
        let named = seen.added.iter().find(|(added, _)| added == key).map(|(_, name)| name.as_str());
        let removed = seen.removed.contains(key);
        if let Some(row) = changed(known.as_ref(), key, installation, seen, named, removed) {
            rows.push(row);
        }
    }
    let mut note = summary(installation, seen, rows.len());
    if shell.settings.on_removal == OnRemoval::Delete {
        // Before the delivery is done: a crash between the two does it again.
        let gone = held.iter_mut().filter(|(key, _)| seen.removed.contains(key));
        for (key, holder) in gone {
            let ours = served.get(key).is_some_and(|row| row.installation == Some(installation));
            if ours {
                holder.forget();
                shell
                    .store
                    .erase(key, "its repository was taken from the App, and what was kept of it deleted")
                    .await?;
            }
        }
        note.push_str("; what was kept of removed ones is deleted");
    }
    if !seen.active
        && let Some(adapter) = shell.forge(forge)
    {
        adapter.forget(installation).await;
    }
    let decided = end(shell, under, seq, rows.clone(), note).await?;
    for row in rows {
        if let Some((_, holder)) = held.iter_mut().find(|(key, _)| *key == row.repo) {
            holder.set_row(row);
        }
    }
    Ok(decided)
}

/// The repository's row after the event; `None` if it stays as it is.
fn changed(
    known: Option<&RepositoryRow>,
    key: &RepoKey,
    installation: InstallationId,
    seen: &InstallationSeen,
    named: Option<&str>,
    removed: bool,
) -> Option<RepositoryRow> {
    let ours = known.is_some_and(|row| row.installation == Some(installation));
    let mut row = match (known, named) {
        (Some(row), _) => row.clone(),
        (None, Some(name)) => {
            RepositoryRow { repo: key.clone(), full_name: name.to_owned(), installation: None, active: false }
        }
        (None, None) => return None,
    };
    if seen.active
        && !removed
        && let Some(name) = named
    {
        name.clone_into(&mut row.full_name);
        row.installation = Some(installation);
        row.active = true;
    } else if ours && (removed || !seen.active) {
        row.active = false;
    } else if ours && seen.added.is_empty() && seen.removed.is_empty() {
        // Unsuspended, or permissions accepted: nothing in particular came or went.
        row.active = true;
    }
    (known != Some(&row)).then_some(row)
}

fn summary(installation: InstallationId, seen: &InstallationSeen, changed: usize) -> String {
    let state = if seen.active { "active" } else { "no longer active" };
    format!("installation {installation} is {state}; {changed} repositories changed")
}

async fn end(
    shell: &Shell,
    under: Vec<Lease>,
    seq: Seq,
    repositories: Vec<RepositoryRow>,
    note: String,
) -> Result<(DeliveryState, String), Failure> {
    let state = DeliveryState::Done;
    let commit = Commit {
        under,
        now: Some(shell.clock.now()),
        deliveries: vec![(seq, state, note.clone())],
        repositories,
        ..Commit::default()
    };
    shell.commit(commit).await?;
    shell.outbox.poke();
    // Alerts may have waited for one of them.
    shell.inbox.poke();
    Ok((state, note))
}
