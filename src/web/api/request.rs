//! What a caller asks for.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{
    port::store::RepositoryRow,
    web::{Web, api::answer::Refused, edition::Edition, read},
};

/// The repository that an address names, which the caller may read, and the edition of the answer.
pub(super) struct Repository(pub(super) RepositoryRow, pub(super) Edition);

/// The parameters of an address.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let found = read::Parameters::from_request_parts(parts, state).await;
        Ok(found.map(|read::Parameters(found)| Self(found))?)
    }
}

impl FromRequestParts<Arc<Web>> for Repository {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Refused> {
        let found = read::Repository::from_request_parts(parts, web).await;
        Ok(found.map(|read::Repository { row, edition }| Self(row, edition))?)
    }
}
