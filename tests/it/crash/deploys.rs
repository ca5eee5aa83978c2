//! A deploy in which the program dies at each point around sending: whatever
//! becomes of it, nothing is started twice.

use futures_util::future::join_all;
use phasebot::app::crash::POINTS;
use phasebot_forge_sim::{NewCommit, Worker};

use super::world::World;

const REPOSITORY: &str = "acme/shop";
const FILE: &str = ".github/workflows/deploy.yml";
const WORKFLOW: &str = "on:\n  workflow_dispatch:\n    inputs:\n      phasebot_request: {}\n      phasebot_sha: {}\n";

/// `/deploy staging` by these means, while the program dies at `point`.
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
    // It is proven, or it is left to people: never both not started and called done.
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
