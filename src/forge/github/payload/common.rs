//! Objects that many payloads share.

use jiff::Timestamp;
use serde::Deserialize;

use crate::forge::github::payload::{Maybe, lenient::objects};

/// An account.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    /// Its number, which survives a rename.
    pub id: Maybe<u64>,
    /// Account name.
    pub login: Maybe<String>,
    /// The account name where a push describes the owner.
    pub name: Maybe<String>,
    /// `User`, `Organization`, `Bot`, `Mannequin`, …
    #[serde(rename = "type")]
    pub kind: Maybe<String>,
}

/// A repository.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Repository {
    /// Its number, which survives a rename.
    pub id: Maybe<u64>,
    /// Name without the owner.
    pub name: Maybe<String>,
    /// `owner/name`.
    pub full_name: Maybe<String>,
    /// Owner.
    pub owner: Maybe<User>,
    /// Default branch.
    pub default_branch: Maybe<String>,
    /// Address of its page.
    pub html_url: Maybe<String>,
    /// When something of it was changed last.
    pub updated_at: Maybe<Timestamp>,
    /// When something was pushed last.
    pub pushed_at: Maybe<Timestamp>,
}

/// An App, an installation, a repository: where only the number is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Numbered {
    /// Its number.
    pub id: Maybe<u64>,
}

/// An App that did something in a person's name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Via {
    /// Its name in addresses.
    pub slug: Maybe<String>,
}

/// A label.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Label {
    /// Its name.
    pub name: Maybe<String>,
}

objects!(User, Repository, Numbered, Via, Label);
