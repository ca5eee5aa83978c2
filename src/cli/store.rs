//! Opening the store that the settings name.

use std::sync::Arc;

use super::Failure;
use crate::{
    port::store::Store,
    settings::{DatabaseUrl, Settings},
};

/// Opens the store.
pub(super) fn open(settings: &Settings) -> Result<Arc<dyn Store>, Failure> {
    match &settings.database_url {
        DatabaseUrl::Sqlite(path) => {
            Err(Failure::Message(format!("the store {} can't be opened by this build", path.display())))
        }
        DatabaseUrl::Postgres(_) => {
            Err(Failure::Message("database_url: this version can't open PostgreSQL; use sqlite://FILE".to_owned()))
        }
    }
}
