//! Renamed and moved repositories.

use std::collections::BTreeSet;

use phasebot::{
    domain::effect::{Effect, LabelSpec},
    port::forge::{ApplyContext, Forge, ForgeError},
};
use serde_json::{Value, json};

use super::server::{Answer, Server, answer, target, world};

const WRITE: &str = "POST /repos/acme/shop/issues/12/comments";

fn comment() -> Effect {
    Effect::UpsertComment { item: 12, marker: "m".to_owned(), body: "b".to_owned(), sticky: false }
}

/// Returns the error of a write with this answer.
async fn written(answer: Answer) -> ForgeError {
    let world = world().await;
    world.server.on(WRITE, answer);
    let error = world.github.apply(&target(), &comment(), &ApplyContext::default()).await.unwrap_err();
    assert_eq!(world.server.lines().len(), 1, "sent once: {error}");
    error
}

#[tokio::test]
async fn a_renamed_repository_is_followed_with_method_and_body() {
    for status in [301, 302, 307, 308] {
        let world = world().await;
        world
            .server
            .on(WRITE, answer(status, Value::Null).with("location", "/repositories/7/issues/12/comments"))
            .on("POST /repositories/7/issues/12/comments", answer(201, json!({ "id": 9 })))
            .on("GET /repositories/7", answer(200, json!({ "id": 7, "full_name": "acme/store" })));
        let applied = world.github.apply(&target(), &comment(), &ApplyContext::default()).await.unwrap();
        assert_eq!(applied.renamed_to.as_deref(), Some("acme/store"));
        assert_eq!(applied.made.as_deref(), Some("9"));
        let asked = world.server.asked();
        assert_eq!(asked.len(), 3);
        assert_eq!(asked[0].body, asked[1].body);
        assert_eq!(asked[1].headers["authorization"], "Bearer ghs_verysecret1");
    }
}

#[tokio::test]
async fn a_redirect_that_tells_the_new_name_costs_no_question() {
    let world = world().await;
    let moved = "/repos/acme/store/issues/12";
    let to = format!("{}{moved}/labels/phase%2Fplan", world.server.url);
    world
        .server
        .on("DELETE /repos/acme/shop/issues/12/labels/phase%2Fplan", answer(301, Value::Null).with("location", to))
        .on(&format!("DELETE {moved}/labels/phase%2Fplan"), answer(200, json!([])))
        .on(&format!("POST {moved}/labels"), answer(200, json!([{ "name": "phase/code" }])));
    let look = |name: &str| LabelSpec { name: name.to_owned(), color: "ffffff".to_owned(), description: String::new() };
    let labels: BTreeSet<String> = ["phase/plan".to_owned(), "phase/code".to_owned()].into();
    let effect = Effect::SetPhase { item: 12, label: Some(look("phase/code")), phase_labels: labels.clone() };
    let context =
        ApplyContext { item_labels: Some(["phase/plan".to_owned()].into()), repo_labels: labels, ..Default::default() };
    let applied = world.github.apply(&target(), &effect, &context).await.unwrap();
    assert_eq!(applied.renamed_to.as_deref(), Some("acme/store"));
    assert_eq!(world.server.lines().len(), 3, "the second call goes to the new place at once");
}

#[tokio::test]
async fn credentials_never_go_to_another_host() {
    let elsewhere = Server::start().await;
    for location in [
        format!("{}/repos/acme/shop/issues/12/comments", elsewhere.url),
        elsewhere.url.replace("http://", "//"),
        "ftp://127.0.0.1/x".to_owned(),
        "not a place".to_owned(),
        String::new(),
    ] {
        let error = written(answer(307, Value::Null).with("location", location)).await;
        assert!(matches!(&error, ForgeError::Permanent(why) if why.contains("another host")), "{error}");
    }
    assert!(matches!(written(answer(307, Value::Null)).await, ForgeError::Permanent(_)));
    assert!(elsewhere.lines().is_empty());
}

#[tokio::test]
async fn a_name_that_now_leads_to_another_repository_is_not_followed() {
    let error = written(answer(307, Value::Null).with("location", "/repositories/8/issues/12/comments")).await;
    assert!(matches!(error, ForgeError::NotFound(_)), "{error}");
}

#[tokio::test]
async fn a_circle_of_redirects_has_an_end() {
    let world = world().await;
    world.server.on(WRITE, answer(307, Value::Null).with("location", "/repos/acme/shop/issues/12/comments"));
    let error = world.github.apply(&target(), &comment(), &ApplyContext::default()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Permanent(_)), "{error}");
    assert_eq!(world.server.lines().len(), 4);
}
