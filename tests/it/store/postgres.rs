//! The store contract on PostgreSQL, and tests that are specific to replicas on a server.

mod encrypted;
mod leases;

use std::sync::Arc;

use async_trait::async_trait;
use phasebot::{
    port::{pages::PageStore, store::Store},
    store::{open, open_pages},
};

use super::Database;
use crate::support::postgres::PostgresDatabase;

#[async_trait]
impl Database for PostgresDatabase {
    async fn open(&self) -> Arc<dyn Store> {
        open(&self.url).await.unwrap()
    }

    async fn pages(&self) -> Arc<dyn PageStore> {
        open_pages(&self.url).await.unwrap()
    }
}

mod contract {
    crate::store::conformance!(with [#[ignore = "needs PostgreSQL: scripts/test postgres"]]
        crate::support::postgres::PostgresDatabase::new().await
    );
}
