//! Changes to our own issues: text, state, labels.

use std::collections::BTreeSet;

use phasebot::{
    domain::effect::{Effect, LabelSpec},
    port::forge::{ApplyContext, Cost, Forge, ForgeError},
};
use serde_json::{Value, json};

use super::server::{answer, target, world};

const ISSUE: &str = "PATCH /repos/acme/shop/issues/13";
const ON: &str = "/repos/acme/shop/issues/13/labels";

fn nothing_known() -> ApplyContext {
    ApplyContext::default()
}

#[tokio::test]
async fn its_text_is_replaced_and_keeps_the_marker() {
    let world = world().await;
    world.server.on(ISSUE, answer(200, json!({ "number": 13 })));
    let edit = Effect::EditIssue {
        item: 13,
        marker: "incident:abc".to_owned(),
        title: "Checkout is slow again".to_owned(),
        body: "p99 is 5 s".to_owned(),
    };
    world.github.apply(&target(), &edit, &nothing_known()).await.unwrap();
    assert_eq!(world.server.lines(), [ISSUE]);
    let body = "<!-- phasebot:incident:abc -->\np99 is 5 s";
    assert_eq!(world.server.asked()[0].body, Some(json!({ "title": "Checkout is slow again", "body": body })));
    assert_eq!(world.github.cost(&edit, &nothing_known()), Cost { writes: 1, creates: 0 });
}

#[tokio::test]
async fn it_is_closed_as_done_and_opened_again() {
    for (open, sent) in [
        (false, json!({ "state": "closed", "state_reason": "completed" })),
        (true, json!({ "state": "open", "state_reason": "reopened" })),
    ] {
        let world = world().await;
        world.server.on(ISSUE, answer(200, json!({ "number": 13 })));
        world.github.apply(&target(), &Effect::SetIssueState { item: 13, open }, &nothing_known()).await.unwrap();
        assert_eq!(world.server.lines(), [ISSUE]);
        assert_eq!(world.server.asked()[0].body, Some(sent));
    }
}

#[tokio::test]
async fn one_that_was_deleted_is_told_apart_from_issues_that_are_turned_off() {
    for (message, deleted) in [("This issue was deleted", true), ("Issues are disabled for this repo", false)] {
        let world = world().await;
        world.server.on(ISSUE, answer(410, json!({ "message": message })));
        let close = Effect::SetIssueState { item: 13, open: false };
        let error = world.github.apply(&target(), &close, &nothing_known()).await.unwrap_err();
        assert_eq!(matches!(error, ForgeError::Deleted(_)), deleted, "{error:?}");
        assert_eq!(matches!(error, ForgeError::NotFound(_)), !deleted, "{error:?}");
    }
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(ToOwned::to_owned).collect()
}

fn mute() -> Effect {
    let look = LabelSpec { name: "muted".to_owned(), color: "cccccc".to_owned(), description: "Kept quiet".to_owned() };
    Effect::SetLabels { item: 13, add: vec![look], remove: set(["firing"]) }
}

fn labels(names: &[&str]) -> Value {
    names.iter().map(|name| json!({ "id": 1, "name": name, "color": "ededed" })).collect()
}

#[tokio::test]
async fn labels_are_put_on_and_taken_off_and_the_rest_stays() {
    let world = world().await;
    world
        .server
        .on(&format!("POST {ON}"), answer(200, labels(&["feedback", "firing", "muted"])))
        .on(&format!("DELETE {ON}/firing"), answer(200, labels(&["feedback", "muted"])));
    let context = ApplyContext {
        item_labels: Some(set(["feedback", "firing"])),
        repo_labels: set(["feedback", "firing", "muted"]),
        ..ApplyContext::default()
    };
    assert_eq!(world.github.cost(&mute(), &context).writes, 2);
    let applied = world.github.apply(&target(), &mute(), &context).await.unwrap();
    assert_eq!(world.server.lines(), [format!("POST {ON}"), format!("DELETE {ON}/firing")]);
    assert_eq!(world.server.asked()[0].body, Some(json!({ "labels": ["muted"] })));
    assert_eq!(applied.labels, Some((13, set(["feedback", "muted"]))));
}

#[tokio::test]
async fn labels_that_are_as_wanted_cost_nothing() {
    let world = world().await;
    let context = ApplyContext {
        item_labels: Some(set(["feedback", "muted"])),
        repo_labels: set(["feedback", "muted"]),
        ..ApplyContext::default()
    };
    world.github.apply(&target(), &mute(), &context).await.unwrap();
    assert!(world.server.lines().is_empty(), "{:?}", world.server.lines());
}
