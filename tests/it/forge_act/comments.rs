//! Comments, reactions, issues, dispatches.

use phasebot::{
    domain::{
        effect::{Effect, LabelSpec, Reaction},
        fact::command::Source,
    },
    port::forge::{ApplyContext, Cost, Forge, ForgeError},
};
use serde_json::{Value, json};

use super::server::{APP, World, answer, target, world};

const COMMENTS: &str = "/repos/acme/shop/issues/12/comments";
const MARKED: &str = "<!-- phasebot:status -->\nAll well";

fn comment(sticky: bool) -> Effect {
    Effect::UpsertComment { item: 12, marker: "status".to_owned(), body: "All well".to_owned(), sticky }
}

fn in_doubt() -> ApplyContext {
    ApplyContext { in_doubt: true, ..ApplyContext::default() }
}

/// Builds a comment as GitHub shows one by an App.
fn by_app(id: u64, app: u64, body: &str) -> Value {
    json!({ "id": id, "body": body, "user": { "login": "phasebot[bot]", "type": "Bot" },
        "performed_via_github_app": { "id": app, "slug": "phasebot" } })
}

fn by(id: u64, login: &str, kind: &str, body: &str) -> Value {
    json!({ "id": id, "body": body, "user": { "login": login, "type": kind }, "performed_via_github_app": null })
}

fn listing(world: &World, page: u32, comments: Value, link: bool) {
    let answer = answer(200, comments);
    let answer =
        if link { answer.with("link", format!("<{COMMENTS}?page={}>; rel=\"next\"", page + 1)) } else { answer };
    world.server.on(&format!("GET {COMMENTS}?per_page=100&page={page}"), answer);
}

#[tokio::test]
async fn a_new_comment_is_one_call() {
    let world = world().await;
    world.server.on(&format!("POST {COMMENTS}"), answer(201, by_app(99, APP, MARKED)));
    let applied = world.github.apply(&target(), &comment(false), &ApplyContext::default()).await.unwrap();
    assert_eq!(applied.made.as_deref(), Some("99"));
    assert_eq!(world.server.lines(), [format!("POST {COMMENTS}")]);
    assert_eq!(world.server.asked()[0].body, Some(json!({ "body": MARKED })));
    assert_eq!(world.github.cost(&comment(false), &ApplyContext::default()), Cost { writes: 1, creates: 1 });
}

#[tokio::test]
async fn a_standing_comment_is_edited_in_place_and_only_if_it_changed() {
    for (shown, edits) in [("<!-- phasebot:status -->\r\nAll well\r\n", 0), ("<!-- phasebot:status -->\nOld", 1)] {
        let world = world().await;
        // Without `Link`, a full page means that another page may follow.
        let strangers: Vec<Value> = (0..100).map(|id| by(id, "alice", "User", "hello")).collect();
        listing(&world, 1, strangers.into(), false);
        listing(&world, 2, json!([by_app(98, APP, shown)]), false);
        world.server.on("PATCH /repos/acme/shop/issues/comments/98", answer(200, by_app(98, APP, MARKED)));
        let applied = world.github.apply(&target(), &comment(true), &ApplyContext::default()).await.unwrap();
        assert_eq!(applied.made.as_deref(), Some("98"));
        let lines = world.server.lines();
        assert_eq!(lines.len(), 2 + edits, "{lines:?}");
        assert!(lines.iter().all(|line| !line.starts_with("POST")));
        if edits == 1 {
            assert_eq!(world.server.asked()[2].body, Some(json!({ "body": MARKED })));
        }
    }
}

#[tokio::test]
async fn a_forged_marker_is_never_edited() {
    let world = world().await;
    let forged = json!([
        by(1, "mallory", "User", MARKED),
        by(2, "evil[bot]", "Bot", MARKED),
        by_app(3, APP + 1, MARKED),
        // Written through our App, but on behalf of a person.
        { "id": 4, "body": MARKED, "user": { "login": "mallory", "type": "User" },
          "performed_via_github_app": { "id": APP } },
        by_app(5, APP, &format!("> quoted\n{MARKED}")),
        { "id": 6, "body": MARKED, "user": null },
        { "id": 7, "body": null, "user": null },
    ]);
    listing(&world, 1, forged, false);
    world
        .server
        .on("GET /app", answer(200, json!({ "id": APP, "slug": "phasebot" })))
        .on(&format!("POST {COMMENTS}"), answer(201, by_app(99, APP, MARKED)));
    let applied = world.github.apply(&target(), &comment(true), &ApplyContext::default()).await.unwrap();
    assert_eq!(applied.made.as_deref(), Some("99"));
    assert!(world.server.lines().iter().all(|line| !line.starts_with("PATCH")));
}

#[tokio::test]
async fn where_no_app_is_named_our_bot_account_counts() {
    let world = world().await;
    listing(&world, 1, json!([by(8, "phasebot[bot]", "Bot", MARKED)]), false);
    world.server.on("GET /app", answer(200, json!({ "id": APP, "slug": "phasebot" })));
    for _ in 0..2 {
        let applied = world.github.apply(&target(), &comment(true), &ApplyContext::default()).await.unwrap();
        assert_eq!(applied.made.as_deref(), Some("8"));
    }
    let asked = world.server.lines().iter().filter(|line| *line == "GET /app").count();
    assert_eq!(asked, 1, "who we are is asked once");
}

