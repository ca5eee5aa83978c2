//! Alerts over real HTTP, which become issues on the simulated forge.

use jiff::SignedDuration;
use phasebot::domain::id::ItemId;
use phasebot_forge_sim::{Fault, FaultKind, Matcher, MergeMethod};

use crate::{
    alert::sent::{bearer, send},
    flow::{REPO, Setup, World},
};

const PROD: &str = r#"
[alerts.prod]
kind = "alertmanager"
secrets = ["s3cret"]
repositories = ["acme/shop"]

[alerts.shop]
kind = "generic"
type = "feedback"
secrets = ["s3cret"]
repositories = ["acme/shop"]
fields = { key = "/id", title = "/title", text = "/text" }
"#;

/// Returns an Alertmanager webhook about one alert that began at 09:10.
fn body(state: &str) -> String {
    let ends = if state == "firing" { "0001-01-01T00:00:00Z" } else { "2026-03-02T09:40:00Z" };
    format!(
        r#"{{"version":"4","groupKey":"{{}}:{{alertname=\"SlowCart\"}}","truncatedAlerts":0,"status":"{state}",
        "receiver":"phasebot","groupLabels":{{"alertname":"SlowCart"}},
        "commonLabels":{{"alertname":"SlowCart","env":"production","severity":"critical"}},"commonAnnotations":{{}},
        "externalURL":"http://alertmanager.example","alerts":[{{"status":"{state}",
        "labels":{{"alertname":"SlowCart","env":"production","severity":"critical"}},
        "annotations":{{"summary":"@everyone the cart is slow, fixes #1"}},
        "startsAt":"2026-03-02T09:10:00Z","endsAt":"{ends}","generatorURL":"http://prometheus.example/graph",
        "fingerprint":"c6eadffa33fcdf37"}}]}}"#
    )
}

/// Returns the same alert, firing again since 10:05.
fn again() -> String {
    body("firing").replace("T09:10:00Z", "T10:05:00Z")
}

async fn tell(world: &World, state: &str) {
    assert_eq!(send(world.address, "prod", &bearer("s3cret"), body(state)).await.0, 202);
    world.settle().await;
}

fn labels(world: &World, issue: ItemId) -> Vec<String> {
    world.forge.visible_labels(REPO, issue).into_iter().collect()
}

fn count(world: &World, call: &str) -> usize {
    world.calls().iter().filter(|name| name.as_str() == call).count()
}

const OPEN: &str = "POST /repos/{owner}/{repo}/issues";
const COMMENT: &str = "POST /repos/{owner}/{repo}/issues/{issue_number}/comments";

#[tokio::test]
async fn an_alert_becomes_an_issue_and_is_resolved() {
    let world = World::with(Setup { alerts: PROD, ..Setup::default() }).await;
    let pull = world.open_pull("invoice", "");
    world.person("bob").merge_pull(pull, MergeMethod::Squash).unwrap();
    world.minute().await;
    let deployment = world.deploy("main", "production");
    world.deployed(deployment, "success");
    world.run(SignedDuration::from_mins(12)).await;

    world.forge.clear_requests();
    for _ in 0..5 {
        tell(&world, "firing").await;
    }
    assert_eq!(count(&world, OPEN), 0, "not before the hold");
    world.minute().await;
    assert_eq!(count(&world, OPEN), 1);
    let issue = pull + 1;
    assert_eq!(
        labels(&world, issue),
        ["alert/firing", "env/production", "feedback", "phase/plan", "severity/critical"]
    );
    let body = world.forge.text(REPO, issue).1;
    assert!(body.starts_with("<!-- phasebot:incident:"), "{body}");
    assert!(body.contains("### Suspected change") && body.contains(&format!("#{pull}")), "{body}");
    assert!(!body.contains("@everyone") && !body.contains("fixes #1"), "{body}");
    let derived = world.derived(issue).await.unwrap();
    let moves: Vec<&str> = derived.history.iter().filter_map(|step| step.to.as_deref()).collect();
    assert_eq!(moves, ["monitor", "plan"]);

    tell(&world, "resolved").await;
    world.run(SignedDuration::from_mins(45)).await;
    assert_eq!(
        labels(&world, issue),
        ["alert/resolved", "env/production", "feedback", "phase/plan", "severity/critical"]
    );
    assert_eq!((count(&world, OPEN), count(&world, COMMENT)), (1, 1));
    world.check().await;
}

