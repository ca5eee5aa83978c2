//! The contents of the policy files that apply to a repository, and the work that is still to be
//! done because of them.
//!
//! They are stored like any other fact, so that neither an event nor a restart costs a call to the
//! forge.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::id::{ItemId, Sha};

/// A file as a forge shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSeen {
    /// The forge's id of the content.
    pub blob: String,
    /// The content, or the reason why it can't be read as text: too large, not UTF-8, no file.
    pub text: Result<String, String>,
    /// Hash of the content. Contents with the same hash are equal. It is our own, because a forge's
    /// id is only as good as the forge's hash.
    pub digest: String,
}

impl FileSeen {
    /// Creates a file from its content and the forge's id of the content.
    pub fn new(blob: impl Into<String>, text: Result<String, String>) -> Self {
        let (Ok(content) | Err(content)) = &text;
        let mut hash = Sha256::new();
        hash.update([u8::from(text.is_ok())]);
        hash.update(content.as_bytes());
        Self { blob: blob.into(), digest: hex::encode(hash.finalize()), text }
    }
}

/// A file that may exist, and the freshness of our copy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// Time of the last reading; `None`: never read.
    pub read_at: Option<Timestamp>,
    /// The source: the default branch's name, or the organisation's.
    pub of: String,
    /// The content at that time; `None`: no file.
    pub seen: Option<FileSeen>,
    /// True if it may have changed since.
    pub stale: bool,
    /// Time before which not to read it again, after a reading failed or the file was not found.
    pub retry_at: Option<Timestamp>,
    /// Time since when it is missing although it existed. It does not count as removed yet.
    pub missed_at: Option<Timestamp>,
}

/// The texts in force: the last ones that were valid together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InForce {
    /// The organisation's.
    pub organisation: Option<FileSeen>,
    /// The repository's own.
    pub own: Option<FileSeen>,
    /// True if the repository has a file that was never valid. The layers above apply then, but at
    /// most in the mode `label`.
    pub cautious: bool,
}

/// Our issue about an invalid file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Complaint {
    /// Issue number, once the forge has reported it.
    pub issue: Option<ItemId>,
    /// The problem that it reports; `None`: it is closed.
    pub says: Option<String>,
}

/// The policy with which the items were last derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DerivedBy {
    /// The policy's version.
    pub version: String,
}

/// A proposal that may change the policy file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Proposal {
    /// A pull request.
    Pull(ItemId),
    /// A merge group, by its head commit.
    Group(Sha),
}

/// Everything about the policy files of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PolicyFiles {
    /// The repository's own file.
    pub own: Reading,
    /// The organisation's file.
    pub organisation: Reading,
    /// The texts in force; `None`: nothing could be read yet.
    pub in_force: Option<InForce>,
    /// Identifies the program and the operator's policy with which the texts were checked.
    pub judged_by: String,
    /// The problem with the repository's own file, as `phasebot check` reports it.
    pub broken: Option<String>,
    /// Our issue about it.
    pub complaint: Option<Complaint>,
    /// The policy with which the items were last derived.
    pub derived_by: Option<DerivedBy>,
    /// Set when the policy has changed: items below this number are still to be derived again.
    pub rederive_below: Option<ItemId>,
    /// Proposals that are still to be checked.
    pub unchecked: BTreeSet<Proposal>,
    /// Time before which not to check one again, after a check failed.
    pub check_at: Option<Timestamp>,
}
