//! Metadata of a repository.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{fact::Newest, id::Account};

/// Metadata of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RepositoryMetadata {
    /// `owner/name`, newest.
    pub full_name: Option<Newest<String>>,
    /// Default branch, newest.
    pub default_branch: Option<Newest<String>>,
    /// Every branch that was the default branch when an event was seen. A rename only shows as
    /// another name, and what landed before stays landed.
    #[serde(default)]
    pub default_branches: BTreeSet<String>,
    /// Owner, newest.
    pub owner: Option<Newest<Account>>,
    /// Host of its web pages, newest.
    #[serde(default)]
    pub web_host: Option<Newest<String>>,
    /// Time of the last activity, accurate to some hours.
    #[serde(default)]
    pub active_at: Option<Timestamp>,
    /// Time of the earliest event: the beginning of our record.
    #[serde(default)]
    pub recorded_since: Option<Timestamp>,
    /// Whether it is private, newest.
    #[serde(default)]
    pub private: Option<Newest<bool>>,
    /// The phases of the policies that were in force, by name, each with the time since when.
    #[serde(default)]
    pub phases: Vec<(Timestamp, Vec<String>)>,
    /// Labels that exist with our colour and description.
    pub known_labels: BTreeSet<String>,
}
