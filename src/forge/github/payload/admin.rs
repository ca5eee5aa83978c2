//! Installations and the labels of a repository.

use jiff::Timestamp;
use serde::Deserialize;

use crate::forge::github::payload::{Maybe, lenient::objects};

/// An installation, where an event is about it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct InstallationFull {
    /// Its number.
    pub id: Maybe<u64>,
    /// When it was made: seconds since 1970 in older payloads.
    pub created_at: Maybe<Timestamp>,
    /// When it last changed.
    pub updated_at: Maybe<Timestamp>,
    /// When it was suspended; null if it is not.
    pub suspended_at: Maybe<Timestamp>,
}

/// A repository in an installation's lists.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct InstalledRepository {
    /// Its number.
    pub id: Maybe<u64>,
    /// `owner/name`.
    pub full_name: Maybe<String>,
}

/// What was changed about a label.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LabelChanges {
    /// The name.
    pub name: Maybe<Before>,
}

/// A value before a change.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Before {
    /// The older value.
    pub from: Maybe<String>,
}

objects!(InstallationFull, InstalledRepository, LabelChanges, Before);
