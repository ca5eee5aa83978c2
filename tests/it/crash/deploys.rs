//! A deployment in which the program crashes at each point around sending: nothing is ever started
//! twice.

use std::sync::Arc;

use futures_util::future::join_all;
use phasebot::{
    app::{clock::SystemClock, crash::POINTS},
    port::clock::Clock as _,
};
use phasebot_forge_sim::{
    NewCommit, Worker,
    planetscale::{DATABASE, ORGANIZATION, SimPlanetScale, TOKEN, TOKEN_ID},
};
use serde_json::json;

use super::world::{ALERT_TOKEN, World};

const REPOSITORY: &str = "acme/shop";
const FILE: &str = ".github/workflows/deploy.yml";
const WORKFLOW: &str = "on:\n  workflow_dispatch:\n    inputs:\n      phasebot_request: {}\n      phasebot_sha: {}\n";

/// Runs `/deploy staging` by these means, while the program crashes at `point`.
async fn dies_while_deploying(via: &'static str, trigger: &'static str, point: String) {
    let mut world = World::new().await;
    let (person, _) = world.repository(REPOSITORY);
    world.orderly.insert(person.repo());
    let policy = format!("version: 1\nmode: act\nenvironments:\n  staging: {{ deploy: {{ {via} }} }}\n");
    let files = vec![(".github/phasebot.yml".to_owned(), Some(policy)), (FILE.to_owned(), Some(WORKFLOW.to_owned()))];
    person.push("main", &[NewCommit { message: "A policy".to_owned(), files }]).unwrap();
    person.add_worker(&Worker::new(FILE, trigger)).unwrap();
    let issue = person.open_issue("Ship it", "", &[]).unwrap().made;
    let comment = person.comment(issue, "/deploy staging").unwrap().made;
    world.start(Some(&point)).await;
    let ended = |sim: &phasebot_forge_sim::SimForge| {
        let reactions = sim.reactions(REPOSITORY, comment);
        reactions.contains("rocket") || reactions.contains("-1")
    };
    world
        .post_until("an end", |sim| {
            let _ = person.work();
            ended(sim)
        })
        .await;
    let started = world.sim.deployments(REPOSITORY).len() + world.sim.dispatched(REPOSITORY).len();
    assert!(started <= 1, "{point}: started {started} times");
    // A start is proven, or left to people: it is never reported as done without having happened.
    if world.sim.reactions(REPOSITORY, comment).contains("rocket") {
        assert_eq!(started, 1, "{point}");
    }
    assert!(world.starts <= 2);
}

