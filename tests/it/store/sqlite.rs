//! The store contract on SQLite, and tests that are specific to a file.

mod failures;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use phasebot::{
    port::{
        pages::PageStore,
        store::{Store, StoreError},
    },
    store::{
        OpenError, open, open_pages,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use tempfile::TempDir;

use super::{
    Database,
    given::{accept, delivery},
};

/// A database file in a directory of its own, which is deleted with it.
pub(crate) struct SqliteFile {
    directory: TempDir,
}

impl SqliteFile {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("phasebot.db")
    }

    pub(crate) fn open_with(&self, options: &SqliteOptions) -> SqliteStore {
        SqliteStore::open_with(&self.path(), options).unwrap()
    }
}

#[async_trait]
impl Database for SqliteFile {
    async fn open(&self) -> Arc<dyn Store> {
        open(&format!("sqlite://{}", self.path().display())).await.unwrap()
    }

    async fn pages(&self) -> Arc<dyn PageStore> {
        open_pages(&format!("sqlite://{}", self.path().display())).await.unwrap()
    }
}

mod contract {
    crate::store::conformance!(crate::store::sqlite::SqliteFile::new());
}

#[tokio::test]
async fn other_engines_are_refused_by_name() {
    assert_eq!(open("postgres:localhost/phasebot").await.err(), Some(OpenError::BadPostgresUrl));
    assert_eq!(open("mysql://localhost").await.err(), Some(OpenError::UnknownScheme("mysql".to_owned())));
    assert!(matches!(open("sqlite://").await.err(), Some(OpenError::BadPath(_))));
}

#[tokio::test]
async fn a_file_that_can_not_be_made_is_named() {
    let file = SqliteFile::new();
    let path = file.path().join("no/such/directory.db");
    let refused = open(&format!("sqlite://{}", path.display())).await.err().unwrap();
    assert!(refused.to_string().contains("no/such/directory.db"), "{refused}");
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let file = SqliteFile::new();
    let text = "phasebot = \"not a database\"\n".repeat(400);
    std::fs::write(file.path(), &text).unwrap();
    assert!(matches!(SqliteStore::open(&file.path()).err(), Some(OpenError::Engine { .. })));
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), text);
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let file = SqliteFile::new();
    drop(SqliteStore::open(&file.path()).unwrap());
    let connection = rusqlite::Connection::open(file.path()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(SqliteStore::open(&file.path()).err(), Some(OpenError::TooNew { found: 99, .. })));
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let file = SqliteFile::new();
    let _store = SqliteStore::open(&file.path()).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", file.path().display());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{path}");
    }
}

#[test]
fn many_may_open_a_new_file_together() {
    let file = SqliteFile::new();
    let path = file.path();
    std::thread::scope(|scope| {
        let opened: Vec<_> = (0..8).map(|_| scope.spawn(|| SqliteStore::open(&path).map(drop))).collect();
        for thread in opened {
            assert_eq!(thread.join().unwrap(), Ok(()));
        }
    });
}

#[tokio::test]
async fn a_closed_database_is_one_file() {
    let file = SqliteFile::new();
    let store = file.open().await;
    accept(&*store, delivery("a")).await;
    drop(store);
    let names: Vec<_> = file.directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["phasebot.db"]);
}

#[tokio::test]
async fn what_can_not_be_read_is_an_error_and_harms_nothing_else() {
    let file = SqliteFile::new();
    let store = file.open().await;
    let good = accept(&*store, delivery("good")).await;
    let bad = accept(&*store, delivery("bad")).await;
    let connection = rusqlite::Connection::open(file.path()).unwrap();
    connection.execute("UPDATE delivery_body SET body = x'00' WHERE seq = ?1", [bad]).unwrap();
    assert!(matches!(store.delivery(bad).await, Err(StoreError::Corrupt(_))));
    assert!(store.delivery(good).await.unwrap().is_some());
    assert_eq!(store.pending(0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_effect_of_another_version_waits_for_it() {
    use super::given::{at, due_keys, labels, once, queue};
    let file = SqliteFile::new();
    let store = file.open().await;
    queue(&*store, at(1), vec![once("a", labels(1, "a")), once("b", labels(2, "a"))]).await;
    let connection = rusqlite::Connection::open(file.path()).unwrap();
    connection.execute("UPDATE effect SET effect = '{\"Teleport\":{}}' WHERE key = 'a'", []).unwrap();
    assert_eq!(due_keys(&*store, at(1), 10).await, ["b"]);
    assert_eq!(store.stats().await.unwrap().queued_effects, [0, 0, 2], "it is not lost");
}
