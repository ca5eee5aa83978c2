//! Opens connections to the file.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use crate::store::sqlite::SqliteOptions;

/// Purpose of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one connection that writes.
    Write,
    /// One of several connections that only read.
    Read,
}

/// The log is copied into the database whenever it has grown by this much
/// (pages of 4 KiB). A higher value raises throughput and the slowest
/// acknowledgements with it.
const CHECKPOINT_PAGES: u32 = 4096;

/// The log's file is truncated to this size once it has been copied (bytes).
const LOG_FILE_LIMIT: u32 = 64 * 1024 * 1024;

/// Page caches, in KiB; SQLite marks KiB by a minus sign.
const WRITE_CACHE_KIB: i32 = -8 * 1024;
const READ_CACHE_KIB: i32 = -2 * 1024;

/// Prepared statements that a connection caches.
const STATEMENTS: usize = 64;

/// Opens a connection. The file must exist.
///
/// While another process starts or closes the log, SQLite returns "busy" at
/// once and does not wait as it does elsewhere, so this function waits.
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
            // FULL syncs the log at each commit: acknowledged writes survive a power cut.
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

/// Returns the error for a file system that can't share memory between processes, as the log needs.
fn no_log(mode: &str) -> rusqlite::Error {
    let failure = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
    let message = format!("its journal mode stays {mode:?}, not \"wal\": is it on a network file system?");
    rusqlite::Error::SqliteFailure(failure, Some(message))
}
