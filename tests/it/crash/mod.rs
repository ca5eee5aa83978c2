//! Crash tests: `kill -9` at any moment loses no acknowledged delivery and repeats nothing that
//! people see.
//!
//! The real program runs as a process of its own with the simulated forge. It is killed at each
//! crash point (`phasebot::app::crash`), and at random times. The forge sends unacknowledged
//! deliveries again under the same id, and acknowledged ones never again.

mod checker;
mod deploys;
mod notices;
mod plot;
mod process;
mod replicas;
mod report;
mod storm;
mod weather;
mod world;

use std::time::Duration;

use futures_util::future::join_all;
use phasebot::app::crash::POINTS;
use phasebot_forge_sim::{Fault, FaultKind, Matcher};

use self::{
    checker::nothing_is_made_twice,
    plot::{Plot, Story, Trouble, Way},
    world::World,
};

const REPOSITORY: &str = "acme/shop";
/// Passes of each crash point at which the program crashes.
const PASSINGS: std::ops::RangeInclusive<u32> = 1..=3;

/// Runs a story with labels in which the program crashes at `point`.
async fn dies_while_labelling(point: String) {
    let mut world = World::new().await;
    let (person, _) = world.repository(REPOSITORY);
    world.start(Some(&point)).await;
    let mut story = Story::new(&person, REPOSITORY, "the basket", Way::Whole);
    while story.go_on() {
        world.post_until("a label", |sim| story.shown(sim)).await;
    }
    world.quiet().await;
    assert_eq!(world.starts, 2, "{point} was never passed");
    world.nothing_is_lost().await;
    story.check(&world.sim);
    nothing_is_made_twice(&world.sim);
}

/// Sends an alert, which must lead to exactly one issue, while the program crashes at `point`.
async fn dies_while_filing(point: String) {
    let mut world = World::new().await;
    world.repository(REPOSITORY);
    world.program.alerts.push(("prod".to_owned(), REPOSITORY.to_owned()));
    let mut trouble = Trouble::new(&world.sim, "prod", REPOSITORY, "CartIsSlow");
    world.start(None).await;
    world.quiet().await;
    drop(world.running.take());
    world.start(Some(&point)).await;
    while trouble.go_on() {
        world.notices.extend(trouble.notices());
        world.post_until("an acknowledgement", |_| true).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.revive().await;
    }
    world.quiet().await;
    assert_eq!(world.starts, 3, "{point} was never passed");
    world.nothing_is_lost().await;
    trouble.check(&world.sim);
    nothing_is_made_twice(&world.sim);
}

/// Writes comments, which a forge would accept twice, while the program crashes at `point`.
async fn dies_while_commenting(point: String) {
    let mut world = World::new().await;
    let (person, installation) = world.repository(REPOSITORY);
    let issue = person.open_issue("the basket", "", &[]).unwrap().made;
    world.sim.take_pending();
    let texts: Vec<String> = (1..=4).map(|n| format!("Word {n} of four.")).collect();
    world.queue_comments(&person, installation, REPOSITORY, issue, &texts).await;
    world.start(Some(&point)).await;
    while !world.running.as_mut().unwrap().crashed() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(world.sim.comments(REPOSITORY, issue).len() < texts.len(), "{point} was never passed");
    }
    world.quiet().await;
    let seen: Vec<String> = world.sim.comments(REPOSITORY, issue).into_iter().map(|(_, text)| text).collect();
    assert_eq!(seen.len(), texts.len(), "{point}: {seen:#?}");
    for text in &texts {
        assert_eq!(seen.iter().filter(|s| s.contains(text)).count(), 1, "{point}: {seen:#?}");
    }
}

/// Sends two commands that wait for their sender's permissions, while the program crashes at
/// `point`, or is killed with `kill -9` once they are stored.
async fn dies_while_commands_wait(point: Option<String>) {
    const PERMISSION: &str = "/repos/{owner}/{repo}/collaborators/{username}/permission";
    let mut world = World::new().await;
    let (person, _) = world.repository(REPOSITORY);
    let issue = person.open_issue("the basket", "", &[]).unwrap().made;
    world.start(None).await;
    world.quiet().await;
    drop(world.running.take());
    world.start(point.as_deref()).await;
    let matcher = Matcher::of("GET", PERMISSION);
    world.sim.inject(Fault { matcher, kind: FaultKind::Status502Before }, 100_000);
    let comment = person.comment(issue, "/hold for one reason\n/hold for another").unwrap().made;
    world.post_until("a reaction", |sim| sim.reactions(REPOSITORY, comment).contains("eyes")).await;
    if point.is_none() {
        world.running.as_mut().unwrap().kill();
        world.start(None).await;
    }
    world.sim.clear_faults();
    world.post_until("an answer", |sim| sim.reactions(REPOSITORY, comment).contains("rocket")).await;
    world.quiet().await;
    assert_eq!(world.starts, 3, "{point:?} was never passed");
    world.nothing_is_lost().await;
    nothing_is_made_twice(&world.sim);
    let reactions: Vec<String> = world.sim.reactions(REPOSITORY, comment).into_iter().collect();
    assert_eq!(reactions, ["eyes", "rocket"], "{point:?}");
    let comments = world.sim.comments(REPOSITORY, issue);
    let status = comments.iter().map(|(_, text)| text).find(|text| text.contains("**Hold**")).unwrap();
    assert!(
        status.contains("/unhold h1`") && status.contains("/unhold h2`") && !status.contains("h3`"),
        "{point:?}: {status}"
    );
}

fn every(point: &&str) -> impl Iterator<Item = String> + use<> {
    let point = (*point).to_owned();
    PASSINGS.map(move |n| format!("{point}:{n}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_survive_every_crash_point() {
    // Labels are not marked before they are sent, because repeating them is harmless.
    let points = POINTS.iter().filter(|point| **point != "effect_marked");
    join_all(points.flat_map(every).map(|point| tokio::spawn(dies_while_labelling(point))))
        .await
        .into_iter()
        .for_each(Result::unwrap);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_survive_every_crash_point_around_sending() {
    let points = POINTS.iter().skip_while(|point| **point != "effect_marked");
    join_all(points.flat_map(every).map(|point| tokio::spawn(dies_while_commenting(point))))
        .await
        .into_iter()
        .for_each(Result::unwrap);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_waits_survives_kill_9() {
    let points = ["decision_uncommitted", "decision_committed"];
    // The number of queries for an answer depends on the machine; there are always two decisions.
    let points = points.iter().flat_map(|point| (1..=2).map(move |n| format!("{point}:{n}")));
    let all = points.map(Some).chain([None]).map(|point| tokio::spawn(dies_while_commands_wait(point)));
    join_all(all).await.into_iter().for_each(Result::unwrap);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_filed_once_at_every_crash_point() {
    let all = POINTS.iter().map(|point| tokio::spawn(dies_while_filing(format!("{point}:1"))));
    join_all(all).await.into_iter().for_each(Result::unwrap);
}
