//! Small values of the program itself, by name.

use crate::{
    port::store::StoreError,
    store::postgres::{
        db::Db,
        value::{args, text, text_col},
    },
};

pub(super) const MEMO: &str = "SELECT value FROM memo WHERE name = $1";

/// Reads the value of a name.
pub(super) async fn read(db: &Db, name: &str) -> Result<Option<String>, StoreError> {
    db.row(MEMO, args![text(name)]).await?.map(|row| text_col(&row, 0)).transpose()
}

const NOTE: &str = "
    INSERT INTO memo (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Stores or deletes the value of a name.
pub(super) async fn note(db: &Db, name: &str, value: Option<&str>) -> Result<(), StoreError> {
    match value {
        Some(value) => db.run(NOTE, args![text(name), text(value)]).await?,
        None => db.run("DELETE FROM memo WHERE name = $1", args![text(name)]).await?,
    };
    Ok(())
}
