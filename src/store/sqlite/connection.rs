//! How connections to the file are opened.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use crate::store::sqlite::SqliteOptions;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that writes.
    Write,
    /// One of several that only read.
    Read,
}

/// The log is copied into the database whenever it has grown by this much
/// (pages of 4 KiB). A higher value raises throughput and the slowest
/// acknowledgements with it.
const CHECKPOINT_PAGES: u32 = 4096;

/// The log's file is cut back to this size once it has been copied (bytes).
const LOG_FILE_LIMIT: u32 = 64 * 1024 * 1024;

/// Page caches, in KiB; SQLite's sign for KiB is a minus.
const WRITE_CACHE_KIB: i32 = -8 * 1024;
const READ_CACHE_KIB: i32 = -2 * 1024;

/// Statements that a connection keeps ready.
const STATEMENTS: usize = 64;

/// Opens a connection. The file must be there already.
///
/// While another process starts or closes the log, SQLite answers «busy» at
/// once and does not wait as it does elsewhere: so we wait.
pub(super) fn open(path: &Path, role: Role, options: &SqliteOptions) -> rusqlite::Result<Connection> {
    const PAUSE: Duration = Duration::from_millis(20);
    let tries = options.busy_timeout.as_millis() / PAUSE.as_millis();
    for _ in 0..tries {
        match open_once(path, role, options) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => std::thread::sleep(PAUSE),
            opened => return opened,
        }
    }
    open_once(path, role, options)
}

fn open_once(path: &Path, role: Role, options: &SqliteOptions) -> rusqlite::Result<Connection> {
    // Without the URI flag, so that a path means only itself.
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan made once is kept, whatever values it is used with.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    match role {
        Role::Write => {
            let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
            if mode != "wal" {
                return Err(no_log(&mode));
            }
            // FULL syncs the log at each commit: what was acknowledged survives a power cut.
            connection.pragma_update(None, "synchronous", "full")?;
            connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
            connection.pragma_update(None, "journal_size_limit", LOG_FILE_LIMIT)?;
            connection.pragma_update(None, "cache_size", WRITE_CACHE_KIB)?;
            if let Some(pages) = options.max_pages {
                connection.pragma_update(None, "max_page_count", pages)?;
            }
        }
        Role::Read => {
            connection.pragma_update(None, "query_only", true)?;
            connection.pragma_update(None, "cache_size", READ_CACHE_KIB)?;
        }
    }
    Ok(connection)
}

/// The file system can't share memory between processes, which the log needs.
fn no_log(mode: &str) -> rusqlite::Error {
    let failure = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
    let message = format!("its journal mode stays {mode:?}, not \"wal\": is it on a network file system?");
    rusqlite::Error::SqliteFailure(failure, Some(message))
}
