//! phasebot, which keeps what it acknowledges, beside peers that keep nothing.

use std::{fs, rc::Rc};

use super::{
    CONNECTIONS, INSTALLATIONS, Plan, REPOSITORIES, ack_times,
    latency::{PACE, paced},
    median, permille, round, row,
};
use crate::{
    Result,
    load::{Issues, Outcome, Pace, flood},
    peer,
    server::Server,
    stub::Stub,
};

/// Acknowledgements a second in turns, then each at half of its own peak, then a label at a steady pace.
pub async fn peers(plan: &Plan) -> Result<()> {
    fs::create_dir_all(&plan.folder)?;
    let Some(place) = peer::probot(&plan.folder)? else {
        row("Probot", "not measured: npm is not installed", "", None);
        return Ok(());
    };
    let stub = Stub::start().await?;
    let issues = Rc::new(Issues::new(INSTALLATIONS, REPOSITORIES));
    let (mut ours, mut probots, mut webhooks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let server = Server::phasebot(&plan.database("peers")?, stub.address).await?;
        ours.push(round(plan, &server, CONNECTIONS, &issues).await);
        drop(server);
        let server = peer::start_probot(&place, stub.address, "").await?;
        probots.push(round(plan, &server, CONNECTIONS, &issues).await);
        drop(server);
        if let Some(server) = peer::start_webhook(&plan.folder).await? {
            webhooks.push(round(plan, &server, CONNECTIONS, &issues).await);
        }
    }
    let rate = |outcomes: &[Outcome]| median(outcomes.iter().map(Outcome::rate).collect());
    let (our, probot) = (rate(&ours), rate(&probots));
    row("phasebot, kept on disk, deciding beside (acks/s)", &told(our, &ours), "", None);
    row("Probot 14, empty handler, nothing kept", &told(probot, &probots), "", None);
    row("phasebot : Probot", &format!("{:.2}", our / probot), "≥ 2.0", Some(our / probot >= 2.0));
    if webhooks.is_empty() {
        row("webhook", "not measured: it is not installed", "", None);
    } else {
        let webhook = rate(&webhooks);
        row("webhook running `/bin/true`, nothing kept", &told(webhook, &webhooks), "", None);
        row("phasebot : webhook", &format!("{:.2}", our / webhook), "", None);
    }

    let server = Server::phasebot(&plan.database("peers")?, stub.address).await?;
    half(plan, "phasebot", &server, our, &issues).await;
    drop(server);
    let server = peer::start_probot(&place, stub.address, "").await?;
    half(plan, "Probot", &server, probot, &issues).await;
    drop(server);

    let stub = Stub::start().await?;
    let server = peer::start_probot(&place, stub.address, "phase/plan").await?;
    let labels = paced(plan, &server, &stub).await?;
    row(
        &format!("Probot with one label, unpaced: event → API call at {PACE}/s, p50 / p99"),
        &format!("{:.1} / {:.1} ms", permille(&labels.calls, 500), permille(&labels.calls, 990)),
        "",
        None,
    );
    Ok(())
}

fn told(rate: f64, outcomes: &[Outcome]) -> String {
    format!("{rate:.0}; p50 / p99 {}", ack_times(outcomes))
}

/// Acknowledgements at half of a peak, at random moments.
async fn half(plan: &Plan, name: &str, server: &Server, peak: f64, issues: &Rc<Issues>) {
    let outcome = flood(server.address, CONNECTIONS, plan.lasting, Pace::Rate(peak / 2.0), issues).await;
    let reached = format!("{:.0}/s", outcome.rate());
    let what = format!("{name} at half of its peak ({reached}), p50 / p99");
    row(&what, &ack_times(&[outcome]), "", None);
}
