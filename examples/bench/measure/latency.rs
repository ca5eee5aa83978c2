//! From a delivery's first byte to the label's API call, at a steady pace.

use std::{
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::task::LocalSet;

use super::{INSTALLATIONS, Plan, SETTLE, permille, row};
use crate::{
    Result,
    load::{Issues, Sender},
    server::Server,
    stub::Stub,
};

/// Events a second.
pub(super) const PACE: u32 = 20;

/// phasebot: to the label's API call.
pub async fn latency(plan: &Plan) -> Result<()> {
    let stub = Stub::start().await?;
    let server = Server::phasebot(&plan.database("latency")?, stub.address).await?;
    let labels = paced(plan, &server, &stub).await?;
    let (half, slow) = (permille(&labels.calls, 500), permille(&labels.calls, 990));
    let ack = permille(&labels.acks, 990);
    row(
        &format!("event → API call, {PACE}/s over {INSTALLATIONS} installations, p50"),
        &format!("{half:.1} ms"),
        "≤ 4 ms",
        Some(half <= 4.0),
    );
    row("the same, p99", &format!("{slow:.1} ms"), "≤ 10 ms", Some(slow <= 10.0));
    row(
        "time to its acknowledgement, p50 / p99",
        &format!("{:.1} / {ack:.1} ms", permille(&labels.acks, 500)),
        "p99 ≤ 5 ms",
        Some(ack <= 5.0),
    );
    let kinds = stub.calls(|calls| calls.kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect::<Vec<_>>());
    row(&format!("API calls for {} events", labels.acks.len()), &kinds.join(", "), "", None);
    row("labels that did not come", &labels.missing.to_string(), "0", Some(labels.missing == 0));
    Ok(())
}

/// Measurements at a steady pace.
pub(super) struct Labels {
    /// Milliseconds to each acknowledgement, sorted.
    pub(super) acks: Vec<f64>,
    /// Milliseconds from each delivery's first byte to the label's API call, sorted.
    pub(super) calls: Vec<f64>,
    /// Labels that did not come.
    pub(super) missing: usize,
}

/// A server that labels what is opened, at a steady pace.
pub(super) async fn paced(plan: &Plan, server: &Server, stub: &Stub) -> Result<Labels> {
    let issues = Rc::new(Issues::new(INSTALLATIONS, 1));
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
                    if matches!(sender.send(repository, &body).await, Ok(200 | 202)) {
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
    Ok(Labels { acks, calls, missing })
}
