//! Copies the database while it is in use.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use tempfile::{NamedTempFile, PersistError};

use crate::store::{OpenError, shown, sqlite::SqliteOptions};

/// Prefix of the name of an unfinished copy.
const UNFINISHED: &str = ".phasebot-backup-";
/// Age from which nobody writes an unfinished copy any more.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// Copies the database beside itself, before its schema of version `found` is migrated. Replaces an
/// earlier copy of that version: a start that fails again and again must not fill the disk.
pub(super) fn back_up_before_migration(path: &Path, found: u32) -> Result<(), OpenError> {
    let mut to = path.as_os_str().to_owned();
    to.push(format!(".schema-{found}.backup"));
    let to = PathBuf::from(to);
    let failed = |error: BackupError| OpenError::NoBackup { path: shown(path), problem: error.to_string() };
    let bytes = open(path)
        .map_err(BackupError::from)
        .and_then(|from| copy(&from, &to, |copy| copy.persist(&to)))
        .map_err(failed)?;
    tracing::info!(backup = %to.display(), bytes, "the database was backed up before its migration");
    Ok(())
}

/// Copies a database to a temporary file in the folder of `to`, which `publish` gives its name.
/// Returns its size in bytes.
pub(super) fn copy(
    from: &Connection,
    to: &Path,
    publish: impl FnOnce(NamedTempFile) -> Result<File, PersistError>,
) -> Result<u64, BackupError> {
    let writing = |error: io::Error| BackupError::Write(shown(to), error.to_string());
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    remove_abandoned(folder);
    // Made with mode 0600; SQLite fills an empty file and keeps its mode.
    let copy = NamedTempFile::with_prefix_in(UNFINISHED, folder).map_err(writing)?;
    let name = copy.path().to_str().ok_or_else(|| BackupError::Write(shown(to), "its path is not UTF-8".to_owned()))?;
    from.execute("VACUUM INTO ?1", [name]).map_err(|error| BackupError::Write(shown(to), error.to_string()))?;
    copy.as_file().sync_all().map_err(writing)?;
    let copy = publish(copy).map_err(|error| writing(error.error))?;
    if let Ok(folder) = File::open(folder) {
        // So that the name survives a power cut, where the system supports it.
        let _ = folder.sync_all();
    }
    Ok(copy.metadata().map_err(writing)?.len())
}

/// Removes copies that were begun in the folder more than a day ago: their programs were killed.
fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_old = || entry.metadata().ok()?.modified().ok()?.elapsed().ok().map(|age| age > ABANDONED_AFTER);
        if name.to_string_lossy().starts_with(UNFINISHED) && is_old() == Some(true) {
            // Another program may be faster; what stays is only a file too many.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Reason why no copy was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// The database can't be read.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The new file exists already.
    #[error("{0} is there already: choose another name, or remove it")]
    There(String),
    /// The new file can't be written.
    #[error("the backup {0} can't be written: {1}")]
    Write(String, String),
}

/// Opens the file for reading. Does not use SQLite's read-only mode, which can't
/// recover the log of a program that was killed.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let engine = |failed: rusqlite::Error| OpenError::engine(path, &failed);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(engine)?;
    connection.busy_timeout(SqliteOptions::default().busy_timeout).map_err(engine)?;
    Ok(connection)
}
