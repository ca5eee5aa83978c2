//! What was read of the policy files that hold in a repository, and what is
//! still to be done because of them.
//!
//! Kept like any other fact, so that neither an event nor a restart costs a
//! call to the forge.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::id::{ItemNumber, Sha};

/// A file as a forge shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSeen {
    /// The forge's id of the content.
    pub blob: String,
    /// The content, or why it can't be read as text: too large, not UTF-8, no file.
    pub text: Result<String, String>,
    /// Hash of the content, by which equal ones are told. Our own: a forge's
    /// id is only as good as the forge's hash.
    pub digest: String,
}

impl FileSeen {
    /// A content under the forge's id.
    pub fn new(blob: impl Into<String>, text: Result<String, String>) -> Self {
        let (Ok(content) | Err(content)) = &text;
        let mut hash = Sha256::new();
        hash.update([u8::from(text.is_ok())]);
        hash.update(content.as_bytes());
        Self { blob: blob.into(), digest: hex::encode(hash.finalize()), text }
    }
}

/// A file that may be there, and how fresh our knowledge of it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// When it was read last; `None`: never.
    pub read_at: Option<Timestamp>,
    /// Of what: the default branch's name, or the organisation's.
    pub of: String,
    /// What stood there; `None`: no file.
    pub seen: Option<FileSeen>,
    /// It may have changed since.
    pub stale: bool,
    /// Reading it failed, or it was not found: not to be tried before.
    pub retry_at: Option<Timestamp>,
    /// Since when it is not found, although it stood there: not yet taken for removed.
    pub missed_at: Option<Timestamp>,
}

/// The texts that are in force: the last ones that were right together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InForce {
    /// The organisation's.
    pub organisation: Option<FileSeen>,
    /// The repository's own.
    pub own: Option<FileSeen>,
    /// The repository has a file that never was right: what stands above it
    /// holds, but no further than labels.
    pub cautious: bool,
}

/// Our issue about a file that is not right.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Complaint {
    /// Its number, once the forge has told it.
    pub issue: Option<ItemNumber>,
    /// What it says of the file; `None`: it is closed.
    pub says: Option<String>,
}

/// The policy by which the items were last derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DerivedBy {
    /// Its version.
    pub version: String,
}

/// Something that may bring a changed policy file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Proposal {
    /// A pull request.
    Pull(ItemNumber),
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
    /// What holds; `None`: nothing could be read yet.
    pub in_force: Option<InForce>,
    /// By what the texts were judged: the program and the operator's policy.
    pub judged_by: String,
    /// What is wrong with the own file, as `phasebot check` says it.
    pub broken: Option<String>,
    /// Our issue about that.
    pub complaint: Option<Complaint>,
    /// The policy by which the items were last derived.
    pub derived_by: Option<DerivedBy>,
    /// The policy changed: items below this number are still to be derived again.
    pub rederive_below: Option<ItemNumber>,
    /// Proposals that are still to be looked at.
    pub unchecked: BTreeSet<Proposal>,
    /// Looking at one failed: not before.
    pub check_at: Option<Timestamp>,
}
