//! Opens the store that the settings name.

use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::{
    cli::Failure,
    port::store::Store,
    settings::{DatabaseUrl, Settings},
    store,
};

/// Opens the store, and migrates its schema to the current version.
pub(super) async fn open(settings: &Settings) -> Result<Arc<dyn Store>, Failure> {
    let url = match &settings.database_url {
        DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
        DatabaseUrl::Postgres(url) => url.expose_secret().to_owned(),
    };
    store::open(&url).await.map_err(|error| Failure::Message(error.to_string()))
}
