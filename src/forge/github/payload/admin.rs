//! Installations and the labels of a repository.

use jiff::Timestamp;
use serde::Deserialize;

use crate::forge::github::payload::{Maybe, lenient::objects};

/// An installation in an event about the installation itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct InstallationFull {
    /// Installation id.
    pub id: Maybe<u64>,
    /// Time of creation; in seconds since 1970 in older payloads.
    pub created_at: Maybe<Timestamp>,
    /// Time of the last change.
    pub updated_at: Maybe<Timestamp>,
    /// Time of the suspension; null if the installation is not suspended.
    pub suspended_at: Maybe<Timestamp>,
}

/// A repository in an installation's lists.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct InstalledRepository {
    /// Repository id.
    pub id: Maybe<u64>,
    /// `owner/name`.
    pub full_name: Maybe<String>,
}

/// Changes to a label.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LabelChanges {
    /// Change of the name.
    pub name: Maybe<Before>,
}

/// The previous value of a changed field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Before {
    /// Previous value.
    pub from: Maybe<String>,
}

objects!(InstallationFull, InstalledRepository, LabelChanges, Before);
