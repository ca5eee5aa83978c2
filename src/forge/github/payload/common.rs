//! Objects that many payloads share.

use jiff::Timestamp;
use serde::Deserialize;

use crate::forge::github::payload::{Maybe, lenient::objects};

/// An account.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    /// Account id, which survives a rename.
    pub id: Maybe<u64>,
    /// Account name.
    pub login: Maybe<String>,
    /// Account name in the description of a push's owner.
    pub name: Maybe<String>,
    /// `User`, `Organization`, `Bot`, `Mannequin`, …
    #[serde(rename = "type")]
    pub kind: Maybe<String>,
}

/// A repository.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Repository {
    /// Repository id, which survives a rename.
    pub id: Maybe<u64>,
    /// Name without the owner.
    pub name: Maybe<String>,
    /// `owner/name`.
    pub full_name: Maybe<String>,
    /// Owner.
    pub owner: Maybe<User>,
    /// Whether only some people can see it.
    pub private: Maybe<bool>,
    /// Default branch.
    pub default_branch: Maybe<String>,
    /// Address of the repository's page.
    pub html_url: Maybe<String>,
    /// Time of the last change to the repository.
    pub updated_at: Maybe<Timestamp>,
    /// Time of the last push.
    pub pushed_at: Maybe<Timestamp>,
}

/// An App, installation or repository of which only the id is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Numbered {
    /// Id.
    pub id: Maybe<u64>,
}

/// An App that acted on behalf of a person.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Via {
    /// URL-friendly name.
    pub slug: Maybe<String>,
}

/// A label.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Label {
    /// Label name.
    pub name: Maybe<String>,
}

objects!(User, Repository, Numbered, Via, Label);