#[tokio::test]
async fn people_act_on_it_by_commands() {
    let world = World::with(Setup { alerts: PROD, ..Setup::default() }).await;
    let bob = world.person("bob");
    world.run(SignedDuration::from_mins(15)).await;
    tell(&world, "firing").await;
    world.minute().await;
    let issue = 1;
    bob.comment(issue, "/ack\n/cause none\n/resolve").unwrap();
    world.minute().await;
    world.minute().await;
    let body = world.forge.text(REPO, issue).1;
    assert!(body.contains("👤 Acknowledged by **bob**") && body.contains("no change"), "{body}");
    assert!(labels(&world, issue).contains(&"alert/resolved".to_owned()));
    tell(&world, "firing").await;
    world.minute().await;
    assert!(labels(&world, issue).contains(&"alert/resolved".to_owned()), "what a person ended stays ended");
    world.check().await;
}

#[tokio::test]
async fn a_lost_answer_leaves_one_issue() {
    let world = World::with(Setup { alerts: PROD, ..Setup::default() }).await;
    world.run(SignedDuration::from_mins(15)).await;
    let lost = Fault { matcher: Matcher::of("POST", "/repos/{owner}/{repo}/issues"), kind: FaultKind::ResetAfterApply };
    world.forge.inject(lost, 1);
    tell(&world, "firing").await;
    world.run(SignedDuration::from_mins(5)).await;
    assert_eq!(count(&world, OPEN), 1, "it was looked up instead");
    assert!(labels(&world, 1).contains(&"alert/firing".to_owned()));
    tell(&world, "resolved").await;
    world.run(SignedDuration::from_mins(45)).await;
    assert!(labels(&world, 1).contains(&"alert/resolved".to_owned()), "its number is known");
}

/// Somebody deletes the issue of a resolved incident, and no webhook arrives.
#[tokio::test]
async fn an_issue_that_was_deleted_unheard_is_given_up_and_opened_anew() {
    let world = World::with(Setup { alerts: PROD, ..Setup::default() }).await;
    world.run(SignedDuration::from_mins(15)).await;
    tell(&world, "firing").await;
    world.minute().await;
    tell(&world, "resolved").await;
    world.run(SignedDuration::from_mins(45)).await;
    assert!(labels(&world, 1).contains(&"alert/resolved".to_owned()));
    world.person("bob").delete_issue(1).unwrap();
    for delivery in world.forge.take_pending() {
        world.forge.lose(&delivery);
    }
    world.forge.clear_requests();
    assert_eq!(send(world.address, "prod", &bearer("s3cret"), again()).await.0, 202);
    world.run(SignedDuration::from_mins(10)).await;
    assert_eq!(count(&world, OPEN), 1, "{:?}", world.calls());
    assert!(labels(&world, 2).contains(&"alert/firing".to_owned()));
    let in_vain = world.forge.requests().iter().filter(|request| request.status == Some(410)).count();
    assert_eq!(in_vain, 1, "one look is enough: {:?}", world.calls());
    world.check().await;
}

#[tokio::test]
async fn a_users_words_are_filed_once() {
    let world = World::with(Setup { alerts: PROD, ..Setup::default() }).await;
    let said = r#"{"id":"f-1","title":"Can't pay","text":"/deploy production\n@everyone see #1"}"#;
    for _ in 0..3 {
        assert_eq!(send(world.address, "shop", &bearer("s3cret"), said).await.0, 202);
        world.settle().await;
    }
    world.minute().await;
    assert_eq!(count(&world, OPEN), 1);
    assert_eq!(labels(&world, 1), ["feedback", "phase/plan"]);
    let body = world.forge.text(REPO, 1).1;
    assert!(!body.contains("\n> /deploy") && !body.contains("@everyone"), "{body}");
    world.check().await;
}
