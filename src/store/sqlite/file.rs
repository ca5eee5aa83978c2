//! Operations on the file as a whole, for the command line.

use std::path::Path;

use crate::store::{
    OpenError, shown,
    sqlite::{
        backup::{self, BackupError},
        schema,
    },
};

/// Returns the version of a file's schema, and the newest known version.
/// Changes and creates nothing. Blocks.
pub fn look(path: &Path) -> Result<(u32, u32), OpenError> {
    schema::look(&backup::open(path)?, path)
}

/// Copies the database to a new file, as it is at one moment: everything
/// committed before, nothing committed later. Others may write meanwhile; nobody
/// waits for this. The copy is complete or absent, and readable by its owner
/// only. Returns its size in bytes. Blocks.
pub fn back_up(path: &Path, to: &Path) -> Result<u64, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::There(shown(to)));
    }
    let from = backup::open(path)?;
    schema::look(&from, path)?;
    backup::copy(&from, to, |copy| copy.persist_noclobber(to))
}
