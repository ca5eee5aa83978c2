//! References on the command line to a delivery, a repository or an item.

use std::{fmt, str::FromStr};

use crate::{
    cli::Failure,
    domain::id::{ForgeName, ItemId, RepoKey},
    port::store::{DeliveryFilter, RepositoryRow, Seq, Store},
};

/// A delivery, by its number in phasebot or its id on the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryRef {
    /// Number that `phasebot deliveries list` shows.
    Seq(Seq),
    /// The forge's id, as GitHub's page of recent deliveries shows it.
    Id(String),
}

impl FromStr for DeliveryRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(seq) = text.parse() {
            return Ok(Self::Seq(seq));
        }
        let is_id = text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if is_id {
            Ok(Self::Id(text.to_ascii_lowercase()))
        } else {
            Err("it is neither a number of `phasebot deliveries list` nor a delivery id, such as \
                 72d3162e-cc78-11e3-81ab-4c9367dc0958"
                .to_owned())
        }
    }
}

impl fmt::Display for DeliveryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "{seq}"),
            Self::Id(id) => f.write_str(id),
        }
    }
}

impl DeliveryRef {
    /// Returns the numbers of the deliveries, newest first: two webhooks may have sent the same id.
    pub(super) async fn find(&self, store: &dyn Store) -> Result<Vec<Seq>, Failure> {
        match self {
            Self::Seq(seq) => Ok(vec![*seq]),
            Self::Id(id) => {
                let filter = DeliveryFilter { delivery: Some(id.clone()), ..DeliveryFilter::default() };
                Ok(store.deliveries(&filter).await?.into_iter().map(|row| row.seq).collect())
            }
        }
    }
}

/// A repository, by its name or its id on the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositoryRef {
    /// `OWNER/NAME`.
    Name(String),
    /// The forge's id of the repository.
    Id(u64),
}

impl FromStr for RepositoryRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        match text.split_once('/') {
            Some((owner, name)) if !owner.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self::Name(text.to_owned()))
            }
            _ => Err("it is no repository: write OWNER/NAME, such as acme/shop".to_owned()),
        }
    }
}

impl RepositoryRef {
    /// Returns the forge's id of the repository. Fails if no repository has this name.
    pub(super) async fn find(&self, store: &dyn Store) -> Result<u64, Failure> {
        match self {
            Self::Id(id) => Ok(*id),
            Self::Name(name) => Ok(named(name, store).await?.repo.id),
        }
    }

    /// Returns the repository. Fails if there is none.
    pub(super) async fn row(&self, store: &dyn Store) -> Result<RepositoryRow, Failure> {
        match self {
            Self::Name(name) => named(name, store).await,
            Self::Id(id) => {
                let row = store.repository(&RepoKey { forge: ForgeName::github(), id: *id }).await?;
                row.ok_or_else(|| Failure::Message(format!("no delivery named a repository with the id {id} yet")))
            }
        }
    }
}

/// Returns the repository with this name. Fails with a remedy if there is none.
async fn named(name: &str, store: &dyn Store) -> Result<RepositoryRow, Failure> {
    let row = store.repository_named(&ForgeName::github(), name).await?;
    row.ok_or_else(|| {
        Failure::Message(format!(
            "{name}: no delivery named this repository yet. Is the App installed there? `phasebot doctor` lists the repositories that it serves"
        ))
    })
}

/// An issue or pull request, such as `acme/shop#12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRef {
    /// `OWNER/NAME`.
    pub repository: String,
    /// Number of the item.
    pub item: ItemId,
}

impl FromStr for ItemRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "it is no item: write OWNER/NAME#NUMBER, such as acme/shop#12".to_owned();
        let text = text.strip_prefix("https://github.com/").unwrap_or(text);
        let (repository, number) =
            ["#", "/issues/", "/pull/"].iter().find_map(|between| text.split_once(between)).ok_or_else(wrong)?;
        match repository.parse()? {
            RepositoryRef::Name(repository) => Ok(Self { repository, item: number.parse().map_err(|_| wrong())? }),
            RepositoryRef::Id(_) => Err(wrong()),
        }
    }
}

impl ItemRef {
    /// Returns the item's repository. Fails with a remedy if it is unknown.
    pub(super) async fn find(&self, store: &dyn Store) -> Result<RepositoryRow, Failure> {
        named(&self.repository, store).await
    }
}
