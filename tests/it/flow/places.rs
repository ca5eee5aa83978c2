//! Repositories and items that move, end, or must not be written to.

use jiff::SignedDuration;
use serde_json::json;

use super::{REPO, Setup, World};

#[tokio::test]
async fn a_renamed_repository_keeps_working() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    bob.close(issue, "not_planned").unwrap();
    let closed = world.forge.take_pending();
    bob.rename_repo("store").unwrap();
    // The rename's event is lost, and later events have the old name: phasebot relies on the
    // forge's redirect.
    world.forge.take_pending();
    world.forge.clear_requests();
    for delivery in &closed {
        assert_eq!(world.forge.send(delivery).await, 202);
    }
    world.minute().await;
    assert_eq!(world.label_in("acme/store", issue), None);
    let statuses: Vec<Option<u16>> = world.forge.requests().iter().map(|e| e.status).collect();
    // The redirect contains the repository's id; its name is queried once.
    assert_eq!(statuses, [Some(307), Some(200), Some(200)]);

    // From then on the new name is known.
    world.forge.clear_requests();
    bob.reopen(issue).unwrap();
    world.minute().await;
    assert_eq!(world.label_in("acme/store", issue).as_deref(), Some("phase/plan"));
    let paths: Vec<String> = world.forge.requests().into_iter().map(|e| e.path).collect();
    assert_eq!(paths, [format!("/repos/acme/store/issues/{issue}/labels")]);
    world.check().await;
}

#[tokio::test]
async fn an_issue_deleted_meanwhile_does_no_harm() {
    let world = World::new().await;
    let bob = world.person("bob");
    let other = bob.open_issue("Other", "", &[]).unwrap().made;
    let issue = bob.open_issue("Spam", "", &[]).unwrap().made;
    let opened = world.forge.take_pending();
    bob.delete_issue(issue).unwrap();
    let deleted = world.forge.take_pending();
    for delivery in &opened {
        world.forge.send(delivery).await;
    }
    world.minute().await;
    for delivery in &deleted {
        world.forge.send(delivery).await;
    }
    world.run(SignedDuration::from_mins(10)).await;
    world.in_phase(other, "plan");
    assert_eq!(world.derived(issue).await.unwrap().reason.code, "gone");
    world.check().await;
}

#[tokio::test]
async fn a_transferred_issue_is_left_alone() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    let mut moved = bob.delete_issue(issue).unwrap().deliveries.remove(0);
    world.forge.take_pending();
    moved.action = Some("transferred".to_owned());
    moved.payload["action"] = "transferred".into();
    moved.payload["changes"] = json!({ "new_issue": { "number": 5 }, "new_repository": { "full_name": "acme/other" } });
    world.forge.clear_requests();
    assert_eq!(world.forge.send(&moved).await, 202);
    bob.create_branch(&format!("feature/{issue}-cart"), "main").unwrap();
    world.minute().await;
    assert!(world.writes().is_empty());
    world.check().await;
}

#[tokio::test]
async fn a_locked_conversation_still_moves() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    bob.lock(issue, true).unwrap();
    world.minute().await;
    bob.create_branch(&format!("feature/{issue}-cart"), "main").unwrap();
    world.minute().await;
    world.in_phase(issue, "code");
    world.check().await;
}

#[tokio::test]
async fn after_the_app_is_uninstalled_nothing_is_asked() {
    let world = World::new().await;
    let bob = world.person("bob");
    let pull = world.open_pull("cart", "");
    let merged = bob.merge_pull(pull, phasebot_forge_sim::MergeMethod::Merge).unwrap().made;
    world.minute().await;
    // The checks pass, so a timer waits for them to settle, and an issue's delivery is being
    // processed.
    world.pass_checks(&merged);
    world.settle().await;
    bob.open_issue("Cart", "", &[]).unwrap();
    let late = world.forge.take_pending();
    world.forge.uninstall(world.installation, "alice").unwrap();
    world.forge.clear_requests();
    world.settle().await;
    for delivery in &late {
        assert_eq!(world.forge.send(delivery).await, 202);
    }
    world.run(SignedDuration::from_hours(24)).await;
    assert_eq!(world.calls(), Vec::<String>::new());
    world.in_phase(pull, "build");
    world.check().await;
}

#[tokio::test]
async fn installing_writes_nothing() {
    let world = World::with(Setup { not_installed: true, ..Setup::default() }).await;
    let bob = world.person("bob");
    bob.open_issue("Before", "", &[]).unwrap();
    world.forge.install("alice", &[REPO]).unwrap();
    world.run(SignedDuration::from_hours(1)).await;
    assert!(world.writes().is_empty());
    world.in_phase(1, "");
}

/// Everything is decided and recorded, nothing is written.
async fn watches_only(setup: Setup) {
    let world = World::with(setup).await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    bob.create_branch(&format!("feature/{issue}-cart"), "main").unwrap();
    world.minute().await;
    world.in_phase(issue, "");
    assert!(world.writes().is_empty());
    let derived = world.derived(issue).await.unwrap();
    let phases: Vec<Option<String>> = derived.history.into_iter().map(|t| t.to).collect();
    assert_eq!(phases, [Some("plan".to_owned()), Some("code".to_owned())]);
    world.check().await;
}

#[tokio::test]
async fn mode_observe_writes_nothing() {
    watches_only(Setup { policy: "version: 1\nmode: observe\n", ..Setup::default() }).await;
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    watches_only(Setup { dry_run: true, ..Setup::default() }).await;
}
