//! Database of a flow's bot: a SQLite file, or PostgreSQL if `scripts/with-postgres` runs the
//! tests.

use std::path::Path;

use super::postgres::{PostgresDatabase, SERVER, execute};

/// Returns the URL of a new database: `file`, unless a PostgreSQL server is available.
pub async fn new_database(file: &Path) -> String {
    on_postgres().await.unwrap_or_else(|| sqlite_file(file))
}

/// Returns the URL of a new database on the PostgreSQL server, if one is available.
pub async fn on_postgres() -> Option<String> {
    std::env::var_os(SERVER)?;
    Some(PostgresDatabase::new().await.url)
}

/// Expires all leases, after the processes on a database are dead.
pub async fn leases_run_out(url: &str) {
    if url.starts_with("postgres://") {
        execute(url, "UPDATE lease SET until = now() - INTERVAL '1 second'").await;
    }
}

/// Returns the URL of a SQLite file.
pub fn sqlite_file(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}
