//! Writing the phase label.

use std::collections::BTreeSet;

use phasebot::{
    domain::effect::{Effect, LabelSpec},
    port::forge::{Applied, ApplyContext, Cost, Forge, ForgeError},
};
use serde_json::{Value, json};

use super::server::{answer, target, world};

const ON: &str = "/repos/acme/shop/issues/12/labels";

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(ToOwned::to_owned).collect()
}

fn look(name: &str) -> LabelSpec {
    LabelSpec { name: name.to_owned(), color: "0072B2".to_owned(), description: "Being tested".to_owned() }
}

fn to(label: Option<&str>) -> Effect {
    Effect::SetPhase {
        item: 12,
        label: label.map(look),
        phase_labels: set(["phase/plan", "phase/code", "phase/build", "phase/test"]),
    }
}

fn known(labels: BTreeSet<String>) -> ApplyContext {
    ApplyContext {
        item_labels: Some(labels),
        repo_labels: set(["phase/plan", "phase/code", "phase/build", "phase/test"]),
        ..ApplyContext::default()
    }
}

fn labels(names: &[&str]) -> Value {
    names.iter().map(|name| json!({ "id": 1, "name": name, "color": "ededed" })).collect()
}

#[tokio::test]
async fn a_phase_change_costs_two_calls_and_leaves_other_labels_alone() {
    let world = world().await;
    world
        .server
        .on(&format!("DELETE {ON}/phase%2Fcode"), answer(200, labels(&["bug"])))
        .on(&format!("POST {ON}"), answer(200, labels(&["bug", "phase/build"])));
    let context = known(set(["bug", "phase/code"]));
    let effect = to(Some("phase/build"));
    let applied = world.github.apply(&target(), &effect, &context).await.unwrap();
    assert_eq!(world.server.lines(), [format!("DELETE {ON}/phase%2Fcode"), format!("POST {ON}")]);
    assert_eq!(world.server.asked()[1].body, Some(json!({ "labels": ["phase/build"] })));
    assert_eq!(
        applied,
        Applied { labels: Some((12, set(["bug", "phase/build"]))), ..Applied::default() },
        "what GitHub answered is handed back"
    );
    assert_eq!(world.github.cost(&effect, &context), Cost { writes: 2, creates: 0 });
}

#[tokio::test]
async fn what_is_so_already_costs_nothing() {
    let world = world().await;
    for (on, wanted) in [
        (set(["bug", "phase/code"]), Some("phase/code")),
        (set(["Phase/CODE"]), Some("phase/code")),
        (set(["bug"]), None),
    ] {
        let context = known(on);
        let applied = world.github.apply(&target(), &to(wanted), &context).await.unwrap();
        assert_eq!(applied, Applied::default());
        assert_eq!(world.github.cost(&to(wanted), &context), Cost::default());
    }
    assert_eq!(world.server.lines(), [""; 0]);
    assert!(world.server.mints().is_empty(), "not even a token");
}

#[tokio::test]
async fn all_other_phase_labels_come_off_first() {
    let world = world().await;
    world
        .server
        .on(&format!("DELETE {ON}/PHASE%2Fplan"), answer(200, labels(&["phase/code"])))
        .on(&format!("DELETE {ON}/phase%2Fcode"), answer(200, labels(&[])))
        .on(&format!("POST {ON}"), answer(200, labels(&["phase/test"])));
    let context = known(set(["PHASE/plan", "phase/code"]));
    world.github.apply(&target(), &to(Some("phase/test")), &context).await.unwrap();
    let lines = world.server.lines();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2], format!("POST {ON}"), "never two phase labels at a time");
    assert_eq!(world.github.cost(&to(Some("phase/test")), &context).writes, 3);

    let applied = world.github.apply(&target(), &to(None), &known(set(["phase/code"]))).await.unwrap();
    assert_eq!(applied.labels, Some((12, set([]))));
    assert_eq!(world.server.lines().len(), 4, "taking off needs no adding");
}

#[tokio::test]
async fn labels_never_seen_or_in_doubt_are_read_first() {
    let page = format!("GET {ON}?per_page=100&page=1");
    let unseen = ApplyContext { item_labels: None, ..known(set([])) };
    let doubtful = ApplyContext { labels_in_doubt: true, ..known(set(["phase/plan"])) };
    for context in [unseen, doubtful] {
        let world = world().await;
        world
            .server
            .on(&page, answer(200, labels(&["phase/code", "bug"])))
            .on(&format!("DELETE {ON}/phase%2Fcode"), answer(200, labels(&["bug"])))
            .on(&format!("POST {ON}"), answer(200, labels(&["bug", "phase/plan"])));
        let applied = world.github.apply(&target(), &to(Some("phase/plan")), &context).await.unwrap();
        assert_eq!(world.server.lines(), [page.clone(), format!("DELETE {ON}/phase%2Fcode"), format!("POST {ON}")]);
        assert_eq!(applied.labels, Some((12, set(["bug", "phase/plan"]))));
    }
}

