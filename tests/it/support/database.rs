//! Where the bot of a flow keeps everything: in a SQLite file, or on
//! PostgreSQL where `scripts/with-postgres` runs the tests.

use std::path::Path;

use super::postgres::{PostgresDatabase, SERVER, execute};

/// The URL of a new database: `file`, unless a PostgreSQL server is there.
pub async fn new_database(file: &Path) -> String {
    on_postgres().await.unwrap_or_else(|| sqlite_file(file))
}

/// The URL of a new database on the PostgreSQL server, if one is there.
pub async fn on_postgres() -> Option<String> {
    std::env::var_os(SERVER)?;
    Some(PostgresDatabase::new().await.url)
}

/// The processes on a database are dead, and the time of their leases is over.
pub async fn leases_run_out(url: &str) {
    if url.starts_with("postgres://") {
        execute(url, "UPDATE lease SET until = now() - INTERVAL '1 second'").await;
    }
}

/// The URL of a SQLite file.
pub fn sqlite_file(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}
