//! Binding of a repository: its name and the installation we act as, from our own map.

use std::time::Duration;

use crate::{
    domain::{
        event::{Event, RepoSeen, RepositoryChange, Seen},
        fact::Newest,
        id::ConnectionId,
    },
    port::{
        forge::{Forge, Target},
        store::RepositoryRow,
    },
};

/// Time-out of asking the forge about a disputed tenant.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A repository's binding after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The row to act by.
    pub(crate) row: RepositoryRow,
    /// An anomaly, for the delivery's note.
    pub(crate) odd: Option<String>,
}

/// Returns the target of writes, if we may write there.
pub(crate) fn target(row: &RepositoryRow) -> Option<Target> {
    let installation = row.installation.filter(|_| row.active)?;
    Some(Target { installation, repo: row.repo.clone(), full_name: row.full_name.clone() })
}

/// Determines the binding of the repository that an event concerns.
///
/// A payload may introduce an unknown repository. It may not move a known one
/// to another tenant: then the forge itself is asked.
///
/// A name may pass from one repository to another: the name in the newest event
/// counts, in whatever order events arrive. `named`: the newest name known so far.
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
    match (row.installation, event.connection) {
        (None, Some(named)) => row.installation = Some(named),
        (Some(ours), Some(named)) if ours != named => odd = Some(dispute(forge, &mut row, seen, ours, named).await),
        // The event that restored our access may have been lost; events older
        // than the newest known one prove nothing about it.
        (Some(ours), Some(_)) if !row.active && named.is_none_or(|known| known.at < event.at) => {
            odd = again(forge, &mut row, seen, ours).await;
        }
        _ => {}
    }
    let newest = |known: &Newest<String>| (known.at, &known.value) <= (event.at, &seen.full_name);
    if row.installation == event.connection && named.is_none_or(newest) {
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

/// Handles an event of a repository that we lost access to. Returns a note if it is served again.
async fn again(forge: &dyn Forge, row: &mut RepositoryRow, seen: &RepoSeen, ours: ConnectionId) -> Option<String> {
    let asked = tokio::time::timeout(TIMEOUT, forge.connection_of(&seen.full_name)).await;
    row.active = matches!(asked, Ok(Ok(Some(installation))) if installation == ours);
    row.active.then(|| format!("the forge says that installation {ours} serves it again"))
}

/// Handles a payload and a map that name different tenants. Returns the result of asking.
async fn dispute(
    forge: &dyn Forge,
    row: &mut RepositoryRow,
    seen: &RepoSeen,
    ours: ConnectionId,
    named: ConnectionId,
) -> String {
    let head = format!("the payload names installation {named}, our record {ours}");
    match tokio::time::timeout(TIMEOUT, forge.connection_of(&seen.full_name)).await {
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
