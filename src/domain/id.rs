//! Names of things: forges, repositories, items, commits.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of an issue or pull request within its repository.
pub type ItemNumber = u64;

/// A forge's id of an App installation: the tenant in whose name we act.
pub type InstallationId = u64;

/// The configured name of a forge instance, such as `github`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ForgeName(pub String);

impl ForgeName {
    /// The instance that `[github]` in the settings describes.
    pub fn github() -> Self {
        Self("github".to_owned())
    }
}

impl fmt::Display for ForgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A repository, by the forge's own number, which survives a rename.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RepoKey {
    /// The forge instance it lives on.
    pub forge: ForgeName,
    /// The forge's number for it.
    pub id: u64,
}

impl fmt::Display for RepoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.forge, self.id)
    }
}

/// A commit's full object name, in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sha(pub String);

impl Sha {
    /// The object name that git uses for «nothing»: all zeroes.
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|b| b == b'0')
    }

    /// The first seven digits, as people quote commits.
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Sha {
    fn from(text: &str) -> Self {
        Self(text.to_ascii_lowercase())
    }
}

/// Who did something, in the forge's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Actor {
    /// Account name; compared without case.
    pub login: String,
    /// A bot or App, by the forge's own statement.
    pub bot: bool,
}

impl Actor {
    /// Whether this is the account called `login`.
    pub fn is(&self, login: &str) -> bool {
        self.login.eq_ignore_ascii_case(login)
    }
}
