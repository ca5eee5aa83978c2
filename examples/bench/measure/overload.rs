//! More senders than may wait.

use std::{path::Path, rc::Rc};

use super::{INSTALLATIONS, Plan, REPOSITORIES, row};
use crate::{
    Result,
    load::{Issues, Pace, flood},
    server::Server,
    stub::Stub,
};

/// Connections: more than may wait for the store.
const CROWD: u32 = 2000;

/// More senders than may wait.
pub async fn overload(plan: &Plan) -> Result<()> {
    let stub = Stub::start().await?;
    let issues = Rc::new(Issues::new(INSTALLATIONS, REPOSITORIES));
    let path = plan.database("overload")?;
    let server = Server::phasebot(&path, stub.address).await?;
    let outcome = flood(server.address, CROWD, plan.lasting, Pace::Full, &issues).await;
    let (_, most) = server.memory()?;
    drop(server);
    let kept = rusqlite_count(&path)?;
    let lost = outcome.accepted.saturating_sub(kept);
    row(
        &format!("{CROWD} senders at once: accepted/s, answered 503, failed"),
        &format!("{:.0}, {}, {}", outcome.rate(), outcome.refused, outcome.failed),
        "no failure",
        Some(outcome.failed == 0),
    );
    row("memory at most meanwhile", &format!("{most:.0} MiB"), "bounded", None);
    row("accepted, and gone after kill -9", &lost.to_string(), "0", Some(lost == 0));
    Ok(())
}

fn rusqlite_count(path: &Path) -> Result<u64> {
    Ok(rusqlite::Connection::open(path)?.query_row("SELECT count(*) FROM delivery", [], |row| row.get(0))?)
}
