//! Deliveries that never arrived.

use jiff::SignedDuration;
use phasebot::port::store::DeliveryFilter;
use phasebot_forge_sim::{Fault, FaultKind, Matcher};

use super::world::World;
use crate::flow::{BOT, REPO};

const LIST: &str = "GET /app/hook/deliveries";
const ONE: &str = "GET /app/hook/deliveries/{delivery_id}";

#[tokio::test]
async fn what_was_missed_while_the_bot_was_down_is_taken_in_at_the_start() {
    let mut world = World::new().await;
    let issue = world.person("bob").open_issue("Cart", "", &[]).unwrap().made;
    let missed = world.miss();
    world.start(true).await;
    world.minute().await;
    assert_eq!(world.labels(issue), ["phase/plan"]);
    assert_eq!(world.asked(ONE), missed);
    world.check();
}

#[tokio::test]
async fn a_later_redelivery_is_a_repetition() {
    let mut world = World::new().await;
    world.person("bob").open_issue("Cart", "", &[]).unwrap();
    world.miss();
    world.start(true).await;
    world.minute().await;
    for delivery in world.forge.deliveries() {
        assert_eq!(world.forge.send(&delivery).await, 200, "{}", delivery.event);
    }
}

#[tokio::test]
async fn a_bot_that_nobody_reaches_lives_on_its_own_questions() {
    let mut world = World::new().await;
    world.start(false).await;
    world.minute().await;
    let issue = world.person("bob").open_issue("Cart", "", &[]).unwrap().made;
    world.run(SignedDuration::from_mins(10)).await;
    assert_eq!(world.labels(issue), ["phase/plan"]);
    world.check();
}

#[tokio::test]
async fn two_thousand_missed_events_are_each_handled_once() {
    let mut world = World::new().await;
    world.start(true).await;
    let bob = world.person("bob");
    world.minute().await;
    world.stop();
    // Fifty events for each of forty issues while the bot does not run.
    let mut issues = Vec::new();
    for n in 0..40 {
        let issue = bob.open_issue(&format!("Request {n}"), "", &[]).unwrap().made;
        bob.comment(issue, "/status").unwrap();
        for _ in 0..46 {
            bob.comment(issue, "Please").unwrap();
        }
        world.clock.advance(SignedDuration::from_secs(1));
        bob.close(issue, "completed").unwrap();
        world.clock.advance(SignedDuration::from_secs(1));
        bob.reopen(issue).unwrap();
        issues.push(issue);
    }
    let missed = world.miss();
    assert!(missed >= 2000, "{missed}");
    world.forge.clear_requests();
    world.start(true).await;
    world.run(SignedDuration::from_mins(30)).await;
    for issue in issues {
        assert_eq!(world.labels(issue), ["phase/plan"], "#{issue}");
        let ours = world.forge.comments(REPO, issue).into_iter().filter(|(author, _)| author == BOT).count();
        assert_eq!(ours, 1, "#{issue}");
    }
    assert_eq!(world.asked(ONE), missed, "each was fetched once");
    let stats = world.store().stats().await.unwrap();
    assert_eq!((stats.pending, stats.quarantined, stats.dead_deliveries, stats.dead_effects), (0, 0, 0, 0));
    world.check();
}

/// A long list has many pages: a lost answer must not restart the walk.
#[tokio::test]
async fn answers_that_are_lost_break_no_walk_off() {
    let mut world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    for n in 0..350 {
        bob.comment(issue, &format!("Please {n}")).unwrap();
    }
    let missed = world.miss();
    for (spared, route, kind) in [
        (1, LIST, FaultKind::Status502Before),
        (1, LIST, FaultKind::ResetBefore),
        (2, ONE, FaultKind::Status502AfterApply),
        // A listed delivery exists, whatever a replica answers.
        (2, ONE, FaultKind::NotFoundThenOk),
    ] {
        let (method, route) = route.split_once(' ').unwrap();
        world.forge.inject_after(spared, Fault { matcher: Matcher::of(method, route), kind }, 1);
    }
    world.start(true).await;
    world.settle().await;
    assert_eq!(world.forge.faults_left(), 0);
    assert_eq!(world.asked(ONE), missed + 2, "each was taken in at the first walk");
    assert!(world.asked(LIST) <= missed.div_ceil(100) + 2, "no page but the lost ones was asked for twice");
    let all = DeliveryFilter { limit: 1000, ..DeliveryFilter::default() };
    assert_eq!(world.store().deliveries(&all).await.unwrap().len(), missed);
}

#[tokio::test]
async fn each_walk_goes_only_as_far_as_the_last() {
    let mut world = World::new().await;
    let bob = world.person("bob");
    world.start(true).await;
    for n in 0..250 {
        bob.open_issue(&format!("Request {n}"), "", &[]).unwrap();
    }
    world.settle().await;
    world.run(SignedDuration::from_hours(1)).await;
    bob.open_issue("One more", "", &[]).unwrap();
    world.run(SignedDuration::from_hours(1)).await;
    world.forge.clear_requests();
    world.run(SignedDuration::from_hours(1)).await;
    // One page per walk, however long the list is.
    assert_eq!((world.asked(LIST), world.asked(ONE)), (12, 0));
}
