//! An account's permissions in a repository.

use serde::{Deserialize, Serialize};

/// A role on a repository. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// No permission, or no such account.
    #[default]
    None,
    /// May read.
    Read,
    /// May manage issues.
    Triage,
    /// May push.
    Write,
    /// May manage the repository.
    Maintain,
    /// May do everything.
    Admin,
}

impl Role {
    /// Every role with its name.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::None, "none"),
        (Self::Read, "read"),
        (Self::Triage, "triage"),
        (Self::Write, "write"),
        (Self::Maintain, "maintain"),
        (Self::Admin, "admin"),
    ];

    /// Returns the role's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(role, _)| *role == self).map_or("", |(_, name)| name)
    }

    /// Returns the role with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(role, _)| *role)
    }
}

/// The accounts that may use a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Everyone with at least this role.
    AtLeast(Role),
    /// Members of any of these teams: `sre`, or `acme/sre`.
    Teams(Vec<String>),
}
