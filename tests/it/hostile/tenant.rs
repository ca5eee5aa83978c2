//! Signed deliveries that name another tenant's objects. GitHub would not send them, but somebody
//! with the webhook secret could.

use phasebot_forge_sim::Delivery;
use serde_json::json;

use crate::flow::{REPO, World};

const RIVAL: &str = "rival/app";

/// Creates another owner's repository and installation in addition to ours.
async fn beside_a_rival() -> (World, u64) {
    let world = World::new().await;
    world.forge.create_repo(RIVAL).unwrap();
    world.forge.set_role(RIVAL, "mallory", "admin").unwrap();
    let rival = world.forge.install("mallory", &[RIVAL]).unwrap().made;
    world.settle().await;
    (world, rival)
}

/// Opens an issue of ours that the bot does not know yet; returns it with its delivery.
fn issue(world: &World) -> (u64, Delivery) {
    let issue = world.person("bob").open_issue("Cart", "", &[]).unwrap().made;
    (issue, world.forge.take_pending().remove(0))
}

/// Returns the installations whose tokens were used for requests to a repository.
fn used(world: &World, full_name: &str) -> Vec<u64> {
    let about = |path: &str| path.starts_with(&format!("/repos/{full_name}/"));
    let mut used: Vec<u64> =
        world.forge.requests().iter().filter(|e| about(&e.path)).filter_map(|e| e.installation).collect();
    used.sort_unstable();
    used.dedup();
    used
}

#[tokio::test]
async fn an_installation_that_names_anothers_repository_gets_nothing_done_there() {
    let (world, rival) = beside_a_rival().await;
    let (number, mut delivery) = issue(&world);
    delivery.payload["installation"] = json!({ "id": rival });
    assert_eq!(world.forge.send(&delivery).await, 202);
    world.minute().await;
    // Our own map, and the forge's answer, name the owner.
    assert!(!used(&world, REPO).contains(&rival));
    world.in_phase(number, "plan");
}

#[tokio::test]
async fn an_unknown_repository_under_anothers_name_gets_nothing_done_there() {
    let (world, rival) = beside_a_rival().await;
    let (number, mut delivery) = issue(&world);
    // An id that does not exist, the name of our repository, and the rival's installation.
    delivery.payload["installation"] = json!({ "id": rival });
    delivery.payload["repository"]["id"] = json!(999_999_999);
    assert_eq!(world.forge.send(&delivery).await, 202);
    world.minute().await;
    assert_eq!(world.label(number), None);
    assert!(world.forge.label_history(REPO, number).is_empty());
}

#[tokio::test]
async fn our_number_under_anothers_name_gets_nothing_done_there() {
    let (world, _) = beside_a_rival().await;
    let theirs = world.forge.person("mallory", RIVAL).unwrap().open_issue("Theirs", "", &[]).unwrap().made;
    world.forge.take_pending();
    let (number, mut delivery) = issue(&world);
    assert_eq!(number, theirs, "both have an issue of this number");
    delivery.payload["repository"]["full_name"] = json!(RIVAL);
    delivery.payload["repository"]["name"] = json!("app");
    assert_eq!(world.forge.send(&delivery).await, 202);
    world.minute().await;
    assert_eq!(world.label_in(RIVAL, theirs), None);
    // The name in the payload may be the result of a transfer, so a query is allowed: with our
    // token, which has no access there.
    for exchange in world.forge.requests().iter().filter(|e| e.path.starts_with("/repos/rival/")) {
        assert_eq!(exchange.installation, Some(world.installation), "{}", exchange.path);
        assert!(exchange.status.is_some_and(|status| status >= 400), "{}", exchange.path);
    }
}

#[tokio::test]
async fn names_that_are_no_names_lead_nowhere() {
    for name in ["../../rival/app", "acme/shop/../../rival/app", "acme/shop?x=1", "acme/shop#", "a b/c", "", "/"] {
        let world = World::new().await;
        let (_, mut delivery) = issue(&world);
        delivery.payload["repository"]["id"] = json!(999_999_999);
        delivery.payload["repository"]["full_name"] = json!(name);
        delivery.payload["repository"]["name"] = json!(name);
        world.forge.clear_requests();
        assert_eq!(world.forge.send(&delivery).await, 202);
        world.minute().await;
        let asked: Vec<String> = world.writes().iter().map(|e| e.path.clone()).collect();
        assert!(asked.is_empty(), "{name}: {asked:?}");
    }
}
