//! Decodes events about installations, repositories and labels.

use crate::{
    domain::{
        event::{ConnectionSeen, RepositoryChange, Seen},
        id::RepoKey,
    },
    forge::github::{
        decode::{Delivery, Understood, Useless, is_full_name, needed},
        payload::{InstallationFull, InstalledRepository, Label, LabelChanges, Maybe},
    },
};

pub(super) fn installation(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    let installation = payload_installation(delivery)?;
    let (active, at) = match delivery.action {
        "created" => (true, installation.created_at.0),
        // The payload has no time of the removal.
        "deleted" => (false, None),
        "suspend" => (false, installation.suspended_at.0.or(installation.updated_at.0)),
        "unsuspend" => (true, installation.updated_at.0),
        "new_permissions_accepted" => (installation.suspended_at.0.is_none(), installation.updated_at.0),
        // An unknown action does not show whether phasebot may still act.
        _ => return Err(Useless::because("this change to the installation is not used")),
    };
    let seen = ConnectionSeen {
        active,
        added: if active { added(delivery, "repositories") } else { Vec::new() },
        // A suspension does not remove the repositories; they are usable again when it ends.
        removed: if delivery.action == "deleted" { removed(delivery, "repositories") } else { Vec::new() },
    };
    Ok(Understood { seen: Seen::Connection(seen), at })
}

pub(super) fn installation_repositories(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    let installation = payload_installation(delivery)?;
    let seen = ConnectionSeen {
        active: installation.suspended_at.0.is_none(),
        added: added(delivery, "repositories_added"),
        removed: removed(delivery, "repositories_removed"),
    };
    Ok(Understood { seen: Seen::Connection(seen), at: installation.updated_at.0 })
}

pub(super) fn authorization(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    if delivery.action != "revoked" {
        return Err(Useless::because("this change to an authorization is not used"));
    }
    let person = needed(delivery.sender.as_ref().and_then(|sender| sender.id), "sender.id")?;
    Ok(Understood { seen: Seen::Revoked { person }, at: None })
}

fn payload_installation(delivery: &Delivery<'_>) -> Result<InstallationFull, Useless> {
    let installation: InstallationFull = needed(delivery.payload.get("installation"), "installation")?;
    needed(installation.id.0, "installation.id")?;
    Ok(installation)
}

/// Returns the added repositories. One without a valid name is skipped; its next event will add it.
fn added(delivery: &Delivery<'_>, list: &str) -> Vec<(RepoKey, String)> {
    let named = |repository: InstalledRepository| {
        let name = repository.full_name.0.filter(|name| is_full_name(name))?;
        Some((key(delivery, &repository.id)?, name))
    };
    listed(delivery, list).filter_map(named).collect()
}

/// Returns the removed repositories; their names are not needed.
fn removed(delivery: &Delivery<'_>, list: &str) -> Vec<RepoKey> {
    listed(delivery, list).filter_map(|repository| key(delivery, &repository.id)).collect()
}

fn listed(delivery: &Delivery<'_>, list: &str) -> impl Iterator<Item = InstalledRepository> {
    let listed: Vec<Maybe<InstalledRepository>> = delivery.payload.get(list).unwrap_or_default();
    listed.into_iter().filter_map(|repository| repository.0)
}

fn key(delivery: &Delivery<'_>, id: &Maybe<u64>) -> Option<RepoKey> {
    Some(RepoKey { forge: delivery.forge.clone(), id: id.0? })
}

pub(super) fn repository(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    delivery.repo()?;
    let (change, at) = match delivery.action {
        // The payload has no time of the deletion.
        "deleted" => (RepositoryChange::Deleted, None),
        "archived" => (RepositoryChange::Archived, delivery.repo_updated_at),
        "unarchived" => (RepositoryChange::Unarchived, delivery.repo_updated_at),
        _ => (RepositoryChange::Described, delivery.repo_updated_at),
    };
    Ok(Understood { seen: Seen::Repository(change), at })
}

pub(super) fn label(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    delivery.repo()?;
    let label: Label = needed(delivery.payload.get("label"), "label")?;
    let name = needed(label.name.0, "label.name")?;
    let gone = match delivery.action {
        "deleted" => Some(name.clone()),
        "edited" => delivery.payload.get::<LabelChanges>("changes").and_then(|changes| changes.name.0?.from.0),
        _ => None,
    };
    Ok(Understood { seen: Seen::Label { name, gone }, at: None })
}
