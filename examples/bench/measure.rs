//! The measurements, one function each; each prints its rows of the table.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
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
use tokio::task::{JoinSet, LocalSet};

use crate::{
    Result,
    load::{Issues, Outcome, Sender, flood, guid},
    server::Server,
    stub::Stub,
};

/// Installations, as in the target.
pub const INSTALLATIONS: u64 = 40;
/// Repositories of each while only throughput counts.
pub const REPOSITORIES: u64 = 5;
/// Connections of the throughput measurement.
pub const CONNECTIONS: usize = 64;
/// Connections of the overload: more than may wait for the store.
const CROWD: usize = 2000;
/// Events a second of the latency measurement.
const PACE: u32 = 20;
/// Rest before idle memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// How much to measure, and where.
pub struct Plan {
    /// Length of a round.
    pub lasting: Duration,
    /// Rounds.
    pub rounds: usize,
    /// Length of the latency measurement.
    pub paced: Duration,
    /// Where databases go.
    pub folder: PathBuf,
}

impl Plan {
    /// A place for a new database.
    fn database(&self, name: &str) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(format!("{name}.db"));
        for suffix in ["", "-wal", "-shm"] {
            let file = self.folder.join(format!("{name}.db{suffix}"));
            if file.exists() {
                fs::remove_file(file)?;
            }
        }
        Ok(path)
    }
}