#[tokio::test]
async fn after_a_doubt_a_comment_is_looked_for_first() {
    let world1 = world().await;
    listing(&world1, 1, json!([by(1, "alice", "User", "hello")]), true);
    listing(&world1, 2, json!([by_app(98, APP, MARKED)]), false);
    let applied = world1.github.apply(&target(), &comment(false), &in_doubt()).await.unwrap();
    assert_eq!(applied.made.as_deref(), Some("98"));
    assert_eq!(world1.server.lines().len(), 2, "two pages read, nothing written");

    let world2 = world().await;
    listing(&world2, 1, json!([]), false);
    world2.server.on(&format!("POST {COMMENTS}"), answer(201, by_app(99, APP, MARKED)));
    let applied = world2.github.apply(&target(), &comment(false), &in_doubt()).await.unwrap();
    assert_eq!(applied.made.as_deref(), Some("99"));
}

#[tokio::test]
async fn a_comment_deleted_while_we_edit_is_tried_again_later() {
    let world = world().await;
    listing(&world, 1, json!([by_app(98, APP, "<!-- phasebot:status -->\nOld")]), false);
    world.server.on("PATCH /repos/acme/shop/issues/comments/98", answer(404, json!({ "message": "Not Found" })));
    let error = world.github.apply(&target(), &comment(true), &ApplyContext::default()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Transient(_)), "{error}");
}

#[tokio::test]
async fn a_reaction_is_one_call() {
    let world = world().await;
    let line = "POST /repos/acme/shop/issues/comments/77/reactions";
    world.server.on(line, answer(201, json!({ "id": 1 })));
    let effect = Effect::React { item: 12, source: Source::Comment(77), node: None, reaction: Reaction::Taken };
    world.github.apply(&target(), &effect, &in_doubt()).await.unwrap();
    assert_eq!(world.server.lines(), [line]);
    assert_eq!(world.server.asked()[0].body, Some(json!({ "content": "eyes" })));
    assert_eq!(world.github.cost(&effect, &ApplyContext::default()), Cost { writes: 1, creates: 0 });
}

fn issue() -> Effect {
    let look =
        |name: &str| LabelSpec { name: name.to_owned(), color: "#D55E00".to_owned(), description: "x".repeat(200) };
    Effect::OpenIssue {
        marker: "incident:abc".to_owned(),
        title: "Checkout is slow".to_owned(),
        body: "p99 is 4 s".to_owned(),
        labels: vec![look("feedback"), look("phase/plan")],
        gate: None,
    }
}

#[tokio::test]
async fn an_issue_is_opened_with_its_labels() {
    let world = world().await;
    let opened = json!({ "id": 1000, "number": 13, "labels": [{ "name": "feedback" }, { "name": "phase/plan" }] });
    world
        .server
        .on("POST /repos/acme/shop/labels", answer(201, json!({ "name": "feedback" })))
        .on("POST /repos/acme/shop/issues", answer(201, opened));
    let context = ApplyContext { repo_labels: ["Phase/Plan".to_owned()].into(), ..ApplyContext::default() };
    let applied = world.github.apply(&target(), &issue(), &context).await.unwrap();
    assert_eq!(world.server.lines(), ["POST /repos/acme/shop/labels", "POST /repos/acme/shop/issues"]);
    let made = world.server.asked()[0].body.clone().unwrap();
    assert_eq!(made["color"], "D55E00");
    assert_eq!(made["description"].as_str().map(str::len), Some(100), "GitHub's limit");
    assert_eq!(
        world.server.asked()[1].body,
        Some(json!({ "title": "Checkout is slow", "body": "<!-- phasebot:incident:abc -->\np99 is 4 s",
            "labels": ["feedback", "phase/plan"] }))
    );
    assert_eq!(applied.made.as_deref(), Some("13"));
    assert_eq!(applied.labels, Some((13, ["feedback".to_owned(), "phase/plan".to_owned()].into())));
    assert_eq!(applied.made_labels, ["feedback".to_owned()].into());
    assert_eq!(world.github.cost(&issue(), &context), Cost { writes: 2, creates: 1 });
}

#[tokio::test]
async fn after_a_doubt_our_own_issues_are_listed_not_searched() {
    let list = "GET /repos/acme/shop/issues?creator=phasebot%5Bbot%5D&state=all&sort=created&direction=desc\
        &per_page=100&page=1";
    let mut found = by_app(1000, APP, "<!-- phasebot:incident:abc -->\np99 is 4 s");
    found["number"] = json!(13);
    let world1 = world().await;
    world1
        .server
        .on("GET /app", answer(200, json!({ "slug": "phasebot" })))
        .on(list, answer(200, json!([by(1, "mallory", "User", "<!-- phasebot:incident:abc -->"), found])));
    let applied = world1.github.apply(&target(), &issue(), &in_doubt()).await.unwrap();
    assert_eq!(applied.made.as_deref(), Some("13"));
    assert_eq!(world1.server.lines(), ["GET /app", list]);

    let world2 = world().await;
    world2
        .server
        .on("GET /app", answer(200, json!({ "slug": "phasebot" })))
        .on(list, answer(200, json!([])))
        .on("POST /repos/acme/shop/labels", answer(201, json!({})))
        .on("POST /repos/acme/shop/issues", answer(201, json!({ "number": 14 })));
    let applied = world2.github.apply(&target(), &issue(), &in_doubt()).await.unwrap();
    assert_eq!(applied.made.as_deref(), Some("14"));
}
