//! Checks every webhook against GitHub's description, and signatures, delivery and redelivery.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use phasebot_forge_sim::{Delivery, MergeMethod, NewDeployment, NewPull, NewRelease, Sending, sign};
use reqwest::Method;
use serde_json::json;

use super::{REPO, SECRET, World};
use crate::openapi::check_delivery;

fn names(deliveries: &[Delivery]) -> Vec<String> {
    deliveries
        .iter()
        .map(|d| d.action.as_ref().map_or_else(|| d.event.clone(), |a| format!("{}.{a}", d.event)))
        .collect()
}

/// A complete feature with every kind of event.
fn story(world: &World) {
    let (bob, ci) = (world.person("bob"), world.person("github-actions"));
    world.sim.set_role(REPO, "bob", "write").unwrap();
    let issue = bob.open_issue("Cart", "words", &["bug"]).unwrap().made;
    bob.edit(issue, Some("The cart"), None).unwrap();
    bob.lock(issue, true).unwrap();
    bob.lock(issue, false).unwrap();
    bob.unlabel(issue, "bug").unwrap();
    bob.delete_label("bug").unwrap();
    bob.close(issue, "not_planned").unwrap();
    bob.reopen(issue).unwrap();
    let comment = bob.comment(issue, "hello").unwrap().made;
    bob.edit_comment(comment, "hello!").unwrap();
    let spam = bob.open_issue("Spam", "", &[]).unwrap().made;
    bob.delete_issue(spam).unwrap();

    bob.create_branch("work", "main").unwrap();
    bob.push("work", &["One".into()]).unwrap();
    let new = NewPull {
        head: "work".to_owned(),
        title: "Work".to_owned(),
        body: format!("Fixes #{issue}"),
        draft: true,
        ..NewPull::default()
    };
    let pull = bob.open_pull(&new).unwrap().made;
    bob.set_draft(pull, false).unwrap();
    bob.set_draft(pull, true).unwrap();
    bob.set_draft(pull, false).unwrap();
    bob.edit(pull, Some("Work done"), None).unwrap();
    bob.lock(pull, true).unwrap();
    bob.lock(pull, false).unwrap();
    bob.label(pull, "big").unwrap();
    bob.unlabel(pull, "big").unwrap();
    let head = bob.push("work", &["Two".into()]).unwrap().made.remove(0);
    bob.close(pull, "").unwrap();
    bob.reopen(pull).unwrap();
    bob.review(pull, "changes_requested", "Please").unwrap();
    bob.approve(pull).unwrap();
    let check = ci.start_check(&head, "build").unwrap().made;
    ci.complete_check(check, "success").unwrap();
    bob.status(&head, "ci/jenkins", "success").unwrap();
    let run = bob.start_run(".github/workflows/ci.yml", "work", "pull_request").unwrap().made;
    bob.complete_run(run, "success").unwrap();
    let group = bob.merge_group(pull).unwrap().made;
    bob.merge_queued(pull, &group).unwrap();
    bob.delete_branch("work").unwrap();

    bob.tag("v1.0.0", "main").unwrap();
    let draft =
        bob.release(&NewRelease { tag: "v1.0.0".to_owned(), draft: true, ..NewRelease::default() }).unwrap().made;
    bob.publish_release(draft).unwrap();
    let early = bob
        .release(&NewRelease { tag: "v2.0.0-rc.1".to_owned(), prerelease: true, ..NewRelease::default() })
        .unwrap()
        .made;
    bob.delete_release(early).unwrap();
    bob.delete_tag("v2.0.0-rc.1").unwrap();
    let new = NewDeployment {
        reference: "v1.0.0".to_owned(),
        environment: "production".to_owned(),
        ..NewDeployment::default()
    };
    let deployment = bob.deployment(&new).unwrap().made;
    bob.deployment_status(deployment, "in_progress").unwrap();
    bob.deployment_status(deployment, "success").unwrap();
    bob.request_protection(run, "production").unwrap();

    bob.rename_repo("store").unwrap();
    bob.archive_repo(true).unwrap();
    bob.archive_repo(false).unwrap();
    world.sim.create_repo("acme/docs").unwrap();
    world.sim.change_installation(world.installation, "alice", &["acme/docs"], &["acme/store"]).unwrap();
    world.sim.uninstall(world.installation, "alice").unwrap();
}

#[tokio::test]
async fn every_webhook_is_as_github_describes_it() {
    let world = World::new().await;
    story(&world);
    let made = world.sim.deliveries();
    let faults: BTreeSet<String> = made.iter().filter_map(|d| check_delivery(d).err()).collect();
    assert!(faults.is_empty(), "{}", faults.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(made.iter().all(|d| d.payload["installation"]["id"] == world.installation));
    let kinds: BTreeSet<String> = names(&made).into_iter().collect();
    assert!(kinds.len() >= 50, "{kinds:?}");
    let ids: BTreeSet<&String> = made.iter().map(|d| &d.guid).collect();
    assert_eq!(ids.len(), made.len());
}

#[tokio::test]
async fn a_merge_sends_what_github_sends() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    bob.push("work", &["One".into()]).unwrap();
    let new = NewPull {
        head: "work".to_owned(),
        title: "Work".to_owned(),
        body: format!("fixes #{issue}"),
        ..NewPull::default()
    };
    let pull = bob.open_pull(&new).unwrap().made;
    let merged = bob.merge_pull(pull, MergeMethod::Merge).unwrap();
    assert_eq!(names(&merged.deliveries), ["push", "pull_request.closed", "issues.closed"]);
    let shown = &merged.deliveries[1].payload["pull_request"];
    assert_eq!((&shown["merged"], &shown["merge_commit_sha"]), (&json!(true), &json!(merged.made)));
    assert_eq!(merged.deliveries[0].payload["after"], json!(merged.made));

    let stacked = bob.push("main", &[format!("Fixes #{issue} again").as_str().into()]).unwrap();
    assert_eq!(names(&stacked.deliveries), ["push"], "it is closed already");
}

