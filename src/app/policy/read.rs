//! Reads the policy files when they may have changed.

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{clock::after, forge_query::question, policy::source::FilePolicies, runtime::Runtime},
    domain::{
        fact::policy::{FileSeen, PolicyFiles, Reading},
        policy::FILE,
    },
    port::forge::{Forge, ForgeError, Target},
};

/// Interval at which an organisation's file is read if no event reports its changes.
const ORGANISATION_STALE_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Wait after a temporary failure to read a file.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// Wait after the forge refused to show a file: a person has to fix that.
const REFUSED_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Wait before a file that is no longer found is looked for again. Only then is it
/// taken as removed: a replica of the forge may lag behind, and the gates would go
/// with the file.
const MISSED_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// Result of reading the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Brought {
    /// True if any fact about the files changed.
    pub(crate) news: bool,
    /// True if the repository's own file changed.
    pub(crate) own: bool,
}

/// Reads the files that may have changed, and validates them.
///
/// `branch` is the default branch; `told`: the organisation's file is reported
/// to have changed. A failure changes nothing and is retried.
pub(super) async fn refresh(
    runtime: &Runtime,
    policies: &FilePolicies,
    (forge, target): (&dyn Forge, &Target),
    files: &mut PolicyFiles,
    branch: &str,
    told: bool,
) -> Brought {
    let now = runtime.clock.now();
    let (owner, name) = target.full_name.split_once('/').unwrap_or((&target.full_name, ""));
    let own_due = is_due(&files.own, branch, now);
    // The organisation's own `.github` repository has no other above it.
    let organisation_due = name != ".github" && organisation_is_due(runtime, target, files, owner, told, now).await;
    let mut brought = Brought { news: told, own: false };
    if files.organisation.of != owner {
        // Set even without an organisation's file: its name is the repository's owner.
        files.organisation = Reading { of: owner.to_owned(), ..Reading::default() };
        brought.news = true;
    }
    // Texts are validated together, so all of them have to be known first.
    let all_known = |files: &PolicyFiles| {
        files.own.read_at.is_some() && (name == ".github" || files.organisation.read_at.is_some())
    };
    if !own_due && !organisation_due {
        if all_known(files) && files.judged_by != policies.ground() {
            policies.judge(files);
            brought.news = true;
        }
        return brought;
    }
    let (own, organisation) =
        tokio::join!(async { if own_due { Some(one(runtime, forge, target, None).await) } else { None } }, async {
            if !organisation_due {
                return None;
            }
            Some(of_organisation(runtime, policies, (forge, target), owner, &files.organisation).await)
        });
    let now = runtime.clock.now();
    if let Some(outcome) = own {
        let before = files.own.seen.clone();
        note(&mut files.own, branch, outcome, now);
        brought.own = files.own.seen != before && files.own.read_at == Some(now);
    }
    if let Some(outcome) = organisation {
        note(&mut files.organisation, owner, outcome, now);
    }
    if all_known(files) {
        policies.judge(files);
    }
    brought.news = true;
    brought
}

fn is_due(reading: &Reading, of: &str, now: Timestamp) -> bool {
    let wanted = reading.read_at.is_none() || reading.stale || reading.of != of;
    wanted && reading.retry_at.is_none_or(|at| at <= now)
}

async fn organisation_is_due(
    runtime: &Runtime,
    target: &Target,
    files: &mut PolicyFiles,
    owner: &str,
    told: bool,
    now: Timestamp,
) -> bool {
    let reading = &mut files.organisation;
    reading.stale |= told;
    if is_due(reading, owner, now) {
        return true;
    }
    let old = reading.read_at.is_some_and(|at| now.duration_since(at) >= ORGANISATION_STALE_AFTER);
    if !old || reading.retry_at.is_some_and(|at| at > now) {
        return false;
    }
    // If we serve the organisation's repository, its push events report changes.
    let served = runtime.store.repositories(&target.repo.forge, target.installation).await.unwrap_or_default();
    let place = format!("{owner}/.github");
    !served.iter().any(|row| row.active && row.full_name.eq_ignore_ascii_case(&place))
}

fn note(reading: &mut Reading, of: &str, outcome: Result<Option<FileSeen>, Timestamp>, now: Timestamp) {
    match outcome {
        Ok(None) if reading.seen.is_some() && !missed_for_long(reading, now) => {
            reading.missed_at.get_or_insert(now);
            reading.stale = true;
            reading.retry_at = Some(after(now, MISSED_AGAIN_AFTER));
        }
        Ok(seen) => {
            let of = of.to_owned();
            *reading = Reading { read_at: Some(now), of, seen, ..Reading::default() };
        }
        Err(retry_at) => {
            // A failed read makes a file stale that was read before.
            reading.stale |= reading.read_at.is_some();
            reading.retry_at = Some(retry_at);
        }
    }
}

fn missed_for_long(reading: &Reading, now: Timestamp) -> bool {
    reading.missed_at.is_some_and(|at| now.duration_since(at) >= MISSED_AGAIN_AFTER)
}

/// Returns the organisation's file as another of its repositories read it since, or reads it.
async fn of_organisation(
    runtime: &Runtime,
    policies: &FilePolicies,
    (forge, target): (&dyn Forge, &Target),
    owner: &str,
    Reading { read_at, seen, .. }: &Reading,
) -> Result<Option<FileSeen>, Timestamp> {
    let whose = (target.repo.forge.clone(), target.installation, owner.to_lowercase());
    let now = runtime.clock.now();
    if let Some((at, file)) = policies.shared(&whose)
        && read_at.is_none_or(|read_at| at > read_at)
        // Each repository finds out for itself that a file is gone, by looking twice.
        && (file.is_some() || seen.is_none())
        && now.duration_since(at) < ORGANISATION_STALE_AFTER
    {
        return Ok(file);
    }
    let file = one(runtime, forge, target, Some(&format!("{owner}/.github"))).await?;
    policies.share(whose, now, file.clone());
    Ok(file)
}

/// Reads one file; `Err` is the time to try again.
async fn one(
    runtime: &Runtime,
    forge: &dyn Forge,
    target: &Target,
    of: Option<&str>,
) -> Result<Option<FileSeen>, Timestamp> {
    let place = of.unwrap_or(&target.full_name);
    match question(runtime, target, || forge.file(target, of, FILE, None)).await {
        Ok(file) => Ok(file),
        Err(ForgeError::RateLimited { until }) => Err(until),
        // An organisation's repository that we may not read does not concern us.
        Err(ForgeError::NotFound(_) | ForgeError::Deleted(_) | ForgeError::Permanent(_)) if of.is_some() => Ok(None),
        Err(ForgeError::NotFound(why) | ForgeError::Deleted(why) | ForgeError::Permanent(why)) => {
            tracing::warn!(place, why, "the policy file may not be read; what was in force stays so");
            Err(after(runtime.clock.now(), REFUSED_RETRY_AFTER))
        }
        Err(ForgeError::Transient(why) | ForgeError::Doubt(why)) => {
            tracing::warn!(place, why, "the policy file can't be read now; what was in force stays so");
            Err(after(runtime.clock.now(), RETRY_AFTER))
        }
    }
}
