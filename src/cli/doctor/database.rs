//! Checks that the database opens, its schema version, and the free disk space.

use std::path::{Path, PathBuf};

use crate::{
    cli::{
        doctor::{Finding, Verdict},
        store as opening,
    },
    settings::{DatabaseUrl, Settings},
    store::{self, OpenError},
};

/// Free space in bytes below which the disk will soon be full.
const LITTLE: u64 = 1024 * 1024 * 1024;
/// Free space in bytes below which the disk counts as full: the log alone takes 64 MiB.
const TOO_LITTLE: u64 = 128 * 1024 * 1024;

/// Checks the database. Changes nothing in one that is there.
pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    match &settings.database_url {
        DatabaseUrl::Sqlite(path) => {
            let (path, backup) = (path.clone(), settings.backup_before_migration);
            let looked = tokio::task::spawn_blocking(move || sqlite(&path, backup)).await;
            looked.unwrap_or_else(|_| vec![Finding::new("database", Verdict::Fail, "looking at it failed")])
        }
        DatabaseUrl::Postgres(_) => vec![match opening::open(settings).await {
            Ok(_) => Finding::new("database", Verdict::Ok, "PostgreSQL answers, the schema is up to date"),
            Err(OpenError::Older { path, found, known }) => {
                older(&path, found, known).remedy("back it up with pg_dump before the upgrade")
            }
            Err(error) => Finding::new("database", Verdict::Fail, error.to_string())
                .remedy("check database_url, and that the server runs and lets this machine in"),
        }],
    }
}

/// Returns the finding for a database that the next start of `serve` migrates.
fn older(shown: &str, found: u32, known: u32) -> Finding {
    let says = format!("{shown} has schema version {found}; the next start of `phasebot serve` migrates it to {known}");
    Finding::new("database", Verdict::Note, says)
}

fn sqlite(path: &Path, backup: bool) -> Vec<Finding> {
    let shown = path.display();
    let mut found = Vec::new();
    if path.exists() {
        found.push(match store::sqlite::look(path) {
            Ok((version, known)) if version < known => {
                let note = older(&shown.to_string(), version, known);
                note.remedy(if backup {
                    "the start backs it up first, beside the file: keep as much room free as the file takes"
                } else {
                    "back it up before the upgrade: backup_before_migration is off"
                })
            }
            Ok((version, _)) => {
                Finding::new("database", Verdict::Ok, format!("{shown} opens, schema version {version}"))
            }
            Err(error) => Finding::new("database", Verdict::Fail, error.to_string())
                .remedy("check the file's owner and mode, or restore a backup"),
        });
    } else {
        let folder = folder_of(path);
        found.push(match tempfile::Builder::new().prefix(".phasebot-").tempfile_in(&folder) {
            Ok(_) => Finding::new("database", Verdict::Note, format!("{shown} is not there: the first start makes it")),
            Err(error) => {
                let says = format!("{shown} is not there and can't be made: {}: {error}", folder.display());
                Finding::new("database", Verdict::Fail, says).remedy("make the folder, writable for the bot")
            }
        });
    }
    found.extend(room(&folder_of(path)));
    found
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

#[cfg(unix)]
fn room(folder: &Path) -> Option<Finding> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let says = format!("{} MiB free beside the database", free / (1024 * 1024));
    Some(if free < TOO_LITTLE {
        Finding::new("disk", Verdict::Fail, says).remedy("make room: without it no delivery can be kept")
    } else if free < LITTLE {
        Finding::new("disk", Verdict::Warn, says).remedy("make room, or lower retention")
    } else {
        Finding::new("disk", Verdict::Ok, says)
    })
}

#[cfg(not(unix))]
fn room(_: &Path) -> Option<Finding> {
    None
}
