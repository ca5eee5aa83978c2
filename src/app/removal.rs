//! Whether what was taken from the App is still taken when we hear of it.
//!
//! A delivery may come hours late, and tells no moment that could be relied
//! on. Where to act again after it would be learnt from the next event; what
//! is deleted after it is lost.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};

use crate::{
    app::{decision::Failure, decision_slots::aside},
    domain::{
        event::InstallationSeen,
        id::{InstallationId, RepoKey},
    },
    port::{
        forge::{Forge, ForgeError},
        store::RepositoryRow,
    },
};

/// Patience with one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Repositories asked about side by side.
const AT_ONCE: usize = 4;

/// An installation, and what we know of it.
pub(crate) struct Known<'a> {
    pub(crate) installation: InstallationId,
    /// The repositories that it serves by our own map.
    pub(crate) served: &'a BTreeMap<RepoKey, RepositoryRow>,
    /// What is taken from us is deleted, which nothing brings back.
    pub(crate) erases: bool,
}

/// What is left of an event when the forge was asked what holds now. What the
/// forge does not say is taken as the event tells it, but for what is deleted:
/// that waits for an answer.
pub(crate) async fn confirmed(
    forge: &dyn Forge,
    known: &Known<'_>,
    seen: &InstallationSeen,
) -> Result<InstallationSeen, Failure> {
    let mut seen = seen.clone();
    match (seen.active, seen.removed.is_empty()) {
        (true, true) => {}
        (false, true) => {
            // It is the installation that rests: one of its repositories tells for all.
            let some = known.served.values().find(|row| row.active);
            let serves = match some {
                Some(row) => asked(forge.installation_of(&row.full_name)).await,
                None => Ok(None),
            };
            seen.active = serves == Ok(Some(known.installation));
        }
        // No installation comes back under its number.
        (false, false) if !known.erases => {}
        (active, false) => {
            let gone = !active
                && !asked(forge.installations()).await.map_err(|error| unsaid(&error))?.contains(&known.installation);
            if !gone {
                still_served(forge, known, &mut seen).await?;
            }
        }
    }
    Ok(seen)
}

/// Takes out of `removed` what the forge says is served.
async fn still_served(forge: &dyn Forge, known: &Known<'_>, seen: &mut InstallationSeen) -> Result<(), Failure> {
    let ours = seen.removed.iter().filter_map(|key| known.served.get(key));
    // A name that has gone to another repository tells nothing about this one.
    let own_name = |row: &&RepositoryRow| {
        let mut others = known.served.values().filter(|other| other.active && other.repo != row.repo);
        !others.any(|other| other.full_name.eq_ignore_ascii_case(&row.full_name))
    };
    let ask = async |row: &RepositoryRow| (row.repo.clone(), asked(forge.installation_of(&row.full_name)).await);
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
    let answer = aside(tokio::time::timeout(PATIENCE, question)).await;
    answer.unwrap_or_else(|_| Err(ForgeError::Transient("the forge did not answer".to_owned())))
}

fn unsaid(error: &ForgeError) -> Failure {
    Failure::NotNow(format!("nothing is deleted before the forge says that it was taken from us: {error}"))
}
