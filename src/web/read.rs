//! What the pages read of a repository.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::extract::{FromRequestParts, Path, Query};
use http::request::Parts;
use jiff::tz::TimeZone;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    domain::{
        fact::{DocumentKey, policy::PolicyFiles},
        id::ItemId,
        policy::Policy,
    },
    port::store::{RepositoryRow, StoreError},
    web::{
        Web,
        access::Visitor,
        edition::{Asked, Edition, Made},
        failure::Failure,
    },
};

/// Longest wait for the turn to make a page.
const PATIENCE: Duration = Duration::from_secs(5);

/// The turn to make a page.
pub(super) type Turn = Arc<OwnedSemaphorePermit>;

/// The visitor of a request, as the guard found out.
pub(super) struct Visit(pub(super) Arc<Visitor>);

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Arc<Visitor>>().cloned().map(Self).ok_or(Failure::NotFound)
    }
}

/// The parameters of an address.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let found = Query::<T>::from_request_parts(parts, state).await;
        let wrong = |_| Failure::Wanted("A parameter has no such value, or is named twice.".to_owned());
        found.map(|Query(found)| Self(found)).map_err(wrong)
    }
}

/// Name of the repository in an address.
#[derive(Deserialize)]
struct Name {
    owner: String,
    name: String,
}

/// The repository that an address names, which the visitor may read, and the edition of the answer.
pub(super) struct Repository {
    pub(super) row: RepositoryRow,
    pub(super) edition: Edition,
}

impl FromRequestParts<Arc<Web>> for Repository {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Failure> {
        let Visit(visitor) = Visit::from_request_parts(parts, web).await?;
        let named = Path::<Name>::from_request_parts(parts, web).await;
        let Path(Name { owner, name }) = named.map_err(|_| Failure::NotFound)?;
        let row = web.readable(&visitor, &format!("{owner}/{name}")).await?.ok_or(Failure::NotFound)?;
        let Ok(asked) = Asked::from_request_parts(parts, web).await;
        let edition = web.edition(&visitor, &asked, std::slice::from_ref(&row)).await?;
        Ok(Self { row, edition })
    }
}

impl Web {
    /// Waits for the turn to make a page. Work on another thread holds it, too, because nobody can end
    /// that work.
    pub(super) async fn turn(&self) -> Result<Turn, Failure> {
        match tokio::time::timeout(PATIENCE, Arc::clone(&self.renders).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Arc::new(permit)),
            Ok(Err(_)) | Err(_) => Err(Failure::Unavailable),
        }
    }

    /// Returns the edition of an answer about these repositories; fails with [`Failure::Unchanged`] if the
    /// reader has it. To be called before anything else is read of them.
    pub(super) async fn edition(
        &self,
        visitor: &Visitor,
        asked: &Asked,
        repositories: &[RepositoryRow],
    ) -> Result<Edition, Failure> {
        let ids: Vec<u64> = repositories.iter().map(|row| row.repo.id).collect();
        let versions = if ids.is_empty() { Vec::new() } else { self.store.versions(&self.forge, &ids).await? };
        let edition = Edition::of(&Made {
            minute: self.clock.now().as_second().div_euclid(60),
            reader: visitor.person().map(|person| (person.login.as_str(), person.form_token.as_str())),
            path: &asked.path,
            repositories: repositories.iter().zip(versions).collect(),
        });
        if edition.is_known_to(asked) { Err(Failure::Unchanged(edition)) } else { Ok(edition) }
    }

    /// Returns the policy in force in a repository.
    pub(super) async fn policy(&self, row: &RepositoryRow) -> Result<Arc<Policy>, Failure> {
        let found = self.store.documents(&row.repo, &[DocumentKey::Policy.to_string()]).await?;
        let body = found.into_iter().next().and_then(|document| document.body);
        let files = match body {
            Some(body) => serde_json::from_str(&body).map_err(|error| StoreError::Corrupt(error.to_string()))?,
            None => PolicyFiles::default(),
        };
        Ok(self.policies.policy(&row.repo, &files))
    }

    /// Returns the time zone of a repository's days.
    pub(super) async fn zone(&self, row: &RepositoryRow) -> Result<TimeZone, Failure> {
        Ok(self.policy(row).await?.insight.zone.clone())
    }

    /// Returns what the lists show of these items.
    pub(super) async fn faces(
        &self,
        row: &RepositoryRow,
        items: impl IntoIterator<Item = ItemId>,
    ) -> Result<BTreeMap<ItemId, Face>, Failure> {
        let keys: Vec<String> = items.into_iter().map(|item| DocumentKey::Item(item).to_string()).collect();
        let found = self.store.documents(&row.repo, &keys).await?;
        let faces = found.iter().filter_map(|document| {
            let face: Face = serde_json::from_str(document.body.as_deref()?).ok()?;
            Some((face.number, face))
        });
        Ok(faces.collect())
    }

    /// Returns the address of something in a repository on the forge.
    pub(super) fn on_forge(&self, row: &RepositoryRow, path: &str) -> String {
        format!("{}/{}{path}", self.forge_url, row.full_name)
    }
}

/// The part of an item's facts that lists show.
#[derive(Debug, Deserialize)]
pub(super) struct Face {
    number: ItemId,
    is_pull: bool,
    title: Option<Title>,
}

#[derive(Debug, Deserialize)]
struct Title {
    value: String,
}

impl Face {
    /// Returns whether it is a pull request.
    pub(super) fn is_pull(&self) -> bool {
        self.is_pull
    }

    /// Returns the title; a number stands for one that was never seen.
    pub(super) fn title(&self) -> String {
        self.title.as_ref().map(|title| title.value.trim()).filter(|title| !title.is_empty()).map_or_else(
            || format!("{} {}", if self.is_pull { "Pull request" } else { "Issue" }, self.number),
            str::to_owned,
        )
    }
}
