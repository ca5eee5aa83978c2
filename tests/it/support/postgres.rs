//! Databases on the PostgreSQL server that `scripts/with-postgres` started.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::NoTls;

/// Variable in which `scripts/with-postgres` names the server.
pub const SERVER: &str = "PHASEBOT_TEST_POSTGRES";

/// Returns the server's address, without a database.
pub fn server() -> String {
    std::env::var(SERVER)
        .expect("run by scripts/with-postgres, which starts a server and names it in PHASEBOT_TEST_POSTGRES")
}

/// A database for one test. It is deleted with the server.
pub struct PostgresDatabase {
    /// Setting `database_url`.
    pub url: String,
}

impl PostgresDatabase {
    /// Creates an empty database.
    pub async fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        execute(&format!("{}/postgres", server()), &format!("CREATE DATABASE {name}")).await;
        Self { url: format!("{}/{name}", server()) }
    }

    /// Runs SQL in the database, independently of the program.
    pub async fn execute(&self, sql: &str) {
        execute(&self.url, sql).await;
    }
}

/// Runs SQL in the database with this URL.
pub async fn execute(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let running = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    running.await.unwrap().unwrap();
}
