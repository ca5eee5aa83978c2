//! Durable acknowledgements a second beside verified ones; memory and processor on the way.

use std::rc::Rc;

use super::{CONNECTIONS, INSTALLATIONS, Plan, REPOSITORIES, SETTLE, ack_times, median, round, row};
use crate::{
    Result,
    load::{Issues, Outcome},
    server::Server,
    stub::Stub,
};

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