#[tokio::test]
async fn a_label_is_made_with_its_look_before_its_first_use() {
    let make = "POST /repos/acme/shop/labels";
    for (made, exists) in [
        (answer(201, json!({ "name": "phase/code" })), true),
        (
            answer(
                422,
                json!({ "message": "Validation Failed",
                "errors": [{ "resource": "Label", "code": "already_exists", "field": "name" }] }),
            ),
            true,
        ),
        (answer(403, json!({ "message": "Resource not accessible by integration" })), false),
        (answer(404, json!({ "message": "Not Found" })), false),
    ] {
        let world = world().await;
        world.server.on(make, made).on(&format!("POST {ON}"), answer(200, labels(&["phase/code"])));
        let context = ApplyContext { repo_labels: set([]), ..known(set([])) };
        let effect = to(Some("phase/code"));
        let applied = world.github.apply(&target(), &effect, &context).await.unwrap();
        assert_eq!(world.server.lines(), [make.to_owned(), format!("POST {ON}")]);
        assert_eq!(
            world.server.asked()[0].body,
            Some(json!({ "name": "phase/code", "color": "0072B2", "description": "Being tested" }))
        );
        assert_eq!(applied.made_labels, if exists { set(["phase/code"]) } else { set([]) });
        assert_eq!(world.github.cost(&effect, &context).writes, 2);
    }
}

#[tokio::test]
async fn a_failure_to_make_a_label_leaves_no_doubt() {
    let world = world().await;
    world.server.on("POST /repos/acme/shop/labels", answer(502, Value::Null));
    let context = ApplyContext { repo_labels: set([]), ..known(set(["phase/plan"])) };
    let error = world.github.apply(&target(), &to(Some("phase/code")), &context).await.unwrap_err();
    assert!(matches!(error, ForgeError::Transient(_)), "{error}");
    assert_eq!(world.server.lines().len(), 1, "and nothing came off before");
}

#[tokio::test]
async fn a_label_that_is_gone_is_taken_off_and_an_item_that_is_gone_is_not_there() {
    let take_off = format!("DELETE {ON}/phase%2Fcode");
    let world1 = world().await;
    world1
        .server
        .on(&take_off, answer(404, json!({ "message": "Label does not exist" })))
        .on(&format!("POST {ON}"), answer(200, labels(&["phase/plan"])));
    let context = known(set(["phase/code", "bug"]));
    world1.github.apply(&target(), &to(Some("phase/plan")), &context).await.unwrap();
    assert_eq!(world1.server.lines().len(), 2);
    let applied = world1.github.apply(&target(), &to(None), &context).await.unwrap();
    assert_eq!(applied.labels, Some((12, set(["bug"]))), "it is surely off");

    for (status, message) in [(404, "Not Found"), (410, "This issue was deleted")] {
        let world = world().await;
        world.server.on(&take_off, answer(status, json!({ "message": message })));
        let error = world.github.apply(&target(), &to(Some("phase/plan")), &context).await.unwrap_err();
        assert_eq!(matches!(error, ForgeError::Deleted(_)), status == 410, "{error}");
        assert!(matches!(error, ForgeError::NotFound(_) | ForgeError::Deleted(_)), "{error}");
        assert_eq!(world.server.lines().len(), 1);
    }
}

#[tokio::test]
async fn a_label_that_was_thought_to_be_on_is_put_on_once_the_answer_shows_that_it_is_not() {
    // Two reads within one second are stored as one: one of these labels may be gone.
    let context = known(set(["phase/plan", "phase/code"]));
    let gone = json!({ "message": "Label does not exist" });
    for (taken_off, calls) in
        [(answer(200, labels(&[])), 2), (answer(404, gone), 2), (answer(200, labels(&["phase/plan"])), 1)]
    {
        let world = world().await;
        world
            .server
            .on(&format!("DELETE {ON}/phase%2Fcode"), taken_off)
            .on(&format!("POST {ON}"), answer(200, labels(&["phase/plan"])));
        let applied = world.github.apply(&target(), &to(Some("phase/plan")), &context).await.unwrap();
        assert_eq!(world.server.lines().len(), calls);
        assert_eq!(applied.labels, Some((12, set(["phase/plan"]))));
    }
}

#[tokio::test]
async fn a_label_name_cannot_change_what_is_deleted() {
    let world = world().await;
    for name in [".", "..", ""] {
        let effect = Effect::SetPhase { item: 12, label: None, phase_labels: set([name]) };
        let error = world.github.apply(&target(), &effect, &known(set([name]))).await.unwrap_err();
        assert!(matches!(error, ForgeError::Permanent(_)), "{error}");
    }
    assert_eq!(world.server.lines(), [""; 0], "DELETE …/labels/ would take all labels off");

    let hostile = "../../labels?x=%2e#\n🏷 a";
    let line = format!("DELETE {ON}/..%2F..%2Flabels%3Fx%3D%252e%23%0A%F0%9F%8F%B7%20a");
    world.server.on(&line, answer(200, json!([])));
    let effect = Effect::SetPhase { item: 12, label: None, phase_labels: set([hostile]) };
    world.github.apply(&target(), &effect, &known(set([hostile]))).await.unwrap();
    assert_eq!(world.server.lines(), [line]);
}