/// Prints a row of the table.
pub fn row(what: &str, value: &str, target: &str, met: Option<bool>) {
    let verdict = met.map_or("", |met| if met { "met" } else { "**missed**" });
    println!("| {what} | {value} | {target} | {verdict} |");
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which so many of a thousand lie.
fn permille(sorted: &[f64], rank: usize) -> f64 {
    let index = (sorted.len() * rank / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Median and slow end of the acknowledgements, in milliseconds.
fn ack_times(outcomes: &[Outcome]) -> String {
    let mut all: Vec<f64> = outcomes.iter().flat_map(|o| &o.micros).map(|m| f64::from(*m) / 1000.0).collect();
    all.sort_by(f64::total_cmp);
    format!("{:.1} / {:.1} ms", permille(&all, 500), permille(&all, 990))
}

/// A round against a server that has run for a moment.
async fn round(plan: &Plan, server: &Server, connections: usize, issues: &Rc<Issues>) -> Outcome {
    flood(server.address, connections, Duration::from_millis(500), issues).await;
    flood(server.address, connections, plan.lasting, issues).await
}

/// Durable acknowledgements a second beside verified ones; memory and processor on the way.
pub async fn rate(plan: &Plan) -> Result<()> {
    let stub = Stub::start().await?;
    let issues = Rc::new(Issues::new(INSTALLATIONS, REPOSITORIES));
    let (mut kept, mut verified) = (Vec::new(), Vec::new());
    let (mut decided, mut cost, mut idle, mut loaded) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for turn in 0..plan.rounds {
        for first in [turn % 2 == 0, turn % 2 != 0] {
            if first {
                let server = Server::verify_only().await?;
                verified.push(round(plan, &server, CONNECTIONS, &issues).await);
            } else {
                let server = Server::phasebot(&plan.database("rate")?, stub.address).await?;
                tokio::time::sleep(SETTLE).await;
                idle.push(server.memory()?.0);
                let outcome = round(plan, &server, CONNECTIONS, &issues).await;
                let done = server.figure("phasebot_decision_seconds_count").await?;
                decided.push(done / (outcome.took.as_secs_f64() + 0.5));
                let all = server.figure("phasebot_received_total").await?;
                cost.push(server.processor()? * 1e6 / all);
                tokio::time::sleep(SETTLE).await;
                loaded.push(server.memory()?.0);
                kept.push(outcome);
            }
        }
    }
    let failed: u64 = kept.iter().chain(&verified).map(|o| o.failed + o.refused).sum();
    let (durable, bare) =
        (median(kept.iter().map(Outcome::rate).collect()), median(verified.iter().map(Outcome::rate).collect()));
    let ratio = durable / bare;
    row("signature verified, nothing kept (acks/s)", &format!("{bare:.0}"), "", None);
    row("durable acknowledgements/s, deciding beside", &format!("{durable:.0}"), "", None);
    row("ratio of the two", &format!("{ratio:.2}"), "≥ 0.25, aim 0.33", Some(ratio >= 0.25));
    row("time to the acknowledgement, p50 / p99", &ack_times(&kept), "", None);
    row("decided a second meanwhile", &format!("{:.0}", median(decided)), "", None);
    row("processor time for each, all its work so far", &format!("{:.0} µs", median(cost)), "", None);
    row("refused or failed of all", &failed.to_string(), "0", Some(failed == 0));
    let (idle, loaded) = (median(idle), median(loaded));
    row("memory idle", &format!("{idle:.0} MiB"), "≤ 40", Some(idle <= 40.0));
    row("memory after the load", &format!("{loaded:.0} MiB"), "≤ 100", Some(loaded <= 100.0));
    Ok(())
}

/// From a delivery's first byte to the label's API call, at a steady pace.
pub async fn latency(plan: &Plan) -> Result<()> {
    let stub = Stub::start().await?;
    let issues = Rc::new(Issues::new(INSTALLATIONS, 1));
    let server = Server::phasebot(&plan.database("latency")?, stub.address).await?;
    // Tokens and labels are made with the first event of each repository.
    let mut sender = Sender::new(server.address);
    for _ in 0..issues.repositories() {
        let (repository, _, body) = issues.next();
        sender.send(repository, &body).await?;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    stub.calls(|calls| calls.kinds.clear());

    let sent: Rc<std::cell::RefCell<BTreeMap<u64, (Instant, f64)>>> = Rc::default();
    let local = LocalSet::new();
    let begun = Instant::now();
    let step = Duration::from_secs(1) / PACE;
    let address = server.address;
    let lasting = plan.paced;
    let (log, source) = (sent.clone(), issues.clone());
    local
        .run_until(async move {
            let mut idle: Vec<Sender> = Vec::new();
            let (give, mut back) = tokio::sync::mpsc::unbounded_channel();
            let mut count = 0;
            while step * count < lasting {
                // Between the ticks, so that nothing falls into step with a timer.
                let jitter = step.mul_f64(rand::random::<f64>());
                tokio::time::sleep_until((begun + step * count + jitter).into()).await;
                count += 1;
                while let Ok(sender) = back.try_recv() {
                    idle.push(sender);
                }
                let mut sender = idle.pop().unwrap_or_else(|| Sender::new(address));
                let (log, source, give) = (log.clone(), source.clone(), give.clone());
                tokio::task::spawn_local(async move {
                    let (repository, number, body) = source.next();
                    let at = Instant::now();
                    if matches!(sender.send(repository, &body).await, Ok(202)) {
                        log.borrow_mut().insert(number, (at, at.elapsed().as_secs_f64() * 1000.0));
                    }
                    let _ = give.send(sender);
                });
            }
            tokio::time::sleep(SETTLE).await;
        })
        .await;

    let sent = sent.borrow();
    let (mut acks, mut calls, mut missing) = (Vec::new(), Vec::new(), 0);
    stub.calls(|stub| {
        for (number, (at, ack)) in sent.iter() {
            acks.push(*ack);
            match stub.labelled.get(number) {
                Some(labelled) => calls.push(labelled.duration_since(*at).as_secs_f64() * 1000.0),
                None => missing += 1,
            }
        }
    });
    acks.sort_by(f64::total_cmp);
    calls.sort_by(f64::total_cmp);
    let (half, slow, ack) = (permille(&calls, 500), permille(&calls, 990), permille(&acks, 990));
    row(
        &format!("event → API call, {PACE}/s over {INSTALLATIONS} installations, p50"),
        &format!("{half:.1} ms"),
        "≤ 4 ms",
        Some(half <= 4.0),
    );
    row("the same, p99", &format!("{slow:.1} ms"), "≤ 10 ms", Some(slow <= 10.0));
    row(
        "time to its acknowledgement, p50 / p99",
        &format!("{:.1} / {ack:.1} ms", permille(&acks, 500)),
        "p99 ≤ 5 ms",
        Some(ack <= 5.0),
    );
    let kinds = stub.calls(|calls| calls.kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect::<Vec<_>>());
    row(&format!("API calls for {} events", sent.len()), &kinds.join(", "), "", None);
    row("labels that did not come", &missing.to_string(), "0", Some(missing == 0));
    Ok(())
}

/// More senders than may wait.
pub async fn overload(plan: &Plan) -> Result<()> {
    let stub = Stub::start().await?;
    let issues = Rc::new(Issues::new(INSTALLATIONS, REPOSITORIES));
    let path = plan.database("overload")?;
    let server = Server::phasebot(&path, stub.address).await?;
    let outcome = flood(server.address, CROWD, plan.lasting, &issues).await;
    let (_, most) = server.memory()?;
    drop(server);
    let kept = rusqlite_count(&path)?;
    let lost = outcome.accepted.saturating_sub(kept);
    row(
        &format!("{CROWD} senders at once: accepted/s, answered 503, failed"),
        &format!("{:.0}, {}, {}", outcome.rate(), outcome.refused, outcome.failed),
        "503 and no failure",
        Some(outcome.refused > 0 && outcome.failed == 0),
    );
    row("memory at most meanwhile", &format!("{most:.0} MiB"), "bounded", None);
    row("accepted, and gone after kill -9", &lost.to_string(), "0", Some(lost == 0));
    Ok(())
}

fn rusqlite_count(path: &std::path::Path) -> Result<u64> {
    Ok(rusqlite::Connection::open(path)?.query_row("SELECT count(*) FROM delivery", [], |row| row.get(0))?)
}

/// A full database beside an empty one.
pub async fn growth(plan: &Plan, rows: u64) -> Result<()> {
    let full = plan.database("full")?;
    eprintln!("filling {rows} deliveries");
    fill(&full, rows).await?;
    let size = fs::metadata(&full)?.len() / 1024 / 1024;
    let stub = Stub::start().await?;
    let issues = Rc::new(Issues::new(INSTALLATIONS, REPOSITORIES));
    let (mut empty_rates, mut full_rates) = (Vec::new(), Vec::new());
    for turn in 0..plan.rounds {
        for first in [turn % 2 == 0, turn % 2 != 0] {
            let path = if first { plan.database("empty")? } else { full.clone() };
            let server = Server::phasebot(&path, stub.address).await?;
            let rate = round(plan, &server, CONNECTIONS, &issues).await.rate();
            if first { empty_rates.push(rate) } else { full_rates.push(rate) }
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
    for name in ["full", "empty"] {
        fs::remove_file(plan.database(name)?)
            .or_else(|e| if e.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
    }
    Ok(())
}

/// Fills a database with decided deliveries, spread over a month.
async fn fill(path: &std::path::Path, rows: u64) -> Result<()> {
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
