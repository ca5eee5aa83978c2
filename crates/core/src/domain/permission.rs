//! What an account may do in a repository.

use serde::{Deserialize, Serialize};

/// A role on a repository; each contains those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Nothing, or no such account.
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

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(role, _)| *role == self).map_or("", |(_, name)| name)
    }

    /// The role with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(role, _)| *role)
    }
}

/// Who may use a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Everyone with at least this role.
    AtLeast(Role),
    /// Members of any of these teams: `sre`, or `acme/sre`.
    Teams(Vec<String>),
}
