//! Delivery metrics, from a signed webhook to `phasebot report`.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use phasebot::{
    app::insight,
    cli::report::{self, Args, By, ReportFormat},
    insight::row::DeploymentKind,
    policy::PATH,
    port::{clock::Clock, store::Store},
    store,
};
use phasebot_forge_sim::NewCommit;
use serde_json::Value;

use crate::flow::{REPO, Setup, World, whole_loop::through_the_loop};

fn args(format: ReportFormat) -> Args {
    Args { repo: Some(REPO.parse().unwrap()), service: None, environment: None, since: 30, by: None, format }
}

async fn report(world: &World, args: &Args) -> String {
    let mut out = Vec::new();
    report::perform(args, world.store.as_ref(), world.clock.now(), &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

async fn json(world: &World) -> Value {
    let all: Value = serde_json::from_str(&report(world, &args(ReportFormat::Json)).await).unwrap();
    all[0].clone()
}

#[tokio::test]
async fn what_was_delivered_is_reported() {
    let world = World::new().await;
    world.person("bob").tag("v0.9.0", "main").unwrap();
    let first = world.deploy("v0.9.0", "production");
    world.deployed(first, "success");
    world.minute().await;
    let (issue, _) = through_the_loop(&world, "v1.0.0").await;
    let all = json(&world).await;
    let figures = &all["figures"];
    assert_eq!(all["repository"], REPO);
    assert_eq!(figures["deployment_frequency"]["count"], 2);
    assert_eq!(figures["lead_time"]["all"]["n"], 1);
    // Opened, approved, merged, tested, released, staged and deployed, a minute each and some waits.
    let lead = figures["lead_time"]["all"]["p50"].as_i64().unwrap();
    assert!((300..1_200).contains(&lead), "{lead} s");
    assert_eq!(figures["change_fail_rate"]["share"]["n"], 2);
    assert_eq!(figures["flow"]["finishes"][0]["item"], issue);

    let text = report(&world, &Args { by: Some(By::Week), ..args(ReportFormat::Text) }).await;
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for part in ["Lead time, median", "2 deployments on 1 days", "By week", "Recorded since"] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let csv = report(&world, &args(ReportFormat::Csv)).await;
    let mut lines = csv.lines();
    let (header, row) = (lines.next().unwrap(), lines.next().unwrap());
    assert_eq!(header.split(',').count(), row.split(',').count(), "{csv}");
    assert!(row.starts_with("acme/shop,,production,"), "{row}");
    let page = report(&world, &args(ReportFormat::Md)).await;
    assert!(page.contains("| Rework rate | 0.0 % | 0 of 2 |"), "{page}");
}

#[tokio::test]
async fn a_rollback_and_what_it_took_back() {
    let world = World::new().await;
    world.person("bob").tag("v0.9.0", "main").unwrap();
    let first = world.deploy("v0.9.0", "production");
    world.deployed(first, "success");
    world.minute().await;
    through_the_loop(&world, "v1.0.0").await;
    let back = world.deploy("v0.9.0", "production");
    world.deployed(back, "success");
    world.minute().await;
    let figures = json(&world).await["figures"].clone();
    assert_eq!(figures["deployment_frequency"]["rollbacks"], 1);
    assert_eq!(figures["change_fail_rate"]["share"]["part"], 1);
    assert_eq!(figures["rework_rate"]["share"]["part"], 1);
    assert_eq!(figures["lead_time"]["lost"].as_array().unwrap().len(), 1);
    assert!(figures["recovery_time"]["all"]["p50"].as_i64().unwrap() > 0);
}

/// The rows of a database that an earlier version wrote are derived once, when `serve` starts.
#[tokio::test]
async fn earlier_events_are_derived_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/database/sqlite-4.db.zst");
    let path = folder.path().join("old.db");
    zstd::stream::copy_decode(fs::File::open(packed).unwrap(), fs::File::create(&path).unwrap()).unwrap();
    let store: Arc<dyn Store> = store::open(&format!("sqlite://{}", path.display())).await.unwrap();
    let shop = store.all_repositories().await.unwrap().into_iter().find(|row| row.full_name == REPO).unwrap();
    assert!(!insight::is_filled(store.as_ref(), &shop.repo).await.unwrap());
    let start = Some("2027-03-02T09:00:00Z".parse().unwrap());
    let world = World::with(Setup { store: Some(store.clone()), start, not_installed: true, ..Setup::default() }).await;
    while !insight::is_filled(store.as_ref(), &shop.repo).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let since = world.clock.now() - SignedDuration::from_hours(24 * 3_000);
    let rows = insight::rows(store.as_ref(), &shop.repo, since).await.unwrap();
    let live: Vec<&str> = rows.changes.iter().filter(|row| row.production).map(|row| row.change.as_str()).collect();
    assert!(live.contains(&"#2"), "{live:?}");
    assert!(rows.deployments.iter().any(|row| row.production) && !rows.incidents.is_empty());
    assert!(rows.units.iter().any(|row| row.item == 1 && row.finished.is_some()));
}

/// Another policy changes what counts as production, for what no item is derived with, too.
#[tokio::test]
async fn another_policy_derives_every_row_again() {
    let world = World::new().await;
    through_the_loop(&world, "v1.0.0").await;
    let again = world.deploy("v1.0.0", "staging");
    world.deployed(again, "success");
    world.minute().await;
    let shop = world.store.all_repositories().await.unwrap().into_iter().find(|row| row.full_name == REPO).unwrap();
    let since = world.clock.now() - SignedDuration::from_hours(24 * 30);
    let staging = async || {
        let rows = insight::rows(world.store.as_ref(), &shop.repo, since).await.unwrap();
        let complete = insight::is_complete(world.store.as_ref(), &shop.repo, &rows.terms.unwrap()).await.unwrap();
        let of = rows.deployments.into_iter().filter(|row| row.environment == "staging");
        (complete, of.map(|row| (row.kind, row.production)).collect::<Vec<_>>())
    };
    let settled = async |production: bool| {
        let wanted = [(DeploymentKind::Forward, production), (DeploymentKind::Redeploy, production)];
        let patience = Instant::now();
        while staging().await != (true, wanted.to_vec()) {
            assert!(patience.elapsed() < Duration::from_secs(20), "{:?}", staging().await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    settled(false).await;
    let text = "version: 1\nenvironments:\n  staging: { production: true }\n".to_owned();
    let commit = NewCommit { message: "Our policy".to_owned(), files: vec![(PATH.to_owned(), Some(text))] };
    world.person("bob").push("main", &[commit]).unwrap();
    world.minute().await;
    settled(true).await;
}
