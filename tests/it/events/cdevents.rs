//! CDEvents of Jenkins (binary mode) and Tekton (structured mode).

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::sent::Stage;
use crate::alert::sent::hmac;

/// Checks a message against the schema of its type.
fn check(event: &Value) {
    let name = event["context"]["type"].as_str().unwrap().split('.').nth(3).unwrap();
    let schema = match name {
        "deployed" => include_str!("../../fixtures/cdevents/servicedeployed.json"),
        "upgraded" => include_str!("../../fixtures/cdevents/serviceupgraded.json"),
        "rolledback" => include_str!("../../fixtures/cdevents/servicerolledback.json"),
        other => panic!("no schema for {other}"),
    };
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    // The messages have no links, whose schemas are files of their own.
    schema["properties"]["context"]["properties"]["links"] = json!(false);
    jsonschema::draft202012::new(&schema).unwrap().validate(event).unwrap_or_else(|error| panic!("{error}: {event}"));
}

impl Stage {
    fn event(&self, what: &str, id: &str, environment: &str, artifact: &str) -> Value {
        json!({
            "context": {
                "specversion": "0.5.1",
                "id": id,
                "source": "https://jenkins.acme.test/job/deploy-shop",
                "type": format!("dev.cdevents.service.{what}.0.3.0"),
                "timestamp": self.now().to_string(),
            },
            "subject": {
                "id": "shop",
                "content": { "environment": { "id": environment }, "artifactId": artifact },
            },
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jenkins_event_in_binary_mode_brings_a_change_to_operate() {
    let stage = Stage::new().await;
    let artifact = format!(
        "pkg:oci/shop@sha256%3A0b31?repository_url=registry.acme.test&vcs_url=git%2Bhttps%3A%2F%2Fgithub.com%2Facme%2Fshop.git%40{}",
        stage.merged
    );
    let event = stage.event("deployed", "build-7", "production", &artifact);
    check(&event);
    let headers = [
        ("Authorization", "Bearer s3cret".to_owned()),
        ("Content-Type", "application/json".to_owned()),
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", "build-7".to_owned()),
        ("ce-source", "https://jenkins.acme.test/job/deploy-shop".to_owned()),
        ("ce-type", "dev.cdevents.service.deployed.0.3.0".to_owned()),
    ];
    for _ in 0..2 {
        let (status, answer) = stage.send_with("jenkins", &headers, event.to_string()).await;
        assert_eq!(status, 202, "{answer}");
        stage.world.in_phase(stage.pull, "operate");
    }
    assert_eq!(stage.note().await, "kept; nothing moved");
    // Taken down, as no schema here describes: the event has no artifact.
    let mut removed = stage.event("removed", "build-8", "production", "");
    removed["subject"]["content"].as_object_mut().unwrap().remove("artifactId");
    stage.send_with("jenkins", &headers, removed.to_string()).await;
    stage.world.run(SignedDuration::from_mins(2)).await;
    stage.world.in_phase(stage.pull, "build");
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tekton_event_in_structured_mode_brings_a_change_to_operate_and_back() {
    let stage = Stage::new().await;
    let before = format!("pkg:github/acme/shop@{}", stage.before);
    let after = format!("pkg:github/acme/shop@{}", stage.merged);
    let send = async |what: &str, id: &str, environment: &str, artifact: &str| {
        let event = stage.event(what, id, environment, artifact);
        check(&event);
        let cloud_event = json!({
            "specversion": "1.0",
            "id": id,
            "source": "/apis/tekton.dev/v1/namespaces/ci/pipelineruns/deploy-shop",
            "type": event["context"]["type"],
            "datacontenttype": "application/json",
            "data": event,
        });
        let body = cloud_event.to_string();
        let signature = hmac("s3cret", &[body.as_bytes()]);
        let headers = [
            ("X-Signature", format!("sha256={signature}")),
            ("Content-Type", "application/cloudevents+json".to_owned()),
        ];
        assert_eq!(stage.send_with("tekton", &headers, body).await.0, 202);
    };
    send("deployed", "run-1", "production", &before).await;
    stage.world.in_phase(stage.pull, "build");
    send("upgraded", "run-2", "production", &after).await;
    stage.world.in_phase(stage.pull, "operate");
    send("rolledback", "run-3", "production", &before).await;
    stage.world.in_phase(stage.pull, "build");
    send("upgraded", "run-4", "staging", &after).await;
    assert!(stage.note().await.contains("may not report the environment \"staging\""), "{}", stage.note().await);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_name_no_commit_or_are_about_something_else_move_nothing() {
    let stage = Stage::new().await;
    let image = "pkg:oci/shop@sha256%3A0b31";
    let mut custom = stage.event("deployed", "c", "production", image);
    let with = |pointer: &str, value: Value| {
        let mut event = stage.event("deployed", "x", "production", image);
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    for (event, note) in [
        (stage.event("deployed", "a", "production", image), "names a commit"),
        (stage.event("published", "a", "production", image), "no event about a deployed service"),
        (with("/context/type", json!("dev.cdevents.change.merged.0.3.0")), "no event about a deployed service"),
        (with("/context/timestamp", json!("yesterday")), "is no time"),
        (with("/context/id", json!({ "a": 1 })), "context.id is missing"),
        (with("/subject/content", json!([])), "names no environment"),
        (json!({ "specversion": "1.0", "data": "text" }), "it is no CDEvent"),
        (json!({ "specversion": "1.0", "data_base64": "!" }), "is not JSON"),
    ] {
        assert_eq!(stage.send("jenkins", &event).await.0, 202);
        let said = stage.note().await;
        assert!(said.contains(note), "{event}: {said}");
    }
    stage.world.in_phase(stage.pull, "build");
    custom["customData"] = json!({ "commit": stage.merged });
    check(&custom);
    stage.send("jenkins", &custom).await;
    stage.world.in_phase(stage.pull, "operate");
    stage.world.check().await;
}
