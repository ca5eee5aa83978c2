//! One request through all eight phases, back, and on again.

use jiff::SignedDuration;
use phasebot_forge_sim::{MergeMethod, NewRelease};

use super::{BOT, Setup, World};

/// Moves a request from Plan to Monitor, and checks every step. Returns the numbers of the issue
/// and of the pull request.
pub async fn through_the_loop(world: &World, tag: &str) -> (u64, u64) {
    let (ada, bob) = (world.person("ada"), world.person("bob"));
    let issue = ada.open_issue("Let us pay by invoice", "", &[]).unwrap().made;
    world.minute().await;
    world.in_phase(issue, "plan");

    let branch = format!("feature/{issue}-invoice");
    bob.create_branch(&branch, "main").unwrap();
    world.minute().await;
    world.in_phase(issue, "code");

    let pull = world.open_pull(&branch, &format!("Fixes #{issue}"));
    world.minute().await;
    bob.colleague("carol").approve(pull).unwrap();
    world.minute().await;
    world.in_phase(issue, "code");
    world.in_phase(pull, "code");

    let merged = bob.merge_pull(pull, MergeMethod::Squash).unwrap().made;
    world.minute().await;
    world.in_phase(issue, "build");
    world.in_phase(pull, "build");

    world.pass_checks(&merged);
    world.settle().await;
    world.in_phase(issue, "build");
    world.run(SignedDuration::from_secs(90)).await;
    world.in_phase(issue, "test");
    world.in_phase(pull, "test");

    bob.tag(tag, "main").unwrap();
    bob.release(&NewRelease { tag: tag.to_owned(), ..NewRelease::default() }).unwrap();
    world.minute().await;
    world.in_phase(issue, "release");

    let staging = world.deploy(tag, "staging");
    world.minute().await;
    world.deployed(staging, "success");
    let production = world.deploy(tag, "production");
    world.minute().await;
    world.in_phase(issue, "deploy");
    world.in_phase(pull, "deploy");

    world.deployed(production, "success");
    world.minute().await;
    world.in_phase(issue, "operate");

    world.run(SignedDuration::from_mins(28)).await;
    world.in_phase(issue, "operate");
    world.run(SignedDuration::from_mins(3)).await;
    world.in_phase(issue, "monitor");
    world.in_phase(pull, "monitor");
    (issue, pull)
}

#[tokio::test]
async fn every_phase_in_order_each_label_once() {
    let world = World::new().await;
    let (issue, pull) = through_the_loop(&world, "v1.0.0").await;
    let all = ["plan", "code", "build", "test", "release", "deploy", "operate", "monitor"];
    assert_eq!(world.phases_shown(issue), all);
    assert_eq!(world.phases_shown(pull), all[1..]);
    assert!(world.phase_changes(issue).iter().all(|change| change.by == BOT));
    world.check().await;
}

#[tokio::test]
async fn a_rollback_moves_back_and_a_retry_restores() {
    let world = World::new().await;
    let bob = world.person("bob");
    bob.tag("v0.9.0", "main").unwrap();
    let before = world.deploy("v0.9.0", "production");
    world.deployed(before, "success");
    world.minute().await;
    let (issue, pull) = through_the_loop(&world, "v1.0.0").await;

    let back = world.deploy("v0.9.0", "production");
    world.minute().await;
    world.in_phase(issue, "monitor");
    world.deployed(back, "success");
    world.minute().await;
    world.in_phase(issue, "release");
    world.in_phase(pull, "release");

    let broken = world.deploy("v1.0.0", "production");
    world.minute().await;
    world.in_phase(issue, "deploy");
    world.deployed(broken, "failure");
    world.minute().await;
    world.in_phase(issue, "release");

    let again = world.deploy("v1.0.0", "production");
    world.minute().await;
    world.deployed(again, "success");
    world.run(SignedDuration::from_mins(32)).await;
    world.in_phase(issue, "monitor");
    world.in_phase(pull, "monitor");
    world.phases_shown(issue);
    world.check().await;
}

#[tokio::test]
async fn the_same_on_github_enterprise_server() {
    let world = World::with(Setup { base_path: "/api/v3", ..Setup::default() }).await;
    assert!(world.forge.api_url().ends_with("/api/v3"));
    let (issue, _) = through_the_loop(&world, "v1.0.0").await;
    assert_eq!(world.phases_shown(issue).len(), 8);
    assert!(world.calls().contains(&"POST /graphql".to_owned()));
    world.check().await;
}

#[tokio::test]
async fn issues_that_end_otherwise_lose_their_label() {
    let world = World::new().await;
    let bob = world.person("bob");
    let unwanted = bob.open_issue("No", "", &[]).unwrap().made;
    let dropped = world.open_pull("try", "");
    world.minute().await;
    bob.close(unwanted, "not_planned").unwrap();
    bob.close(dropped, "").unwrap();
    world.minute().await;
    world.in_phase(unwanted, "");
    world.in_phase(dropped, "");
    bob.reopen(unwanted).unwrap();
    bob.reopen(dropped).unwrap();
    world.minute().await;
    world.in_phase(unwanted, "plan");
    world.in_phase(dropped, "code");
    world.check().await;
}
