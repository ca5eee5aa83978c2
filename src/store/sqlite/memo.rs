//! Small values of the program itself, by name.

use rusqlite::{Connection, OptionalExtension, params};

use crate::port::store::StoreError;

pub(super) const MEMO: &str = "SELECT value FROM memo WHERE name = ?1";

/// Reads the value of a name.
pub(super) fn read(db: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    Ok(db.prepare_cached(MEMO)?.query_row([name], |row| row.get(0)).optional()?)
}

/// Stores or deletes the value of a name.
pub(super) fn note(db: &Connection, name: &str, value: Option<&str>) -> Result<(), StoreError> {
    match value {
        Some(value) => db
            .prepare_cached(
                "INSERT INTO memo (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![name, value])?,
        None => db.prepare_cached("DELETE FROM memo WHERE name = ?1")?.execute([name])?,
    };
    Ok(())
}
