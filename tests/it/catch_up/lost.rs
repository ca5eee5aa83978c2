//! Deliveries that were acknowledged, and lost with the database.

use jiff::SignedDuration;
use phasebot_forge_sim::{NewCommit, NewPull, Worker};

use super::world::{World, copy};
use crate::flow::{BOT, REPO};

/// Returns our own comments on an item.
fn ours(world: &World, item: u64) -> Vec<String> {
    let comments = world.forge.comments(REPO, item);
    comments.into_iter().filter(|(author, _)| author == BOT).map(|(_, body)| body).collect()
}

#[tokio::test]
async fn a_backup_of_an_hour_ago_catches_up_and_shows_nothing_twice() {
    let mut world = World::on_a_file().await;
    let (bob, alice) = (world.person("bob"), world.person("alice"));
    world.start(true).await;
    let cart = bob.open_issue("Cart", "", &[]).unwrap().made;
    let till = bob.open_issue("Till", "", &[]).unwrap().made;
    world.minute().await;
    world.stop();
    let backup = world.file().with_extension("backup");
    copy(&world.file(), &backup);
    world.start(true).await;

    // An hour with many visible changes.
    bob.push("cart", &[NewCommit::from("Work")]).unwrap();
    let new =
        NewPull { head: "cart".into(), title: "Cart".into(), body: format!("Closes #{cart}"), ..NewPull::default() };
    let pull = bob.open_pull(&new).unwrap().made;
    bob.comment(cart, "/why").unwrap();
    bob.comment(till, "/status").unwrap();
    bob.comment(till, "/phase build not yet\n/help").unwrap();
    world.run(SignedDuration::from_mins(30)).await;
    alice.comment(till, "/why").unwrap();
    let late = bob.open_issue("Late", "", &[]).unwrap().made;
    world.run(SignedDuration::from_mins(30)).await;
    let items = [cart, till, pull, late];
    let shown = items.map(|item| (world.labels(item), ours(&world, item)));
    assert_eq!(shown[1].0, ["phase/build"]);
    assert!(shown[1].1.len() == 2, "{:?}", shown[1].1);
    let history = items.map(|item| world.forge.label_history(REPO, item));
    world.stop();

    copy(&backup, &world.file());
    world.forge.clear_requests();
    world.start(true).await;
    world.run(SignedDuration::from_mins(30)).await;
    assert_eq!(items.map(|item| (world.labels(item), ours(&world, item))), shown);
    assert_eq!(items.map(|item| world.forge.label_history(REPO, item)), history, "labels did not move");
    let made: Vec<_> =
        world.forge.requests().into_iter().filter(phasebot_forge_sim::Exchange::is_write).map(|e| e.name()).collect();
    assert!(!made.iter().any(|name| name.ends_with("/comments")), "{made:?}");
    world.check();
}

#[tokio::test]
async fn an_effect_that_waits_in_a_backup_is_looked_up_before_it_is_made() {
    let mut world = World::on_a_file().await;
    let bob = world.person("bob");
    world.start(true).await;
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    world.bot().pause();
    bob.comment(issue, "/why").unwrap();
    world.minute().await;
    world.stop();
    let backup = world.file().with_extension("backup");
    copy(&world.file(), &backup);
    world.start(true).await;
    world.minute().await;
    let shown = ours(&world, issue);
    assert_eq!(shown.len(), 1);
    world.stop();
    copy(&backup, &world.file());
    world.start(true).await;
    world.minute().await;
    assert_eq!(ours(&world, issue), shown);
}

/// The process that accepted the lost deliveries crashes before it can act on them.
#[tokio::test]
async fn what_was_lost_is_started_by_no_later_process_either() {
    const FILE: &str = ".github/workflows/deploy.yml";
    const WORKFLOW: &str = "on:\n  workflow_dispatch:\n    inputs: { phasebot_request: {}, phasebot_sha: {} }\n";
    const POLICY: &str = "version: 1\nmode: act\nenvironments:\n  staging: \
                          { deploy: { via: workflow_dispatch, workflow: deploy.yml } }\n";
    let mut world = World::on_a_file().await;
    let bob = world.person("bob");
    world.start(true).await;
    let file = |path: &str, text: &str| (path.to_owned(), Some(text.to_owned()));
    let files = vec![file(".github/phasebot.yml", POLICY), file(FILE, WORKFLOW)];
    bob.push("main", &[NewCommit { message: "A policy".to_owned(), files }]).unwrap();
    bob.add_worker(&Worker::new(FILE, "workflow_dispatch")).unwrap();
    let issue = bob.open_issue("Ship it", "", &[]).unwrap().made;
    world.minute().await;
    world.stop();
    let backup = world.file().with_extension("backup");
    copy(&world.file(), &backup);
    world.start(true).await;
    bob.comment(issue, "/deploy staging").unwrap();
    world.minute().await;
    assert_eq!(world.forge.dispatched(REPO).len(), 1);
    world.stop();
    copy(&backup, &world.file());
    world.start(true).await;
    world.bot().pause();
    world.minute().await;
    world.stop();
    world.start(true).await;
    world.run(SignedDuration::from_mins(30)).await;
    assert_eq!(world.forge.dispatched(REPO).len(), 1);
}
