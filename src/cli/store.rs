//! Opens the store that the settings name.

use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::{
    cli::Failure,
    port::{pages::PageStore, store::Store},
    settings::{DatabaseUrl, Settings},
    store::{self, Migration, OpenError},
};

/// Opens the store of `serve`, and migrates its schema to the current version.
pub(super) async fn open_to_serve(settings: &Settings) -> Result<Arc<dyn Store>, Failure> {
    let migration = if settings.backup_before_migration { Migration::AfterBackup } else { Migration::WithoutBackup };
    Ok(open_with(settings, migration).await?)
}

/// Opens the store of a command beside `serve`. Migrates nothing: an older `serve` may be using it.
pub(super) async fn open(settings: &Settings) -> Result<Arc<dyn Store>, OpenError> {
    open_with(settings, Migration::Refuse).await
}

/// Opens the web pages' own connections to the store, which must be open.
pub(super) async fn open_pages(settings: &Settings) -> Result<Arc<dyn PageStore>, Failure> {
    Ok(store::open_pages(&url(settings)).await?)
}

async fn open_with(settings: &Settings, migration: Migration) -> Result<Arc<dyn Store>, OpenError> {
    store::open_with(&url(settings), migration).await
}

fn url(settings: &Settings) -> String {
    match &settings.database_url {
        DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
        DatabaseUrl::Postgres(url) => url.expose_secret().to_owned(),
    }
}
