//! Where a repository is and in whose name we act there, from our own map.

use std::time::Duration;

use crate::{
    domain::{
        event::{Event, RepoSeen, RepositoryChange, Seen},
        fact::Newest,
        id::InstallationId,
    },
    port::{
        forge::{Forge, Target},
        store::RepositoryRow,
    },
};

/// How long to wait for the forge's word on a disputed tenant.
const PATIENCE: Duration = Duration::from_secs(10);

/// A repository's place after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The row to act by.
    pub(crate) row: RepositoryRow,
    /// What was found odd, for the delivery's note.
    pub(crate) odd: Option<String>,
}

/// What to aim at, if we may act there.
pub(crate) fn target(row: &RepositoryRow) -> Option<Target> {
    let installation = row.installation.filter(|_| row.active)?;
    Some(Target { installation, repo: row.repo.clone(), full_name: row.full_name.clone() })
}

/// Settles the place of the repository that an event concerns.
///
/// A payload may introduce a repository that we never heard of. It may not
/// move a known one to another tenant: then the forge itself is asked.
///
/// Names go from one repository to another: the one that the newest event
/// tells counts, whatever arrives when. `named`: the newest known so far.
pub(crate) async fn settle(
    forge: &dyn Forge,
    known: Option<&RepositoryRow>,
    named: Option<&Newest<String>>,
    event: &Event,
    seen: &RepoSeen,
) -> Place {
    let mut row = known.cloned().unwrap_or_else(|| RepositoryRow {
        repo: seen.key.clone(),
        full_name: seen.full_name.clone(),
        installation: None,
        active: true,
    });
    let mut odd = None;
    match (row.installation, event.installation) {
        (None, Some(named)) => row.installation = Some(named),
        (Some(ours), Some(named)) if ours != named => odd = Some(dispute(forge, &mut row, seen, ours, named).await),
        // A word that we may act there again can be lost; what happened before
        // the newest that we know of says nothing about it.
        (Some(ours), Some(_)) if !row.active && named.is_none_or(|known| known.at < event.at) => {
            odd = again(forge, &mut row, seen, ours).await;
        }
        _ => {}
    }
    let newest = |known: &Newest<String>| (known.at, &known.value) <= (event.at, &seen.full_name);
    if row.installation == event.installation && named.is_none_or(newest) {
        row.full_name.clone_from(&seen.full_name);
    }
    if let Seen::Repository(change) = &event.seen {
        match change {
            RepositoryChange::Described => {}
            RepositoryChange::Deleted | RepositoryChange::Archived => row.active = false,
            RepositoryChange::Unarchived => row.active = true,
        }
    }
    Place { row, odd }
}

/// An event of a repository that we were told to leave. Returns what came of asking.
async fn again(forge: &dyn Forge, row: &mut RepositoryRow, seen: &RepoSeen, ours: InstallationId) -> Option<String> {
    let asked = tokio::time::timeout(PATIENCE, forge.installation_of(&seen.full_name)).await;
    row.active = matches!(asked, Ok(Ok(Some(installation))) if installation == ours);
    row.active.then(|| format!("the forge says that installation {ours} serves it again"))
}

/// The payload and our map name different tenants. Returns what came of asking.
async fn dispute(
    forge: &dyn Forge,
    row: &mut RepositoryRow,
    seen: &RepoSeen,
    ours: InstallationId,
    named: InstallationId,
) -> String {
    let head = format!("the payload names installation {named}, our record {ours}");
    match tokio::time::timeout(PATIENCE, forge.installation_of(&seen.full_name)).await {
        Ok(Ok(Some(true_one))) => {
            if true_one != ours {
                row.installation = Some(true_one);
                row.active = true;
                row.full_name.clone_from(&seen.full_name);
            }
            format!("{head}; the forge says {true_one}")
        }
        Ok(Ok(None)) => {
            row.active = false;
            format!("{head}; the forge says that none serves it")
        }
        Ok(Err(error)) => format!("{head}, which stands: the forge did not say ({error})"),
        Err(_) => format!("{head}, which stands: the forge did not answer"),
    }
}
