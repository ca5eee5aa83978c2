//! Deletes the stored data of a repository that we lost access to.

use rusqlite::{Connection, params};

use crate::{
    domain::id::RepoKey,
    port::store::{Seq, StoreError},
    store::{
        pack::Packed,
        sqlite::{
            repo,
            value::{Id, number},
        },
    },
};

/// Deletes the data of a repository. The ids of its deliveries stay, so that a
/// redelivery is recognised; `empty` replaces their bodies.
pub(super) fn erase(db: &Connection, repo: &RepoKey, before: Seq, why: &str, empty: &Packed) -> Result<(), StoreError> {
    let (forge, id) = (&repo.forge.0, Id(repo.id));
    for table in ["fact", "item", "transition", "effect", "notice", "timer", "insight"] {
        db.execute(&format!("DELETE FROM {table} WHERE forge = ?1 AND repo = ?2"), params![forge, id])?;
    }
    db.execute(
        "UPDATE delivery_body SET size = ?3, body = ?4
         WHERE seq IN (SELECT seq FROM delivery WHERE forge = ?1 AND repo = ?2 AND seq < ?5)",
        params![forge, id, number(empty.size), empty.frame, number(before)],
    )?;
    db.execute(
        "UPDATE delivery SET note = ?3,
             state = CASE WHEN state IN ('pending', 'quarantined', 'dead') THEN 'dropped' ELSE state END
         WHERE forge = ?1 AND repo = ?2 AND seq < ?4",
        params![forge, id, why, number(before)],
    )?;
    repo::raise_version(db, repo)
}
