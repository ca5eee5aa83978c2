//! Deliveries twice, late, and in any order.

use jiff::SignedDuration;
use phasebot::domain::derived::Transition;
use phasebot_forge_sim::{Delivery, MergeMethod};

use super::World;

/// Plays a story without the bot; returns its deliveries.
fn untold(world: &World) -> Vec<Delivery> {
    let wait = |minutes| world.clock.advance(SignedDuration::from_mins(minutes));
    let (ada, bob) = (world.person("ada"), world.person("bob"));
    let issue = ada.open_issue("Let us pay by invoice", "", &[]).unwrap().made;
    wait(10);
    let pull = world.open_pull("feature/1-invoice", &format!("Fixes #{issue}"));
    wait(20);
    let merged = bob.merge_pull(pull, MergeMethod::Squash).unwrap().made;
    wait(5);
    world.pass_checks(&merged);
    wait(10);
    bob.tag("v1.0.0", "main").unwrap();
    wait(10);
    let production = world.deploy("v1.0.0", "production");
    wait(3);
    world.deployed(production, "success");
    wait(60);
    world.forge.take_pending()
}

/// Sends `deliveries` in this order; returns the derived histories of issue and pull request.
async fn told(world: &World, deliveries: &[Delivery]) -> [Vec<Transition>; 2] {
    for delivery in deliveries {
        let status = world.forge.send(delivery).await;
        assert!(matches!(status, 200 | 202), "{}: {status}", delivery.event);
    }
    world.run(SignedDuration::from_mins(5)).await;
    let mut histories = [Vec::new(), Vec::new()];
    for (item, history) in [1, 2].into_iter().zip(&mut histories) {
        let derived = world.derived(item).await.unwrap();
        assert_eq!(derived.phase.as_deref(), Some("monitor"), "#{item}: {:?}", derived.reason);
        world.in_phase(item, "monitor");
        *history = derived.history;
    }
    world.check().await;
    histories
}

/// Shuffles by a seed (Fisher and Yates, with a small generator).
fn shuffled(deliveries: &[Delivery], mut seed: u64) -> Vec<Delivery> {
    let mut order = deliveries.to_vec();
    for last in (1..order.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(seed >> 33).unwrap() % (last + 1);
        order.swap(last, at);
    }
    order
}

/// Returns the histories without the names of commits, which differ in every world.
fn outline(histories: &[Vec<Transition>; 2]) -> Vec<Vec<(String, Option<String>, String)>> {
    let row = |t: &Transition| (t.at.to_string(), t.to.clone(), t.reason.code.clone());
    histories.iter().map(|history| history.iter().map(row).collect()).collect()
}

#[tokio::test]
async fn any_order_ends_the_same() {
    let world = World::new().await;
    let story = untold(&world);
    let in_order = outline(&told(&world, &story).await);
    assert_eq!(in_order[0].len(), 8, "{in_order:?}");

    for seed in 0..6 {
        let world = World::new().await;
        let story = untold(&world);
        let order = if seed == 0 { story.iter().rev().cloned().collect() } else { shuffled(&story, seed) };
        let histories = outline(&told(&world, &order).await);
        assert_eq!(histories, in_order, "seed {seed}");
    }
}

#[tokio::test]
async fn every_delivery_twice_is_as_once() {
    let world = World::new().await;
    let story = untold(&world);
    let twice: Vec<Delivery> = story.iter().flat_map(|d| [d.clone(), d.clone()]).collect();
    told(&world, &twice).await;
    // Tags are listed for some hours after the last event, without a delivery.
    let listing = ["/tags", "/access_tokens", "/contents/{path}"];
    let calls = |world: &World| {
        let all = world.calls().into_iter();
        all.filter(|call| !listing.iter().any(|route| call.ends_with(route))).count()
    };
    let (shown, before) = (world.phases_shown(1), calls(&world));

    // All of them again, days later.
    world.run(SignedDuration::from_hours(48)).await;
    for delivery in &story {
        assert_eq!(world.forge.send(delivery).await, 200);
    }
    world.minute().await;
    assert_eq!((world.phases_shown(1), calls(&world)), (shown, before));
}

#[tokio::test]
async fn a_lost_delivery_that_the_forge_sends_later_is_made_up_for() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    let pull = world.open_pull("cart", "");
    // The event of the edit that links the two is lost.
    world.minute().await;
    bob.edit(pull, None, Some(&format!("Fixes #{issue}"))).unwrap();
    let lost = world.forge.take_pending();
    world.minute().await;
    world.in_phase(issue, "plan");
    for delivery in &lost {
        assert_eq!(world.forge.send(delivery).await, 202);
    }
    world.minute().await;
    world.in_phase(issue, "code");
    world.check().await;
}
