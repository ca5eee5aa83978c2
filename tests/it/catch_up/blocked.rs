//! A delivery that the forge cannot return at present delays nothing else.

use jiff::SignedDuration;
use phasebot_forge_sim::{Fault, FaultKind, Matcher, NewCommit, Worker};

use super::world::World;
use crate::flow::REPO;

const FILE: &str = ".github/workflows/deploy.yml";
const WORKFLOW: &str = "on:\n  workflow_dispatch:\n    inputs: { phasebot_request: {}, phasebot_sha: {} }\n";
const POLICY: &str = "version: 1\nmode: act\nenvironments:\n  staging: \
                      { deploy: { via: workflow_dispatch, workflow: deploy.yml } }\n";

fn can_deploy(world: &World) {
    let bob = world.person("bob");
    let file = |path: &str, text: &str| (path.to_owned(), Some(text.to_owned()));
    let files = vec![file(".github/phasebot.yml", POLICY), file(FILE, WORKFLOW)];
    bob.push("main", &[NewCommit { message: "A policy".to_owned(), files }]).unwrap();
    bob.add_worker(&Worker::new(FILE, "workflow_dispatch")).unwrap();
}

#[tokio::test]
async fn one_delivery_that_can_not_be_had_holds_up_nothing() {
    let mut world = World::new().await;
    can_deploy(&world);
    let bob = world.person("bob");
    let first = bob.open_issue("First", "", &[]).unwrap().made;
    let lost = world.forge.deliveries().into_iter().find(|delivery| delivery.event == "issues").unwrap();
    let second = bob.open_issue("Second", "", &[]).unwrap().made;
    world.miss();
    let list = world.github().sent(None).await.unwrap().unwrap().deliveries;
    let attempt = list.iter().find(|sent| sent.delivery == lost.guid).unwrap().id;
    let matcher = Matcher::at("GET", &format!("/app/hook/deliveries/{attempt}"));
    world.forge.inject(Fault { matcher, kind: FaultKind::Status502Before }, 1_000_000);
    world.start(true).await;
    world.minute().await;
    assert_eq!((world.labels(second), world.labels(first)), (vec!["phase/plan".to_owned()], vec![]));
    bob.comment(second, "/deploy staging").unwrap();
    world.minute().await;
    assert_eq!(world.forge.dispatched(REPO).len(), 1);
    // It is requested again, by a later process, too.
    world.stop();
    world.forge.clear_faults();
    world.start(true).await;
    world.minute().await;
    assert_eq!(world.labels(first), ["phase/plan"]);
}

#[tokio::test]
async fn one_repository_that_can_not_be_read_holds_up_nothing() {
    const OTHER: &str = "acme/till";
    let mut world = World::new().await;
    can_deploy(&world);
    let bob = world.person("bob");
    world.forge.create_repo(OTHER).unwrap();
    world.forge.set_role(OTHER, "bob", "write").unwrap();
    let installation = world.forge.deliveries().into_iter().find_map(|delivery| delivery.installation).unwrap();
    world.forge.change_installation(installation, "alice", &[OTHER], &[]).unwrap();
    world.start(true).await;
    world.minute().await;
    world.stop();
    world.clock.advance(SignedDuration::from_hours(24));
    let here = bob.open_issue("Here", "", &[]).unwrap().made;
    let there = world.forge.person("bob", OTHER).unwrap().open_issue("There", "", &[]).unwrap().made;
    world.forge.take_pending();
    world.clock.advance(SignedDuration::from_hours(4 * 24));
    let there_labels = |world: &World| world.forge.visible_labels(OTHER, there).into_iter().collect::<Vec<_>>();
    // The first repository is queried three times.
    world.forge.inject(Fault { matcher: Matcher::of("POST", "/graphql"), kind: FaultKind::Status502Before }, 3);
    world.start(true).await;
    world.run(SignedDuration::from_secs(30)).await;
    assert_eq!((there_labels(&world), world.labels(here)), (vec!["phase/plan".to_owned()], vec![]));
    world.run(SignedDuration::from_mins(3)).await;
    assert_eq!(world.labels(here), ["phase/plan"]);
}

#[tokio::test]
async fn a_workflow_is_started_while_a_gap_can_not_be_looked_at() {
    let mut world = World::new().await;
    can_deploy(&world);
    let bob = world.person("bob");
    let issue = bob.open_issue("Ship it", "", &[]).unwrap().made;
    world.start(true).await;
    world.minute().await;
    world.stop();
    world.forge.take_pending();
    world.clock.advance(SignedDuration::from_hours(5 * 24));
    world.start(true).await;
    let limit = FaultKind::Status502Before;
    world.forge.inject(Fault { matcher: Matcher::of("GET", "/app/installations"), kind: limit }, 1_000_000);
    bob.comment(issue, "/deploy staging").unwrap();
    world.run(SignedDuration::from_mins(2)).await;
    assert_eq!(world.forge.dispatched(REPO).len(), 1);
}

/// Tokens, which every action needs, count against the same limit.
#[tokio::test]
async fn a_walk_leaves_some_of_the_apps_own_requests() {
    const ONE: &str = "GET /app/hook/deliveries/{delivery_id}";
    let mut world = World::new().await;
    let bob = world.person("bob");
    let mut last = 0;
    for n in 0..60 {
        last = bob.open_issue(&format!("Wish {n}"), "", &[]).unwrap().made;
    }
    let missed = world.miss();
    world.forge.spend_as_app(5_000 - 320);
    world.start(true).await;
    world.minute().await;
    let asked = world.asked(ONE);
    assert!((1..30).contains(&asked), "{asked}");
    // Accepted deliveries are processed in the meantime.
    assert_eq!(world.labels(1), ["phase/plan"]);
    world.run(SignedDuration::from_hours(2)).await;
    assert_eq!((world.labels(last), world.asked(ONE)), (vec!["phase/plan".to_owned()], missed));
}
