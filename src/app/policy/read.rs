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

/// An organisation's file of whose changes nobody tells us is looked at this often.
const ORGANISATION_STALE_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// What could not be read for the moment is tried again after this long.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// What the forge refuses takes a person to mend.
const REFUSED_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// A file that is not found any more is looked for again after this long before
/// it is taken for removed: a replica of the forge may lag behind, and with the
/// file its gates would go.
const MISSED_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// What reading brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Brought {
    /// Something of what is known of the files changed.
    pub(crate) news: bool,
    /// The repository's own file is another one.
    pub(crate) own: bool,
}

/// Reads what may have changed, and judges it.
///
/// `branch` is the default branch; `told`: the organisation's file is said to
/// have changed. A failure leaves everything as it is, to be tried again.
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
        // Also where there is none: its name is the repository's owner.
        files.organisation = Reading { of: owner.to_owned(), ..Reading::default() };
        brought.news = true;
    }
    // Until all texts are known nothing can be said of them together.
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
    // Where we serve the organisation's repository its pushes tell us.
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
            // Not read at all is stale, too.
            reading.stale |= reading.read_at.is_some();
            reading.retry_at = Some(retry_at);
        }
    }
}

fn missed_for_long(reading: &Reading, now: Timestamp) -> bool {
    reading.missed_at.is_some_and(|at| now.duration_since(at) >= MISSED_AGAIN_AFTER)
}

/// The organisation's file: as another of its repositories read it since, or by asking.
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
        // That a file is gone each finds out for itself, by looking twice.
        && (file.is_some() || seen.is_none())
        && now.duration_since(at) < ORGANISATION_STALE_AFTER
    {
        return Ok(file);
    }
    let file = one(runtime, forge, target, Some(&format!("{owner}/.github"))).await?;
    policies.share(whose, now, file.clone());
    Ok(file)
}

/// Reads one file; or tells when to try again.
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
        // An organisation's repository that we may not read is none of ours.
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
