//! Identifiers of forges, repositories, items, commits and accounts.

mod sha;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use sha::{NotAnObjectName, Sha, ShortSha};

/// The number of an issue or pull request within its repository.
pub type ItemId = u64;

/// The id of a connection to a forge: the account for which we act there, with its own
/// credentials and limits, such as an installation of an App.
pub type ConnectionId = u64;

/// The configured name of a forge instance, such as `github`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ForgeName(pub String);

impl ForgeName {
    /// Returns the instance that `[github]` in the settings describes.
    pub fn github() -> Self {
        Self("github".to_owned())
    }
}

impl fmt::Display for ForgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A repository, by the forge's own id, which survives a rename.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RepoKey {
    /// The forge instance that hosts it.
    pub forge: ForgeName,
    /// The forge's id for it.
    pub id: u64,
}

impl fmt::Display for RepoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.forge, self.id)
    }
}

/// A forge's id of an account. It survives a rename; whoever takes a login that was given up has
/// another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub u64);

/// An account, and its login at the time when it was seen.
///
/// Only [`Account::same_as`] tells if two are one person. `==` compares records, and a login is for
/// display.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "StoredAccount")]
pub struct Account {
    /// Account id; `None` if unknown, as in records of earlier versions.
    pub id: Option<AccountId>,
    /// Login at that time.
    pub login: String,
}

impl Account {
    /// Creates an account of which only the login is known.
    pub fn login_only(login: impl Into<String>) -> Self {
        Self { id: None, login: login.into() }
    }

    /// Returns true if two accounts are the same, false if they differ; `None` if unknown.
    pub fn same_as(&self, other: &Self) -> Option<bool> {
        Some(self.id? == other.id?)
    }
}

/// Stored form of [`Account`]. Earlier versions stored the login only.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredAccount {
    Login(String),
    Whole { id: Option<AccountId>, login: String },
}

impl From<StoredAccount> for Account {
    fn from(stored: StoredAccount) -> Self {
        match stored {
            StoredAccount::Login(login) => Self { id: None, login },
            StoredAccount::Whole { id, login } => Self { id, login },
        }
    }
}

/// The account that did something, as the forge reports it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Actor {
    /// Account id; `None` if unknown.
    #[serde(default)]
    pub id: Option<AccountId>,
    /// Account name.
    pub login: String,
    /// True for a bot or App, according to the forge.
    pub bot: bool,
}

impl Actor {
    /// Returns the account.
    pub fn account(&self) -> Account {
        Account { id: self.id, login: self.login.clone() }
    }

    /// Returns true if its current login is `login`. Use it for names that people configure, and
    /// for our own, which the forge reports by name. It does not identify a person.
    pub fn is_called(&self, login: &str) -> bool {
        self.login.eq_ignore_ascii_case(login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_one_by_its_number_alone() {
        let account = |id: Option<u64>, login: &str| Account { id: id.map(AccountId), login: login.into() };
        assert_eq!(account(Some(1), "ada").same_as(&account(Some(1), "bob")), Some(true));
        assert_eq!(account(Some(1), "ada").same_as(&account(Some(2), "ada")), Some(false));
        assert_eq!(account(None, "ada").same_as(&account(Some(1), "ada")), None);
        assert_eq!(account(None, "ada").same_as(&account(None, "ada")), None);
    }

    #[test]
    fn a_login_that_was_kept_alone_is_an_account_without_a_number() {
        let read = |json: &str| serde_json::from_str::<Account>(json).unwrap();
        assert_eq!(read("\"ada\""), Account::login_only("ada"));
        assert_eq!(read("{\"login\":\"ada\"}"), Account::login_only("ada"));
        let ada = Account { id: Some(AccountId(7)), login: "ada".into() };
        assert_eq!(read(&serde_json::to_string(&ada).unwrap()), ada);
    }
}
