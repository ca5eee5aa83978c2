//! Cost of an event in a repository with a long history.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use jiff::SignedDuration;
use phasebot::{app::clock::SystemClock, port::clock::Clock};
use serde_json::Value;

use super::{Plan, permille, row};
use crate::{
    Result,
    life::{Life, RELEASE, policy, prefix},
    load::Sender,
    server::Server,
    stub::Stub,
};

/// Deliveries that may wait to be decided before the next one is sent.
const AHEAD: u64 = 64;
/// Wait between two looks at how far the server has come.
const LOOK: Duration = Duration::from_millis(20);

/// Mean, slow end and worst of some decisions, in milliseconds.
struct Cost {
    mean: f64,
    p99: f64,
    most: f64,
}

impl Cost {
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    fn of(mut micros: Vec<f64>) -> Self {
        micros.sort_by(f64::total_cmp);
        let millis = |micros: f64| micros / 1000.0;
        Self {
            mean: millis(micros.iter().sum::<f64>() / micros.len() as f64),
            p99: millis(permille(&micros, 990)),
            most: millis(micros.last().copied().unwrap_or(f64::NAN)),
        }
    }
}

/// One repository of so many services, from its first change to `changes`.
pub async fn life(plan: &Plan, changes: u64, services: u64) -> Result<()> {
    let stub = Stub::start().await?;
    let path = plan.database("life")?;
    let (log, file) = (plan.folder.join("life.log"), plan.folder.join("life.yml"));
    fs::write(&file, policy(services))?;
    let server = Server::observed(&path, stub.address, &file, &log).await?;
    let idle = server.memory()?.0;
    let mut sender = Sender::new(server.address);
    let mut life = Life::new(changes, services, SystemClock.now() - SignedDuration::from_hours(1));
    let mut stops: Vec<u64> = [50, 100, 250, 400, 1000, 2500, 5000, 10_000].into();
    stops.retain(|stop| *stop < changes);
    stops.push(changes);
    let (mut sent, mut told, mut first) = (0_u64, 0, None);
    for n in 1..=changes {
        for delivery in life.change() {
            let status = sender.deliver(&delivery).await?;
            if status != 202 {
                return Err(format!("a delivery of {} was answered with {status}", delivery.event).into());
            }
            sent += 1;
        }
        if n % RELEASE == 0 || stops.contains(&n) {
            decided(&server, sent.saturating_sub(if stops.contains(&n) { 0 } else { AHEAD })).await?;
        }
        if stops.contains(&n) {
            // The last tenth tells what an event costs by now.
            let lines = decisions(&log)?;
            let window = usize::try_from(sent / n * (n / 10).max(50))?.min(lines.len() - told.min(lines.len()));
            let recent = &lines[lines.len() - window.max(1)..];
            let all = Cost::of(recent.iter().map(|(_, micros)| *micros).collect());
            let deploys = Cost::of(recent.iter().filter(|(e, _)| e == "deployment_status").map(|d| d.1).collect());
            let target = if n == changes { "mean ≤ 2, p99 ≤ 20" } else { "" };
            let met = (n == changes).then_some(all.mean <= 2.0 && all.p99 <= 20.0);
            row(
                &format!("a decision after {n} changes: mean, p99, most; deployment statuses: mean, p99"),
                &format!(
                    "{:.2}, {:.1}, {:.1}; {:.2}, {:.1} ms",
                    all.mean, all.p99, all.most, deploys.mean, deploys.p99
                ),
                target,
                met,
            );
            told = lines.len();
            if n >= 100 {
                let base = first.get_or_insert((all.mean, all.p99));
                if n == changes {
                    let ratio = (all.mean / base.0, all.p99 / base.1);
                    row(
                        "the same beside those after 100 changes",
                        &format!("{:.2}, {:.2}", ratio.0, ratio.1),
                        "≤ 1.5",
                        Some(ratio.0 <= 1.5 && ratio.1 <= 1.5),
                    );
                }
            }
        }
    }
    let used = server.memory()?.0 - idle;
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let each = used * 1024.0 / changes as f64;
    row("memory of a loaded repository, for each change", &format!("{each:.1} KiB"), "≤ 4", Some(each <= 4.0));
    // An answer that a person waits for, and the first decision after a restart.
    let deploy = format!("/deploy {}staging dry-run", prefix(services, 0));
    let dry_run = by_itself(&server, &mut sender, &life, &deploy, &log).await?;
    row("a `/deploy staging dry-run` then", &format!("{dry_run:.1} ms"), "", None);
    drop(server);
    let log = plan.folder.join("life-again.log");
    let server = Server::observed(&path, stub.address, &file, &log).await?;
    let mut sender = Sender::new(server.address);
    let again = by_itself(&server, &mut sender, &life, "a comment", &log).await?;
    row("the first decision after a restart", &format!("{again:.0} ms"), "≤ 150", Some(again <= 150.0));
    Ok(())
}

/// Waits until so many deliveries were decided.
pub(super) async fn decided(server: &Server, sent: u64) -> Result<()> {
    loop {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let so_far = server.figure("phasebot_decision_seconds_count").await? as u64;
        if so_far >= sent {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Returns the time that the server takes to decide a comment, in milliseconds.
async fn by_itself(server: &Server, sender: &mut Sender, life: &Life, line: &str, log: &Path) -> Result<f64> {
    let before = decisions(log)?.len();
    sender.deliver(&life.comment(line, SystemClock.now())).await?;
    loop {
        let lines = decisions(log)?;
        if let Some((_, micros)) = lines.get(before) {
            return Ok(micros / 1000.0);
        }
        let _ = server.memory()?;
        tokio::time::sleep(LOOK).await;
    }
}

/// The decisions that the server's log tells of: event and microseconds.
fn decisions(log: &Path) -> Result<Vec<(String, f64)>> {
    let text = fs::read_to_string(log)?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<BTreeMap<String, Value>>(line).ok());
    let decided = lines.filter_map(|line| {
        let micros = line.get("micros")?.as_f64()?;
        let event = line.get("spans")?.get(0)?.get("event")?.as_str()?;
        Some((event.to_owned(), micros))
    });
    Ok(decided.collect())
}
