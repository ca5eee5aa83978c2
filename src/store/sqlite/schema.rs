//! The schema and its migrations.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::store::{Migration, OpenError, shown, sqlite::backup};

/// Every migration, oldest first: each leads to the version that is its position, from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_foundation.sql"),
    include_str!("../../../migrations/sqlite/0002_memo.sql"),
    include_str!("../../../migrations/sqlite/0003_budget.sql"),
    include_str!("../../../migrations/sqlite/0004_keys.sql"),
    include_str!("../../../migrations/sqlite/0005_effects.sql"),
    include_str!("../../../migrations/sqlite/0006_insight.sql"),
    include_str!("../../../migrations/sqlite/0007_pages.sql"),
    include_str!("../../../migrations/sqlite/0008_standing.sql"),
    include_str!("../../../migrations/sqlite/0009_notices.sql"),
];

/// Marks the file as ours: "phas" in ASCII.
const APPLICATION_ID: i32 = 0x7068_6173;

/// Migrates the schema to the newest version, in one transaction; an older one as `migration` says.
pub(super) fn migrate(connection: &Connection, path: &Path, migration: Migration) -> Result<(), OpenError> {
    let engine = |failed: rusqlite::Error| OpenError::engine(path, &failed);
    // Immediate: of two processes that start together the second one waits and finds the work done.
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(engine)?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let found = version(&transaction, path)?;
    if found > known {
        return Err(OpenError::TooNew { path: shown(path), found, known });
    }
    if found < known {
        match migration {
            Migration::Refuse if found > 0 => return Err(OpenError::Older { path: shown(path), found, known }),
            // Within the transaction, so that no other process migrates the file before its backup.
            Migration::AfterBackup if found > 0 => backup::back_up_before_migration(path, found)?,
            Migration::AfterBackup | Migration::WithoutBackup | Migration::Refuse => {}
        }
        for migration in MIGRATIONS.iter().skip(found as usize) {
            transaction.execute_batch(migration).map_err(engine)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(engine)?;
        transaction.pragma_update(None, "user_version", known).map_err(engine)?;
    }
    transaction.commit().map_err(engine)
}

/// Returns the version of a file's schema and the newest known version. Changes nothing.
pub(super) fn look(connection: &Connection, path: &Path) -> Result<(u32, u32), OpenError> {
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    match version(connection, path)? {
        found if found > known => Err(OpenError::TooNew { path: shown(path), found, known }),
        found => Ok((found, known)),
    }
}

/// Returns the version of the file's schema; 0 if the file is empty.
fn version(connection: &Connection, path: &Path) -> Result<u32, OpenError> {
    let engine = |failed: rusqlite::Error| OpenError::engine(path, &failed);
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(engine)?;
    if application == APPLICATION_ID {
        return connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(engine);
    }
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(engine)?;
    if application == 0 && tables == 0 { Ok(0) } else { Err(OpenError::Foreign { path: shown(path) }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> u32 {
        MIGRATIONS.len().try_into().unwrap()
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection, Path::new("a.db"), Migration::WithoutBackup).unwrap();
        migrate(&connection, Path::new("a.db"), Migration::WithoutBackup).unwrap();
        assert_eq!(version(&connection, Path::new("a.db")), Ok(known()));
    }

    /// A database as version 3 of the schema left it.
    fn of_version_3(connection: &Connection) {
        for migration in &MIGRATIONS[..3] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", 3).unwrap();
    }

    #[test]
    fn an_older_database_is_backed_up_before_it_is_migrated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phasebot.db");
        let connection = Connection::open(&path).unwrap();
        of_version_3(&connection);
        connection.execute("INSERT INTO memo (name, value) VALUES ('kept', 'yes')", []).unwrap();

        let refused = migrate(&connection, &path, Migration::Refuse).unwrap_err();
        assert_eq!(refused, OpenError::Older { path: shown(&path), found: 3, known: known() });
        assert_eq!(version(&connection, &path), Ok(3));

        // A folder where the backup should be: nothing is migrated without it.
        let backup = folder.path().join("phasebot.db.schema-3.backup");
        std::fs::create_dir(&backup).unwrap();
        let refused = migrate(&connection, &path, Migration::AfterBackup).unwrap_err();
        assert!(refused.to_string().contains("backup_before_migration"), "{refused}");
        assert_eq!(version(&connection, &path), Ok(3));
        std::fs::remove_dir(&backup).unwrap();

        // What an earlier try left is replaced.
        std::fs::write(&backup, "stale").unwrap();
        migrate(&connection, &path, Migration::AfterBackup).unwrap();
        assert_eq!(version(&connection, &path), Ok(known()));
        let copy = Connection::open(&backup).unwrap();
        assert_eq!(version(&copy, &backup), Ok(3));
        let kept: String = copy.query_row("SELECT value FROM memo WHERE name = 'kept'", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "yes");
        drop(copy);

        // A database that is up to date, and a new one, need none.
        std::fs::remove_file(&backup).unwrap();
        migrate(&connection, &path, Migration::AfterBackup).unwrap();
        let new = folder.path().join("new.db");
        migrate(&Connection::open(&new).unwrap(), &new, Migration::AfterBackup).unwrap();
        let left = std::fs::read_dir(folder.path()).unwrap();
        assert!(left.into_iter().all(|entry| !entry.unwrap().file_name().to_string_lossy().contains("backup")));
    }

    #[test]
    fn timers_and_effects_of_an_earlier_version_get_their_new_keys() {
        let connection = Connection::open_in_memory().unwrap();
        of_version_3(&connection);
        let old = "INSERT INTO timer (forge, repo, item, at) VALUES ('github', 1, ?1, ?2)";
        for (at, item) in [12, 0, i64::MAX - 1, i64::MAX].into_iter().enumerate() {
            connection.execute(old, rusqlite::params![item, at]).unwrap();
        }
        let old = "INSERT INTO effect (forge, repo, key, installation, lane, effect, state, created_at, not_before)
            VALUES ('github', 1, 'board/12', 1, 1, '{}', 'queued', 0, 0)";
        connection.execute(old, []).unwrap();
        connection.execute(&old.replace("board/12", "react/comment-1/eyes"), []).unwrap();
        connection.execute(&old.replace("board/12", "check/a").replace("{}", r#"{"SetCheck":{}}"#), []).unwrap();
        migrate(&connection, Path::new("a.db"), Migration::WithoutBackup).unwrap();
        let mut effects = connection.prepare("SELECT key || effect FROM effect ORDER BY id").unwrap();
        let effects: Vec<String> = effects.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(effects, ["status/12{}", r#"check/a{"Report":{}}"#]);
        let mut statement = connection.prepare("SELECT key FROM timer ORDER BY at").unwrap();
        let keys: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(keys, ["item/12", "policy", "repository", "organization"]);
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_as_it_is() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection, Path::new("a.db"), Migration::WithoutBackup).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let refused = migrate(&connection, Path::new("a.db"), Migration::WithoutBackup).unwrap_err();
        assert_eq!(refused, OpenError::TooNew { path: "a.db".to_owned(), found: 99, known: known() });
        assert!(refused.to_string().contains("version 99"), "{refused}");
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE customer (name TEXT)").unwrap();
        let refused = migrate(&connection, Path::new("a.db"), Migration::WithoutBackup).unwrap_err();
        assert_eq!(refused, OpenError::Foreign { path: "a.db".to_owned() });
    }
}
