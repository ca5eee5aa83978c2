//! Several replicas on one PostgreSQL: what they take in and decide together.

use std::{
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::future::{join_all, try_join_all};
use phasebot::store;
use tokio_postgres::NoTls;

use super::{CONNECTIONS, INSTALLATIONS, Plan, REPOSITORIES, median, row};
use crate::{
    Result,
    load::{Issues, Outcome, Pace, flood},
    server::Server,
    stub::Stub,
};

/// As many replicas at most.
const MOST: u32 = 3;
/// Patience until all is decided.
const PATIENCE: Duration = Duration::from_mins(10);

/// Acknowledgements and decisions a second with one replica, two and three. `server`: a URL without a database.
pub async fn replicas(plan: &Plan, server: &str) -> Result<()> {
    let mut rates: BTreeMap<u32, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for round in 0..plan.rounds {
        for n in 1..=MOST {
            let name = format!("bench_{}_{round}_{n}", std::process::id());
            let (taken_in, decided) = together(plan, server, &name, n).await?;
            let all = rates.entry(n).or_default();
            all.0.push(taken_in);
            all.1.push(decided);
        }
    }
    for (n, (taken_in, decided)) in rates {
        let value = format!("{:.0} / {:.0}", median(taken_in), median(decided));
        row(&format!("PostgreSQL, replicas: {n}; acknowledged / decided a second"), &value, "", None);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
async fn together(plan: &Plan, server: &str, name: &str, replicas: u32) -> Result<(f64, f64)> {
    let (client, connection) = tokio_postgres::connect(&format!("{server}/postgres"), NoTls).await?;
    let connection = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    drop(client);
    connection.await??;
    let url = format!("{server}/{name}");
    let stub = Stub::start().await?;
    let servers = try_join_all((0..replicas).map(|_| Server::replica(&url, stub.address))).await?;
    let issues = Rc::new(Issues::new(INSTALLATIONS, REPOSITORIES));
    let begun = Instant::now();
    let floods =
        servers.iter().map(|server| flood(server.address, CONNECTIONS / replicas, plan.lasting, Pace::Full, &issues));
    let outcomes = join_all(floods).await;
    let accepted: u64 = outcomes.iter().map(|outcome| outcome.accepted).sum();
    if let Some(odd) = outcomes.iter().find(|outcome| outcome.failed > 0) {
        return Err(format!("{} requests failed", odd.failed).into());
    }
    let taken_in = outcomes.iter().map(Outcome::rate).sum();
    let store = store::open(&url).await?;
    while store.stats().await?.pending > 0 {
        if begun.elapsed() > PATIENCE {
            return Err("what was taken in is never decided".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok((taken_in, accepted as f64 / begun.elapsed().as_secs_f64()))
}
