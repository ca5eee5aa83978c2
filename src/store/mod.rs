//! The stores behind [`crate::port::store::Store`].

mod moment;
mod pack;
pub mod postgres;
pub mod sqlite;
mod timely;

use std::{path::Path, sync::Arc};

use crate::{
    port::{pages::PageStore, store::Store},
    store::{
        postgres::{PostgresPages, PostgresStore},
        sqlite::{SqliteOptions, SqlitePages, SqliteStore},
    },
};

/// Treatment of a database whose schema is older than this program's. A new database always gets
/// the newest schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migration {
    /// Back up an SQLite file beside itself, then migrate it. PostgreSQL has backups of its own.
    AfterBackup,
    /// Migrate it.
    WithoutBackup,
    /// Leave it as it is: [`OpenError::Older`].
    Refuse,
}

/// Reason why a store could not be opened. Never quotes the URL: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a PostgreSQL URL.
    #[error(
        "database_url: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE; in a password write \
         @ as %40, / as %2F, ? as %3F, # as %23, % as %25"
    )]
    BadPostgresUrl,
    /// An unknown value of `sslmode`.
    #[error("database_url: sslmode is disable, prefer or require")]
    BadSslMode,
    /// A PostgreSQL server that is too old.
    #[error("database_url: the server is PostgreSQL {found}; phasebot needs {oldest} or newer")]
    OldServer {
        /// Major version of the server.
        found: i32,
        /// Oldest major version that works.
        oldest: i32,
    },
    /// A PostgreSQL database of another program.
    #[error("the database {path} has tables of another program: choose another database in database_url")]
    ForeignPostgres {
        /// The database.
        path: String,
    },
    /// A URL of an unknown kind of database.
    #[error("database_url: {0:?} is not a known kind of database; use sqlite://FILE or postgres://…")]
    UnknownScheme(String),
    /// A SQLite URL that names no persistent file.
    #[error("database_url: {0}; use sqlite://FILE, such as sqlite://phasebot.db")]
    BadPath(&'static str),
    /// Written by a newer phasebot.
    #[error(
        "the database {path} has schema version {found}, this phasebot knows versions up to {known}: \
         use the newer phasebot, or restore a backup made before the upgrade"
    )]
    TooNew {
        /// The file, or the database and its server.
        path: String,
        /// Schema version of the database.
        found: u32,
        /// Newest schema version that this program knows.
        known: u32,
    },
    /// Written by an older phasebot, and only to be opened as it is.
    #[error(
        "the database {path} has schema version {found}, this phasebot works on version {known}: start \
         `phasebot serve` of this version, which migrates it, or use the version of phasebot that serves it now"
    )]
    Older {
        /// The file, or the database and its server.
        path: String,
        /// Schema version of the database.
        found: u32,
        /// Schema version of this program.
        known: u32,
    },
    /// The backup before a migration failed; the database is as it was.
    #[error(
        "the database {path} must be migrated, and the backup before that failed: {problem}. Make room or give \
         phasebot write access to the folder; or back it up yourself and set backup_before_migration = false"
    )]
    NoBackup {
        /// The file.
        path: String,
        /// Reason.
        problem: String,
    },
    /// A SQLite database of another program.
    #[error("{path} is a database of another program: choose another file in database_url")]
    Foreign {
        /// The file.
        path: String,
    },
    /// The database engine failed.
    #[error("can't open the database {path}: {message}")]
    Engine {
        /// The file, or the database and its server.
        path: String,
        /// Message of the engine.
        message: String,
    },
}

/// Opens the store that `url` names, and migrates its schema as [`Migration::AfterBackup`] says.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    open_with(url, Migration::AfterBackup).await
}

/// Opens the store that `url` names.
///
/// `sqlite://phasebot.db` is a file in the working directory,
/// `sqlite:///var/lib/phasebot.db` one by its absolute path. The path is taken
/// literally, without percent-decoding. `postgres://…` is a database on a
/// server; see `docs/scale.md` for its options.
pub async fn open_with(url: &str, migration: Migration) -> Result<Arc<dyn Store>, OpenError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Arc::new(PostgresStore::open_with(url, migration).await?));
    }
    let path = sqlite_path(url)?.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        SqliteStore::open_with(&path, &SqliteOptions { migration, ..SqliteOptions::default() })
    })
    .await;
    match opened {
        Ok(store) => Ok(Arc::new(store?)),
        Err(stopped) => Err(OpenError::Engine { path: "file".to_owned(), message: stopped.to_string() }),
    }
}

/// Opens the web pages' own connections to the database that `url` names. A store must have opened
/// it before: the schema is not looked at.
pub async fn open_pages(url: &str) -> Result<Arc<dyn PageStore>, OpenError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Arc::new(PostgresPages::open(url)?));
    }
    let path = sqlite_path(url)?.to_owned();
    match tokio::task::spawn_blocking(move || SqlitePages::open(&path)).await {
        Ok(pages) => Ok(Arc::new(pages?)),
        Err(stopped) => Err(OpenError::Engine { path: "file".to_owned(), message: stopped.to_string() }),
    }
}

/// Returns the file that a SQLite URL names.
fn sqlite_path(url: &str) -> Result<&Path, OpenError> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(OpenError::BadPath("it is not a URL"));
    };
    match scheme {
        "sqlite" => {}
        "postgres" | "postgresql" => return Err(OpenError::BadPostgresUrl),
        other => return Err(OpenError::UnknownScheme(other.to_owned())),
    }
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() {
        return Err(OpenError::BadPath("it names no file"));
    }
    if path.contains('?') {
        return Err(OpenError::BadPath("options after a question mark are not supported"));
    }
    if path == ":memory:" {
        return Err(OpenError::BadPath("a database in memory would forget what was acknowledged"));
    }
    Ok(Path::new(path))
}

impl OpenError {
    /// Returns the error for the engine's failure on the file at `path`.
    fn engine(path: &Path, refusal: &impl ToString) -> Self {
        Self::Engine { path: shown(path), message: refusal.to_string() }
    }
}

/// Returns a path as an error shows it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_files() {
        assert_eq!(sqlite_path("sqlite://phasebot.db"), Ok(Path::new("phasebot.db")));
        assert_eq!(sqlite_path("sqlite:///var/lib/phasebot.db"), Ok(Path::new("/var/lib/phasebot.db")));
        assert_eq!(sqlite_path("sqlite:data/phasebot.db"), Ok(Path::new("data/phasebot.db")));
    }

    #[test]
    fn urls_of_nothing_that_lasts() {
        for url in ["sqlite://", "sqlite:", "sqlite::memory:", "sqlite://:memory:", "sqlite://a.db?mode=ro", "a.db"] {
            assert!(matches!(sqlite_path(url), Err(OpenError::BadPath(_))), "{url}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let refused = sqlite_path("postgres:phasebot:hunter2@db/phasebot").unwrap_err();
        assert_eq!(refused, OpenError::BadPostgresUrl);
        let refused = sqlite_path("mysql://phasebot:hunter2@db/phasebot").unwrap_err();
        assert!(!refused.to_string().contains("hunter2"));
    }
}
