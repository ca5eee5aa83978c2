//! Cost of a full database beside an empty one.

use std::{
    fs,
    path::Path,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use phasebot::{
    app::clock::SystemClock,
    domain::id::ForgeName,
    port::{
        clock::Clock,
        store::{Accepted, Commit, DeliveryState, NewDelivery, Store},
    },
    store::sqlite::SqliteStore,
};
use tokio::task::JoinSet;

use super::{CONNECTIONS, INSTALLATIONS, Plan, REPOSITORIES, SETTLE, median, round, row};
use crate::{
    Result,
    load::{Issues, Sender, guid},
    server::Server,
    stub::Stub,
};

/// A full database beside an empty one.
pub async fn growth(plan: &Plan, rows: u64) -> Result<()> {
    let full = plan.database("full")?;
    eprintln!("filling {rows} deliveries");
    fill(&full, rows).await?;
    let size = fs::metadata(&full)?.len() / 1024 / 1024;
    let stub = Stub::start().await?;
    let issues = Rc::new(Issues::new(INSTALLATIONS, REPOSITORIES));
    let (mut empty_rates, mut full_rates, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..plan.rounds {
        for first in [turn % 2 == 0, turn % 2 != 0] {
            let path = if first { plan.database("empty")? } else { full.clone() };
            let server = Server::phasebot(&path, stub.address).await?;
            let rate = round(plan, &server, CONNECTIONS, &issues).await.rate();
            if first {
                empty_rates.push(rate);
            } else {
                full_rates.push(rate);
                memory.push(server.memory()?.0);
            }
        }
    }
    let (empty, filled) = (median(empty_rates), median(full_rates));
    let ratio = filled / empty;
    row(
        &format!("acknowledgements/s with {rows} rows ({size} MiB), and empty"),
        &format!("{filled:.0}, {empty:.0}"),
        "",
        None,
    );
    row("ratio of the two", &format!("{ratio:.2}"), "≥ 0.8", Some(ratio >= 0.8));
    row(&format!("memory after the load, with {rows} rows"), &format!("{:.0} MiB", median(memory)), "≤ 100", None);
    for name in ["full", "empty"] {
        fs::remove_file(plan.database(name)?)
            .or_else(|e| if e.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
    }
    Ok(())
}

/// Fills a database with decided deliveries, spread over a month.
async fn fill(path: &Path, rows: u64) -> Result<()> {
    let store = Arc::new(SqliteStore::open(path)?);
    let issues = Issues::new(INSTALLATIONS, REPOSITORIES);
    let now = SystemClock.now();
    let mut tasks = JoinSet::new();
    for n in 0..rows {
        if tasks.len() >= 256 {
            tasks.join_next().await.transpose()?.transpose()?;
        }
        let (repository, number, _) = issues.next();
        let (store, body, repo) = (store.clone(), repository.whole(number), repository.id);
        let back = SignedDuration::from_secs(i64::try_from((rows - n) * 30 * 86_400 / rows)?);
        tasks.spawn(async move { keep(store.as_ref(), body, repo, now - back).await });
        if n % 100_000 == 99_999 {
            eprintln!("{} filled", n + 1);
        }
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

async fn keep(store: &SqliteStore, body: Vec<u8>, repo: u64, at: Timestamp) -> Result<()> {
    let new = NewDelivery {
        target: None,
        forge: ForgeName::github(),
        hook: "7001".to_owned(),
        delivery: guid(at),
        event: "issues".to_owned(),
        action: Some("opened".to_owned()),
        repo: Some(repo),
        installation: Some(1000),
        received_at: at,
        body: body.into(),
        quarantined: None,
    };
    let Accepted::New(seq) = store.accept(new).await? else { return Err("a repeated id".into()) };
    let note = "#1: nothing → plan: the issue is open".to_owned();
    let commit = Commit { now: Some(at), deliveries: vec![(seq, DeliveryState::Done, note)], ..Commit::default() };
    Ok(store.commit(commit).await?)
}

/// Issues that are open at once.
const OPEN_ITEMS: u64 = 10_000;
/// Patience with their decisions.
const PATIENCE: Duration = Duration::from_mins(5);

/// Memory and start with many open items, beside none.
pub async fn items(plan: &Plan) -> Result<()> {
    let stub = Stub::start().await?;
    let path = plan.database("items")?;
    let empty = Server::phasebot(&path, stub.address).await?.started_in;
    let server = Server::phasebot(&path, stub.address).await?;
    let issues = Issues::new(INSTALLATIONS, REPOSITORIES);
    let mut sender = Sender::new(server.address);
    for _ in 0..OPEN_ITEMS {
        let (repository, _, body) = issues.next();
        let status = sender.send(repository, &body).await?;
        if status != 202 {
            return Err(format!("a delivery was answered with {status}").into());
        }
    }
    let begun = Instant::now();
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    while server.figure("phasebot_decision_seconds_count").await? < OPEN_ITEMS as f64 {
        if begun.elapsed() > PATIENCE {
            return Err("the decisions do not come to an end".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let memory = server.memory()?.0;
    drop(server);
    let filled = Server::phasebot(&path, stub.address).await?;
    tokio::time::sleep(SETTLE).await;
    let idle = filled.memory()?.0;
    row(
        &format!("memory with {OPEN_ITEMS} open items: when decided, after a restart"),
        &format!("{memory:.0}, {idle:.0} MiB"),
        "≤ 100",
        Some(memory <= 100.0),
    );
    row(
        "start until ready: empty, with those items",
        &format!("{} ms, {} ms", empty.as_millis(), filled.started_in.as_millis()),
        "",
        None,
    );
    Ok(())
}
