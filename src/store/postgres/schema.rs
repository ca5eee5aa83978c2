//! The schema and its migrations.

use crate::{
    port::store::StoreError,
    store::{
        Migration, OpenError,
        postgres::{
            db::{Db, Work, patiently},
            value::{args, col},
        },
    },
};

/// Every migration, oldest first: each leads to the version that is its position, from 1.
const MIGRATIONS: [&str; 7] = [
    include_str!("../../../migrations/postgres/0001_foundation.sql"),
    include_str!("../../../migrations/postgres/0002_keys.sql"),
    include_str!("../../../migrations/postgres/0003_effects.sql"),
    include_str!("../../../migrations/postgres/0004_insight.sql"),
    include_str!("../../../migrations/postgres/0005_pages.sql"),
    include_str!("../../../migrations/postgres/0006_standing.sql"),
    include_str!("../../../migrations/postgres/0007_notices.sql"),
];

/// Oldest server version that is tested.
const OLDEST_SERVER: i32 = 15;

/// Advisory lock for migrations: of replicas that start together one migrates. "phas" in ASCII.
const MIGRATION_LOCK: i64 = 0x7068_6173;

/// Invalidates every lease: the replicas that hold them do not know the schema any more.
const VOID_LEASES: &str = "UPDATE lease SET epoch = epoch + 1, owner = 0, until = now()";

/// Returns the version of the schema that this program works on.
pub(super) fn known() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// Migrates the schema to the newest version, in one transaction; an older one as `migration` says.
/// `shown` names the database.
pub(super) async fn migrate(db: &Db, shown: &str, migration: Migration) -> Result<(), OpenError> {
    let engine = |error: StoreError| match error {
        StoreError::Unavailable(message) | StoreError::Invalid(message) | StoreError::Corrupt(message) => {
            OpenError::Engine { path: shown.to_owned(), message }
        }
        error @ StoreError::LeaseLost(_) => OpenError::Engine { path: shown.to_owned(), message: error.to_string() },
    };
    let mut work = db.work().await.map_err(engine)?;
    let server: i32 = setting(&work, "server_version_num").await.map_err(engine)?.parse().unwrap_or(0) / 10_000;
    if server < OLDEST_SERVER {
        return Err(OpenError::OldServer { found: server, oldest: OLDEST_SERVER });
    }
    if setting(&work, "synchronous_commit").await.map_err(engine)? == "off" {
        tracing::warn!(
            "PostgreSQL has synchronous_commit = off: a power cut there loses deliveries that were acknowledged"
        );
    }
    patiently(work.plain("BEGIN")).await.map_err(engine)?;
    // Waits as long as another replica's migration takes.
    work.run("SELECT pg_advisory_xact_lock($1)", args![MIGRATION_LOCK]).await.map_err(engine)?;
    let found = patiently(version(&work)).await.map_err(engine)?;
    let known = known().unsigned_abs();
    let Some(found) = found else {
        return Err(OpenError::ForeignPostgres { path: shown.to_owned() });
    };
    if found > known {
        return Err(OpenError::TooNew { path: shown.to_owned(), found, known });
    }
    if (1..known).contains(&found) && migration == Migration::Refuse {
        return Err(OpenError::Older { path: shown.to_owned(), found, known });
    }
    bring_up(&work, found, known).await.map_err(engine)?;
    work.end();
    Ok(())
}

async fn bring_up(work: &Work, found: u32, known: u32) -> Result<(), StoreError> {
    // Replicas of the version before stop writing before anything changes under them: those that are
    // in a transaction end it first, and no lease is taken or held until the new version is there.
    if (1..known).contains(&found) {
        work.plain("LOCK TABLE lease IN EXCLUSIVE MODE").await?;
        work.plain(VOID_LEASES).await?;
    }
    // Without a time-out: a migration of large tables takes its time.
    for migration in MIGRATIONS.iter().skip(found as usize) {
        work.plain(migration).await?;
    }
    if found < known {
        work.plain("CREATE TABLE IF NOT EXISTS phasebot_schema (version INTEGER NOT NULL)").await?;
        work.plain("DELETE FROM phasebot_schema").await?;
        work.run("INSERT INTO phasebot_schema (version) VALUES ($1)", args![self::known()]).await?;
    }
    work.plain("COMMIT").await?;
    Ok(())
}

async fn setting(work: &Work, name: &str) -> Result<String, StoreError> {
    let rows = patiently(work.rows("SELECT current_setting($1)", args![name])).await?;
    rows.first().map_or(Ok(String::new()), |row| col(row, 0))
}

/// Returns the version of the schema: 0 if there is none, `None` if another program has tables.
async fn version(work: &Work) -> Result<Option<u32>, StoreError> {
    let ours = "SELECT to_regclass('phasebot_schema') IS NOT NULL, to_regclass('delivery') IS NOT NULL";
    let rows = work.rows(ours, &[]).await?;
    let Some(row) = rows.first() else { return Ok(Some(0)) };
    match (col::<bool>(row, 0)?, col::<bool>(row, 1)?) {
        (false, false) => Ok(Some(0)),
        (false, true) => Ok(None),
        (true, _) => {
            let rows = work.rows("SELECT version FROM phasebot_schema", &[]).await?;
            let version = rows.first().map_or(Ok(0), |row| col::<i32>(row, 0))?;
            Ok(Some(u32::try_from(version).unwrap_or(0)))
        }
    }
}
