//! Faults between the bot and the forge.

use std::time::Duration;

use jiff::SignedDuration;
use phasebot_forge_sim::{Fault, FaultKind, Matcher, MergeMethod};
use serde_json::json;

use super::{REPO, World};

pub const LABELS_OF_ITEM: &str = "/repos/{owner}/{repo}/issues/{issue_number}/labels";
const LABELS: &str = "/repos/{owner}/{repo}/labels";

pub fn fault(method: &str, route: &str, kind: FaultKind) -> Fault {
    Fault { matcher: Matcher::of(method, route), kind }
}

#[tokio::test]
async fn a_missing_label_is_made_once_with_its_look() {
    let world = World::new().await;
    let bob = world.person("bob");
    for title in ["One", "Two", "Three"] {
        bob.open_issue(title, "", &[]).unwrap();
    }
    world.minute().await;
    let made: Vec<_> = world.writes().into_iter().filter(|e| e.route == LABELS).map(|e| e.request).collect();
    let look = json!({ "name": "phase/plan", "color": "F0E442", "description": "Wanted: the issue is open" });
    assert_eq!(made, [Some(look)]);
    world.check().await;
}

#[tokio::test]
async fn a_label_that_people_made_keeps_their_look() {
    let world = World::new().await;
    let bob = world.person("bob");
    let first = bob.open_issue("Made by hand", "", &["phase/plan"]).unwrap().made;
    world.minute().await;
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    world.in_phase(first, "plan");
    world.in_phase(issue, "plan");
    assert!(world.writes().iter().all(|e| e.method != "PATCH"));
    world.check().await;
}

#[tokio::test]
async fn a_label_deleted_from_the_repository_comes_back_when_it_is_needed() {
    let world = World::new().await;
    let bob = world.person("bob");
    bob.open_issue("Cart", "", &[]).unwrap();
    world.minute().await;
    bob.delete_label("phase/plan").unwrap();
    world.minute().await;
    let issue = bob.open_issue("Till", "", &[]).unwrap().made;
    world.minute().await;
    world.in_phase(issue, "plan");
    let made = world.writes().into_iter().filter(|e| e.route == LABELS).count();
    assert_eq!(made, 2);
}

#[tokio::test]
async fn a_502_after_the_fact_doubles_nothing() {
    for kind in [FaultKind::Status502AfterApply, FaultKind::ResetAfterApply, FaultKind::Status502Before] {
        let world = World::new().await;
        world.forge.inject(fault("POST", LABELS_OF_ITEM, kind), 1);
        let issue = world.person("bob").open_issue("Cart", "", &[]).unwrap().made;
        world.run(SignedDuration::from_mins(10)).await;
        assert_eq!(world.forge.faults_left(), 0);
        world.in_phase(issue, "plan");
        assert_eq!(world.phases_shown(issue), ["plan"], "{kind:?}");
        assert_eq!(world.forge.label_history(REPO, issue).len(), 1, "{kind:?}");
        world.check().await;
    }
}

#[tokio::test]
async fn what_replaces_a_label_whose_answer_was_lost_never_shows_two_phases() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    let pull = world.open_pull("feature/cart", &format!("Closes #{issue}"));
    world.forge.inject(fault("POST", LABELS_OF_ITEM, FaultKind::ResetAfterApply), 2);
    world.forge.deliver_pending().await;
    world.bot.idle().await;
    assert_eq!(world.forge.faults_left(), 0);
    // The webhook for the issue's label is lost, too.
    world.forge.take_pending();
    bob.merge_pull(pull, MergeMethod::Squash).unwrap();
    for delivery in world.forge.take_pending().iter().filter(|delivery| delivery.event == "pull_request") {
        assert_eq!(world.forge.send(delivery).await, 202);
    }
    world.minute().await;
    world.in_phase(issue, "build");
    assert_eq!(world.phases_shown(issue), ["plan", "code", "build"]);
    world.check().await;
}

#[tokio::test]
async fn a_list_of_labels_that_lags_behind_what_a_webhook_told_leaves_no_label_on() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    let pull = world.open_pull("feature/cart", &format!("Closes #{issue}"));
    world.forge.inject(fault("POST", LABELS_OF_ITEM, FaultKind::ResetAfterApply), 2);
    world.forge.deliver_pending().await;
    world.bot.idle().await;
    // The answers were lost; webhooks report both labels.
    world.forge.deliver_pending().await;
    world.bot.idle().await;
    world.forge.inject(fault("GET", LABELS_OF_ITEM, FaultKind::StaleList), 2);
    bob.merge_pull(pull, MergeMethod::Squash).unwrap();
    world.forge.deliver_pending().await;
    world.minute().await;
    assert_eq!(world.forge.faults_left(), 0);
    for item in [issue, pull] {
        world.in_phase(item, "build");
        let changes = world.forge.label_history(REPO, item);
        let mut on: Vec<&str> = Vec::new();
        for change in &changes {
            on.retain(|label| *label != change.label);
            on.extend(change.added.then_some(change.label.as_str()));
            assert!(on.len() <= 1, "two phases at a time: {changes:#?}");
        }
    }
    world.check().await;
}

#[tokio::test]
async fn a_rate_limit_parks_the_installation() {
    let world = World::new().await;
    let bob = world.person("bob");
    bob.open_issue("Warm", "", &[]).unwrap();
    world.minute().await;
    let retry_after = Duration::from_mins(2);
    world.forge.inject(fault("POST", LABELS_OF_ITEM, FaultKind::RateLimit429 { retry_after }), 1);
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.settle().await;
    assert_eq!(world.forge.faults_left(), 0);
    world.forge.clear_requests();

    // No request at all, whatever else arrives.
    let other = bob.open_issue("Till", "", &[]).unwrap().made;
    world.run(SignedDuration::from_secs(119)).await;
    assert_eq!(world.calls(), Vec::<String>::new());
    world.in_phase(issue, "");

    world.run(SignedDuration::from_secs(10)).await;
    world.in_phase(issue, "plan");
    world.in_phase(other, "plan");
    assert_eq!(world.calls().len(), 2);
    world.check().await;
}

#[tokio::test]
async fn a_token_that_was_revoked_is_replaced() {
    let world = World::new().await;
    let bob = world.person("bob");
    bob.open_issue("Cart", "", &[]).unwrap();
    world.minute().await;
    world.forge.revoke_tokens();
    world.forge.clear_requests();
    let issue = bob.open_issue("Till", "", &[]).unwrap().made;
    world.minute().await;
    world.in_phase(issue, "plan");
    let statuses: Vec<Option<u16>> = world.forge.requests().iter().map(|e| e.status).collect();
    assert_eq!(statuses, [Some(401), Some(201), Some(200)]);
    world.check().await;
}

#[tokio::test]
async fn a_forge_that_is_down_is_waited_for() {
    let world = World::new().await;
    let bob = world.person("bob");
    world.forge.inject(Fault { matcher: Matcher::any(), kind: FaultKind::Status502Before }, 12);
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    let pull = world.open_pull("cart", &format!("Fixes #{issue}"));
    world.run(SignedDuration::from_hours(1)).await;
    assert_eq!(world.forge.faults_left(), 0);
    world.in_phase(issue, "code");
    world.in_phase(pull, "code");
    world.phases_shown(issue);
    world.check().await;
}
