//! Checks whether access that an event says was removed is still removed.
//!
//! A delivery may come hours late, and has no reliable time. A repository that
//! is served again would be learnt from its next event, but data deleted after
//! a stale event is lost.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};

use crate::{
    app::{decision::Failure, decision_slots::aside},
    domain::{
        event::ConnectionSeen,
        id::{ConnectionId, RepoKey},
    },
    port::{
        forge::{Forge, ForgeError},
        store::RepositoryRow,
    },
};

/// Time-out of one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Repositories asked about in parallel.
const AT_ONCE: usize = 4;

/// An installation, with our knowledge of it.
pub(crate) struct Known<'a> {
    pub(crate) installation: ConnectionId,
    /// Repositories that it serves by our own map.
    pub(crate) served: &'a BTreeMap<RepoKey, RepositoryRow>,
    /// True if data of removed repositories is deleted for good.
    pub(crate) erases: bool,
}

/// Returns the part of an event that still holds, after asking the forge. Without the forge's
/// answer the event is taken as it is, except where data would be deleted: that waits for an
/// answer.
pub(crate) async fn confirm(
    forge: &dyn Forge,
    known: &Known<'_>,
    seen: &ConnectionSeen,
) -> Result<ConnectionSeen, Failure> {
    let mut seen = seen.clone();
    match (seen.active, seen.removed.is_empty()) {
        (true, true) => {}
        (false, true) => {
            // The installation itself is suspended, so asking for one repository is enough.
            let some = known.served.values().find(|row| row.active);
            let serves = match some {
                Some(row) => asked(forge.connection_of(&row.full_name)).await,
                None => Ok(None),
            };
            seen.active = serves == Ok(Some(known.installation));
        }
        // No installation comes back under its number.
        (false, false) if !known.erases => {}
        (active, false) => {
            let gone = !active
                && !asked(forge.connections()).await.map_err(|error| unsaid(&error))?.contains(&known.installation);
            if !gone {
                still_served(forge, known, &mut seen).await?;
            }
        }
    }
    Ok(seen)
}

/// Removes from `removed` the repositories that the forge still serves.
async fn still_served(forge: &dyn Forge, known: &Known<'_>, seen: &mut ConnectionSeen) -> Result<(), Failure> {
    let ours = seen.removed.iter().filter_map(|key| known.served.get(key));
    // A name that passed to another repository proves nothing about this one.
    let own_name = |row: &&RepositoryRow| {
        let mut others = known.served.values().filter(|other| other.active && other.repo != row.repo);
        !others.any(|other| other.full_name.eq_ignore_ascii_case(&row.full_name))
    };
    let ask = async |row: &RepositoryRow| (row.repo.clone(), asked(forge.connection_of(&row.full_name)).await);
    let rows: Vec<&RepositoryRow> = ours.filter(own_name).collect();
    let mut answers = stream::iter(rows).map(ask).buffered(AT_ONCE);
    let mut served = Vec::new();
    while let Some((key, answer)) = answers.next().await {
        match answer {
            Ok(Some(installation)) if installation == known.installation => served.push(key),
            Ok(_) => {}
            Err(error) if known.erases => return Err(unsaid(&error)),
            Err(_) => break,
        }
    }
    drop(answers);
    seen.removed.retain(|key| !served.contains(key));
    Ok(())
}

async fn asked<T>(question: impl Future<Output = Result<T, ForgeError>>) -> Result<T, ForgeError> {
    let answer = aside(tokio::time::timeout(TIMEOUT, question)).await;
    answer.unwrap_or_else(|_| Err(ForgeError::Transient("the forge did not answer".to_owned())))
}

fn unsaid(error: &ForgeError) -> Failure {
    Failure::NotNow(format!("nothing is deleted before the forge says that it was taken from us: {error}"))
}
