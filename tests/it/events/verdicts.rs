//! Verdict connections: from the verdict of another system, over HTTP, to a gate.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use phasebot::port::{
    clock::Clock as _,
    store::{DeliveryFilter, DeliveryRow, DeliveryState},
};
use phasebot_forge_sim::NewCommit;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::flow::{Setup, World};

const SETTINGS: &str = r#"
[verdicts.schema]
secrets = ["whsec_c2NoZW1hLXNlY3JldC1vZi10aGlydHktdHdvLWJ5dGVz", "bearer-token"]
repositories = ["acme/shop", "acme/till"]
"#;

const POLICY: &str = "
version: 1
mode: act
gates:
  release: { on: { tag: \"v*\" }, require: [external: { from: schema }] }
";

struct Stage {
    world: World,
    commit: String,
}

impl Stage {
    async fn new() -> Self {
        let world = World::with(Setup { alerts: SETTINGS, policy: POLICY, ..Setup::default() }).await;
        let commit = world.person("bob").push("main", &[NewCommit::from("Begin")]).unwrap().made.remove(0);
        world.person("bob").tag("v1.0.0", &commit).unwrap();
        world.minute().await;
        Self { world, commit }
    }

    fn verdict(&self, state: &str) -> Value {
        json!({
            "type": "verdict",
            "timestamp": self.world.clock.now().to_string(),
            "data": { "repository": "acme/shop", "commit": self.commit, "name": "migrations", "state": state,
                      "reason": "@everyone drops a column", "url": "https://schema.example.com/1" },
        })
    }

    async fn send(&self, headers: &[(&'static str, String)], body: impl Into<reqwest::Body>) -> (u16, Value) {
        let mut request = reqwest::Client::new().post(format!("http://{}/verdicts/schema", self.world.address));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let said = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null);
        self.world.minute().await;
        (status, said)
    }

    async fn inbox(&self) -> Vec<DeliveryRow> {
        let filter = DeliveryFilter { limit: 1000, ..DeliveryFilter::default() };
        let mut rows = self.world.store.deliveries(&filter).await.unwrap();
        rows.retain(|row| row.hook == "verdicts/schema");
        rows
    }

    /// Returns the conclusion and the title of the gate's check run.
    fn gate(&self) -> (String, String) {
        let runs = self.world.forge.check_runs("acme/shop", &self.commit);
        let ours = runs.iter().rev().find(|run| run["name"] == "phasebot/release");
        let text = |pointer: &str| ours.and_then(|run| run.pointer(pointer)?.as_str()).unwrap_or_default().to_owned();
        (text("/conclusion"), text("/output/title"))
    }
}

/// Returns the headers of a Standard Webhooks message.
fn signed(key: &[u8], at: Timestamp, body: &str) -> Vec<(&'static str, String)> {
    let (id, seconds) = ("msg_1", at.as_second().to_string());
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds),
        ("webhook-signature", format!("v1a,bm90LXRoaXM= v1,{signature}")),
    ]
}

const KEY: &[u8] = b"schema-secret-of-thirty-two-bytes";

fn bearer(token: &str) -> Vec<(&'static str, String)> {
    vec![("Authorization", format!("Bearer {token}"))]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_opens_the_gate_and_another_shuts_it() {
    let stage = Stage::new().await;
    assert_eq!(stage.gate().0, "", "nobody has judged the commit: {:?}", stage.gate());
    let body = stage.verdict("pass").to_string();
    let headers = signed(KEY, stage.world.clock.now(), &body);
    assert_eq!(stage.send(&headers, body.clone()).await.0, 202);
    assert_eq!(stage.gate().0, "success", "{:?}", stage.inbox().await);
    // The same again, as after a lost answer.
    assert_eq!(stage.send(&headers, body).await.0, 202);
    assert_eq!(stage.gate().0, "success");
    let body = stage.verdict("fail").to_string();
    assert_eq!(stage.send(&bearer("bearer-token"), body).await.0, 202);
    let (conclusion, title) = stage.gate();
    assert_eq!(conclusion, "failure", "{title}");
    assert!(!title.contains("@everyone"), "{title}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_proof_no_commit_is_judged() {
    let stage = Stage::new().await;
    let (now, body) = (stage.world.clock.now(), stage.verdict("pass").to_string());
    let old = now - SignedDuration::from_mins(6);
    let unsigned: Vec<_> = signed(KEY, now, &body).into_iter().take(2).collect();
    for (headers, code) in [
        (vec![], "missing_token"),
        (bearer("other"), "bad_token"),
        (unsigned, "missing_token"),
        (signed(b"other", now, &body), "bad_signature"),
        (signed(KEY, now, "another body"), "bad_signature"),
        (signed(KEY, old, &body), "stale_signature"),
        (signed(b"whsec_c2NoZW1hLXNlY3JldC1vZi10aGlydHktdHdvLWJ5dGVz", now, &body), "bad_signature"),
    ] {
        let (status, said) = stage.send(&headers, body.clone()).await;
        assert_eq!((status, said["error"]["code"].as_str().unwrap_or_default()), (401, code));
    }
    assert_eq!(stage.inbox().await, []);
    assert_eq!(stage.gate().0, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_that_says_too_little_is_kept_and_ignored() {
    let stage = Stage::new().await;
    let edited = |pointer: &str, value: Value| {
        let mut body = stage.verdict("pass");
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let mut without_repository = stage.verdict("pass");
    without_repository["data"]["repository"] = Value::Null;
    let mut without_end = stage.verdict("pass");
    without_end["data"]["valid_until"] = json!("some day");
    for (body, why) in [
        (edited("/type", json!("event")), "is not \"verdict\""),
        (edited("/data/commit", json!("v1.0.0")), "is not a full hash"),
        (edited("/data/commit", Value::Null), "names no commit"),
        (edited("/data/state", json!("maybe")), "none of pass, fail, pending"),
        (edited("/data/name", json!("x".repeat(101))), "longer than 100 characters"),
        (edited("/data/repository", json!("acme/other")), "may not report on \"acme/other\""),
        (without_end, "is not a time"),
        (without_repository, "names no repository, and the connection has several"),
        (edited("/timestamp", Value::Null), "is missing, or not a time"),
        (edited("/timestamp", json!("2099-01-01T00:00:00Z")), "is still to come"),
    ] {
        assert_eq!(stage.send(&bearer("bearer-token"), body.to_string()).await.0, 202);
        let row = stage.inbox().await.remove(0);
        assert_eq!(row.state, DeliveryState::Ignored, "{}", row.note);
        assert!(row.note.contains(why), "{}", row.note);
    }
    assert_eq!(stage.gate().0, "");
}
