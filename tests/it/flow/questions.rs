//! Queries that the forge fails to answer, and the work that waits for them.

use jiff::SignedDuration;
use phasebot_forge_sim::{Fault, FaultKind, Matcher};

use super::{REPO, World};

const GRAPHQL: &str = "/graphql";

/// From now on GraphQL fails.
fn graphql_is_down(world: &World) {
    let matcher = Matcher::of("POST", GRAPHQL);
    world.forge.inject(Fault { matcher, kind: FaultKind::Status502Before }, 100_000);
}

fn asked(world: &World) -> usize {
    world.forge.requests().iter().filter(|request| request.route == GRAPHQL).count()
}

/// Creates ten merged pull requests, all of which each later event concerns.
async fn ten_merged(world: &World) -> Vec<u64> {
    let pulls: Vec<u64> = (0..10).map(|n| world.open_pull(&format!("topic-{n}"), "")).collect();
    world.settle().await;
    for pull in &pulls {
        world.person("bob").merge_pull(*pull, phasebot_forge_sim::MergeMethod::Merge).unwrap();
        world.settle().await;
    }
    pulls
}

#[tokio::test]
async fn what_fails_is_asked_seldom_and_by_one_for_all() {
    let world = World::new().await;
    world.minute().await;
    world.forge.clear_requests();
    graphql_is_down(&world);
    let pulls = ten_merged(&world).await;
    world.run(SignedDuration::from_hours(1)).await;
    // Regression: it used to be 3 × for each pull request and event, which made hundreds.
    let calls = asked(&world);
    assert!((5..=60).contains(&calls), "{calls} questions in an hour of which none was answered");
    for pull in &pulls {
        world.in_phase(*pull, "build");
    }
    world.forge.clear_faults();
    world.forge.clear_requests();
    world.run(SignedDuration::from_mins(31)).await;
    assert!(asked(&world) >= pulls.len(), "once it works each is asked: {}", asked(&world));
    let calls = asked(&world);
    world.run(SignedDuration::from_hours(1)).await;
    assert_eq!(asked(&world), calls, "and never again");
    world.check().await;
}

#[tokio::test]
async fn a_command_asks_nothing_that_is_known_to_fail() {
    let world = World::new().await;
    world.forge.set_role(REPO, "alice", "maintain").unwrap();
    world.minute().await;
    graphql_is_down(&world);
    ten_merged(&world).await;
    let issue = world.person("bob").open_issue("It burns", "", &[]).unwrap().made;
    world.settle().await;
    for _ in 0..20 {
        world.forge.clear_requests();
        let comment = world.person("alice").comment(issue, "/freeze all until=18:00 it burns").unwrap().made;
        world.settle().await;
        assert!(asked(&world) <= 1, "at most the one try for all: {:?}", world.calls());
        world.run(SignedDuration::from_secs(20)).await;
        assert!(world.forge.reactions(REPO, comment).contains("rocket"));
    }
    world.forge.clear_faults();
    world.run(SignedDuration::from_mins(31)).await;
    world.check().await;
}

/// A missing answer delays the repository, but not a command.
#[tokio::test]
async fn a_command_breaks_off_what_others_ask() {
    let world = World::new().await;
    world.forge.set_role(REPO, "alice", "maintain").unwrap();
    let issue = world.person("bob").open_issue("It burns", "", &[]).unwrap().made;
    world.minute().await;
    let matcher = Matcher::of("POST", GRAPHQL);
    world.forge.inject(Fault { matcher, kind: FaultKind::Timeout }, 3);
    let pulls: Vec<u64> = (0..3).map(|n| world.open_pull(&format!("slow-{n}"), "")).collect();
    let started = std::time::Instant::now();
    let sent = world.forge.deliver_pending().await;
    assert!(!sent.is_empty());
    let comment = world.person("alice").comment(issue, "/freeze all until=18:00 it burns").unwrap().made;
    world.settle().await;
    // Three unanswered queries in sequence would take thirty seconds.
    assert!(started.elapsed() < std::time::Duration::from_secs(25), "it waited {:?}", started.elapsed());
    world.minute().await;
    assert!(world.forge.reactions(REPO, comment).contains("rocket"));
    world.run(SignedDuration::from_mins(31)).await;
    for pull in pulls {
        world.in_phase(pull, "code");
    }
    world.check().await;
}

/// More queries than the limit of concurrent ones are all sent in the end.
#[tokio::test]
async fn many_questions_at_once_are_all_answered() {
    let world = World::new().await;
    world.minute().await;
    graphql_is_down(&world);
    let pulls: Vec<u64> = (0..20).map(|n| world.open_pull(&format!("many-{n}"), "")).collect();
    world.settle().await;
    world.forge.clear_faults();
    // Their waits end together, and one timer run sends all queries.
    world.run(SignedDuration::from_hours(2)).await;
    world.forge.clear_requests();
    world.run(SignedDuration::from_hours(1)).await;
    assert_eq!(asked(&world), 0, "nothing is left to ask: {:?}", world.calls());
    for pull in pulls {
        world.in_phase(pull, "code");
    }
    world.check().await;
}
