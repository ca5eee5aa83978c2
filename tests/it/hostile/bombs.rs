//! Signed bodies with extreme numbers and nesting: whatever a forge or a monitoring system can be
//! made to send is stored, and does no harm.

use std::fs;

use phasebot_forge_sim::sign;
use serde_json::Value;

use crate::{
    alert::sent::{SETTINGS, proof, send},
    flow::{Setup, World},
    forge_understand::fixture,
};

/// Placeholder for a number until the body is serialized.
const HERE: &str = "@here@";

/// Returns valid JSON values with extreme sizes and depths.
fn bombs() -> Vec<String> {
    vec![
        "1e999999999".to_owned(),
        "-1E+999999999".to_owned(),
        "1e-999999999".to_owned(),
        "9".repeat(10_000),
        format!("-{}", "9".repeat(10_000)),
        format!("0.{}1", "0".repeat(10_000)),
        "9223372036854775808".to_owned(),
        "-0".to_owned(),
        format!("{}{}", "[".repeat(2_000), "]".repeat(2_000)),
        format!("{}1{}", "{\"a\":".repeat(2_000), "}".repeat(2_000)),
        format!("\"{}\"", "\\u0000".repeat(2_000)),
        r#""\ud83d""#.to_owned(),
    ]
}

/// Replaces every number in a payload, and every id that is a string, with the bomb.
fn charged(mut payload: Value, bomb: &str) -> String {
    fn place(value: &mut Value, key: &str) {
        match value {
            Value::Object(members) => members.iter_mut().for_each(|(key, value)| place(value, key)),
            Value::Array(elements) => elements.iter_mut().for_each(|value| place(value, key)),
            Value::Number(_) => *value = HERE.into(),
            Value::String(_) if matches!(key, "id" | "node_id" | "fingerprint" | "groupKey") => *value = HERE.into(),
            _ => {}
        }
    }
    place(&mut payload, "");
    // One more, in a field that is not read.
    payload["and_more"] = HERE.into();
    payload.to_string().replace(&format!("\"{HERE}\""), bomb)
}

#[tokio::test]
async fn no_number_and_no_depth_in_a_webhook_does_harm() {
    let world = World::new().await;
    let client = reqwest::Client::new();
    let (payloads, bombs) = (fixture::all(), bombs());
    for (n, bomb) in bombs.iter().enumerate() {
        for (m, (event, payload)) in payloads.iter().enumerate() {
            // Each event is combined with a third of the bombs, and each bomb with a third of the
            // events.
            if (n + m) % 3 != 0 {
                continue;
            }
            let body = charged(payload.clone(), bomb);
            let request = client
                .post(format!("http://{}/webhooks/github", world.address))
                .header("X-GitHub-Event", event)
                .header("X-GitHub-Delivery", format!("{n}-{m}"))
                .header("X-GitHub-Hook-ID", "1")
                .header("X-Hub-Signature-256", sign("a webhook secret", body.as_bytes()));
            let status = request.body(body).send().await.unwrap().status();
            assert_eq!(status, 202, "{event} with {bomb:.40}");
        }
    }
    unharmed(&world).await;
}

#[tokio::test]
async fn no_number_and_no_depth_in_an_alert_does_harm() {
    let world = World::with(Setup { alerts: SETTINGS, ..Setup::default() }).await;
    let payload = |name: &str| -> Value {
        let path = format!("{}/tests/fixtures/alerts/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    for bomb in bombs() {
        for (connection, name, header) in [
            ("prod", "alertmanager", None),
            ("graf", "grafana", Some("X-Grafana-Alerting-Signature")),
            ("db", "planetscale.branch", Some("X-PlanetScale-Signature")),
            ("db", "planetscale.keyspace", Some("X-PlanetScale-Signature")),
            ("queue", "generic", None),
            ("signed", "generic", Some("X-Queue-Signature")),
            ("voices", "generic", None),
            ("pager", "pagerduty", Some("X-PagerDuty-Signature")),
            ("errors", "sentry.issue", Some("Sentry-Hook-Signature")),
            ("errors", "sentry.metric", Some("Sentry-Hook-Signature")),
            ("dog", "datadog", None),
            ("relic", "newrelic", None),
            ("badger", "honeybadger.fault", Some("Honeybadger-Token")),
        ] {
            let body = charged(payload(name), &bomb);
            let proof = proof(header, body.as_bytes());
            let (status, answer) = send(world.address, connection, &proof, body).await;
            assert_eq!(status, 202, "{connection} with {bomb:.40}: {answer}");
        }
    }
    unharmed(&world).await;
}

/// Checks that everything was processed, nothing failed, and a normal event still works.
async fn unharmed(world: &World) {
    world.minute().await;
    let stats = world.store.stats().await.unwrap();
    assert_eq!((stats.pending, stats.dead_deliveries, stats.dead_effects), (0, 0, 0));
    let issue = world.person("bob").open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    world.in_phase(issue, "plan");
}