#[tokio::test]
async fn what_the_bot_writes_comes_back_to_it() {
    let world = World::new().await;
    let issue = world.person("bob").open_issue("Cart", "", &[]).unwrap().made;
    world.sim.take_pending();
    world.post(&format!("/repos/{REPO}/issues/{issue}/labels"), json!({ "labels": ["phase/plan"] })).await;
    world.post(&format!("/repos/{REPO}/issues/{issue}/labels"), json!({ "labels": ["phase/plan"] })).await;
    world.post(&format!("/repos/{REPO}/issues/{issue}/comments"), json!({ "body": "hi" })).await;
    let echoed = world.sim.take_pending();
    assert_eq!(names(&echoed), ["label.created", "issues.labeled", "issue_comment.created"]);
    assert!(
        echoed.iter().all(|d| d.payload["sender"]["login"] == "phasebot[bot]" && d.payload["sender"]["type"] == "Bot")
    );
    assert_eq!(world.sim.visible_labels(REPO, issue), BTreeSet::from(["phase/plan".to_owned()]));
    let history = world.sim.label_history(REPO, issue);
    assert_eq!((history.len(), history[0].by.as_str()), (1, "phasebot[bot]"));
}

type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Starts a receiver that stores its requests.
async fn receiver() -> (String, Received) {
    let received = Received::default();
    let keep = |State(all): State<Received>, headers: HeaderMap, body: Bytes| async move {
        all.lock().unwrap().push((headers, body));
        StatusCode::ACCEPTED
    };
    let app = Router::new().route("/hook", post(keep)).with_state(received.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, received)
}

#[tokio::test]
async fn deliveries_are_signed_and_sent_in_order() {
    let world = World::new().await;
    let (url, received) = receiver().await;
    world.sim.set_webhook_url(&url);
    let bob = world.person("bob");
    let made = bob.open_issue("Größe «ß»", "", &["bug"]).unwrap().deliveries;
    assert!(received.lock().unwrap().is_empty(), "held until asked for");
    let sent = world.sim.deliver_pending().await;
    assert!(sent.iter().all(|(_, status)| *status == 202));
    assert_eq!(sent.iter().map(|(d, _)| d).collect::<Vec<_>>(), made.iter().collect::<Vec<_>>());
    let received = received.lock().unwrap();
    for ((headers, body), delivery) in received.iter().zip(&made) {
        assert_eq!(headers["x-hub-signature-256"], sign(SECRET, body).as_str());
        assert_eq!(headers["x-github-event"], delivery.event.as_str());
        assert_eq!(headers["x-github-delivery"], delivery.guid.as_str());
        assert_eq!(headers["x-github-hook-id"], "7001");
    }
    assert_eq!(received.len(), made.len());
}

#[tokio::test]
async fn deliveries_can_be_sent_at_once() {
    let world = World::with(|o| o.sending = Sending::AtOnce).await;
    let (url, received) = receiver().await;
    world.sim.deliver_pending().await;
    world.sim.set_webhook_url(&url);
    world.person("bob").open_issue("Cart", "", &[]).unwrap();
    while received.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_lost_delivery_is_listed_and_sent_again_under_its_id() {
    let world = World::new().await;
    let (url, received) = receiver().await;
    world.sim.set_webhook_url(&url);
    let bob = world.person("bob");
    bob.open_issue("Seen", "", &[]).unwrap();
    world.sim.deliver_pending().await;
    bob.open_issue("Lost", "", &[]).unwrap();
    let lost = world.sim.take_pending().remove(0);
    world.sim.lose(&lost);
    let (_, listed) = world.app(Method::GET, "/app/hook/deliveries?per_page=1", None).await;
    assert_eq!((&listed[0]["guid"], &listed[0]["status_code"]), (&json!(lost.guid), &json!(502)));
    let again = format!("/app/hook/deliveries/{}/attempts", listed[0]["id"]);
    assert_eq!(world.app(Method::POST, &again, None).await.0, 202);
    world.sim.deliver_pending().await;
    let received = received.lock().unwrap();
    assert_eq!(received.last().unwrap().0["x-github-delivery"], lost.guid.as_str());
}

#[tokio::test]
async fn every_change_of_a_branch_or_tag_is_a_push_of_that_moment() {
    let world = World::new().await;
    let bob = world.person("bob");
    let pushed = |made: &[Delivery]| made[0].payload["repository"]["pushed_at"].clone();
    let mut seen = BTreeSet::new();
    for act in 0..4 {
        world.clock.forward(jiff::SignedDuration::from_mins(1));
        let made = match act {
            0 => bob.create_branch("work", "main").unwrap().deliveries,
            1 => bob.tag("v1.0.0", "main").unwrap().deliveries,
            2 => bob.delete_branch("work").unwrap().deliveries,
            _ => bob.delete_tag("v1.0.0").unwrap().deliveries,
        };
        let now = phasebot_forge_sim::Clock::now(world.clock.as_ref()).to_string();
        assert_eq!(pushed(&made), json!(now), "{:?}", names(&made));
        seen.insert(now);
    }
    assert_eq!(seen.len(), 4);
}