fn points() -> impl Iterator<Item = String> {
    let around = POINTS.iter().skip_while(|point| **point != "decision_committed");
    around.flat_map(|point| (1..=3).map(move |n| format!("{point}:{n}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_is_made_once_at_every_crash_point() {
    let all = points().map(|point| tokio::spawn(dies_while_deploying("via: deployment", "deployment", point)));
    join_all(all).await.into_iter().for_each(Result::unwrap);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_is_started_once_at_every_crash_point() {
    let via = "via: workflow_dispatch, workflow: deploy.yml";
    let all = points().map(|point| tokio::spawn(dies_while_deploying(via, "workflow_dispatch", point)));
    join_all(all).await.into_iter().for_each(Result::unwrap);
}

/// A rollback starts from a branch with a newer head, and receives its commit as an input: found
/// again after a crash, it is still the right run.
async fn dies_while_rolling_back(pin: &'static str, point: String) {
    let mut world = World::new().await;
    let (person, _) = world.repository(REPOSITORY);
    world.orderly.insert(person.repo());
    let deploy = "deploy: { via: workflow_dispatch, workflow: deploy.yml }";
    let policy = format!("version: 1\nmode: act\nenvironments:\n  staging: {{ {deploy}{pin} }}\n");
    let files = vec![(".github/phasebot.yml".to_owned(), Some(policy)), (FILE.to_owned(), Some(WORKFLOW.to_owned()))];
    let first = person.push("main", &[NewCommit { message: "A policy".to_owned(), files }]).unwrap().made.remove(0);
    let worker = Worker { environment: Some("staging".to_owned()), ..Worker::new(FILE, "workflow_dispatch") };
    person.add_worker(&worker).unwrap();
    let issue = person.open_issue("Ship it", "", &[]).unwrap().made;
    world.start(None).await;
    for text in ["/deploy staging", "/deploy staging", "/rollback staging"] {
        if text == "/rollback staging" {
            world.quiet().await;
            drop(world.running.take());
            world.start(Some(&point)).await;
        }
        let comment = person.comment(issue, text).unwrap().made;
        let answered = |sim: &phasebot_forge_sim::SimForge| {
            let _ = person.work();
            let reactions = sim.reactions(REPOSITORY, comment);
            assert!(!reactions.contains("-1"), "{point}: {text}: {:#?}", sim.comments(REPOSITORY, issue));
            reactions.contains("rocket")
        };
        world.post_until(text, answered).await;
        // The forge counts whole seconds: a success within the same second has run for none.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        if !world.sim.dispatched(REPOSITORY).is_empty() {
            person.push("main", &[NewCommit::from("Something newer")]).unwrap();
        }
    }
    let started = world.sim.dispatched(REPOSITORY);
    assert_eq!(started.len(), 3, "{point}");
    assert_eq!(started[2].inputs["phasebot_sha"], first.as_str(), "{point}");
    assert_ne!(started[2].sha, first, "{point}");
    assert_eq!(world.starts, 3, "{point} was never passed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_that_is_found_again_goes_on() {
    let pins = ["", ", pin: best_effort"];
    let points = pins.into_iter().flat_map(|pin| (1..=3).map(move |n| (pin, format!("effect_sent:{n}"))));
    let all = points.map(|(pin, point)| tokio::spawn(dies_while_rolling_back(pin, point)));
    join_all(all).await.into_iter().for_each(Result::unwrap);
}

/// Shows a reported deployment on the forge, while the program crashes at `point`.
async fn dies_while_mirroring(point: String) {
    let mut world = World::new().await;
    let (person, _) = world.repository(REPOSITORY);
    world.orderly.insert(person.repo());
    world.program.mirrored = Some(REPOSITORY.to_owned());
    let files = vec![(".github/phasebot.yml".to_owned(), Some("version: 1\nmode: act\n".to_owned()))];
    let commit = person.push("main", &[NewCommit { message: "A policy".to_owned(), files }]).unwrap().made.remove(0);
    world.start(None).await;
    world.quiet().await;
    drop(world.running.take());
    world.start(Some(&point)).await;
    let at = SystemClock.now().to_string();
    let report = json!({ "id": "1", "commit": commit, "environment": "production", "state": "success", "at": at });
    loop {
        let address = world.running.as_ref().unwrap().address;
        let sent = world.sim.post(&format!("http://{address}/events/cd"), ALERT_TOKEN, report.to_string()).await;
        if sent.is_ok_and(|status| (200..300).contains(&status)) {
            break;
        }
        world.revive().await;
    }
    let shown = |sim: &phasebot_forge_sim::SimForge| sim.deployments(REPOSITORY);
    let expected = [("production".to_owned(), commit, "success".to_owned())];
    world.post_until("a copy with its state", |sim| shown(sim) == expected).await;
    world.quiet().await;
    assert_eq!(shown(&world.sim), expected, "{point}");
    assert_eq!(world.starts, 3, "{point} was never passed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_reported_deployment_is_made_once_at_every_crash_point() {
    let points = ["effect_unsent", "effect_sent", "result_committed"];
    let points = points.into_iter().flat_map(|point| (1..=2).map(move |n| format!("{point}:{n}")));
    let all = points.map(|point| tokio::spawn(dies_while_mirroring(point)));
    join_all(all).await.into_iter().for_each(Result::unwrap);
}

/// Runs `/deploy staging` with a schema change before the code, while the program crashes at `point`.
async fn dies_while_applying_a_schema(point: String) {
    let database = SimPlanetScale::start(Arc::new(SystemClock)).await.unwrap();
    database.apply_at_once();
    let number = database.open("add-index", &[("ALTER TABLE `orders` ADD COLUMN `note` text", false)]);
    let mut world = World::new().await;
    for (name, value) in [
        ("KIND", "planetscale"),
        ("SECRETS", "a database's secret"),
        ("REPOSITORIES", REPOSITORY),
        ("ORGANIZATION", ORGANIZATION),
        ("DATABASE", DATABASE),
        ("SERVICE_TOKEN_ID", TOKEN_ID),
        ("SERVICE_TOKEN", TOKEN),
        ("API_URL", &database.url()),
    ] {
        world.program.variables.push((format!("PHASEBOT_ALERTS__DB__{name}"), value.to_owned()));
    }
    let (person, _) = world.repository(REPOSITORY);
    world.orderly.insert(person.repo());
    let policy = "version: 1\nmode: act\nenvironments:\n  staging:\n    deploy: { via: deployment }\n    \
                  database: { connection: db, match: any, apply: true }\n";
    let files = vec![(".github/phasebot.yml".to_owned(), Some(policy.to_owned()))];
    person.push("main", &[NewCommit { message: "A policy".to_owned(), files }]).unwrap();
    person.add_worker(&Worker::new(FILE, "deployment")).unwrap();
    let issue = person.open_issue("Ship it", "", &[]).unwrap().made;
    let comment = person.comment(issue, "/deploy staging").unwrap().made;
    world.start(Some(&point)).await;
    world
        .post_until("an end", |sim| {
            let _ = person.work();
            let reactions = sim.reactions(REPOSITORY, comment);
            reactions.contains("rocket") || reactions.contains("-1")
        })
        .await;
    let said = world.sim.comments(REPOSITORY, issue);
    assert!(world.sim.reactions(REPOSITORY, comment).contains("rocket"), "{point}: {said:#?}");
    assert_eq!(database.request(number).unwrap().deployed, 1, "{point}");
    let sent = database.requests().into_iter().filter(|exchange| exchange.method == "POST").count();
    assert_eq!((sent, world.sim.deployments(REPOSITORY).len()), (1, 1), "{point}");
    assert_eq!(world.starts, 2, "{point} was never passed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_change_is_applied_once_at_every_crash_point() {
    let all = points().map(|point| tokio::spawn(dies_while_applying_a_schema(point)));
    join_all(all).await.into_iter().for_each(Result::unwrap);
}
