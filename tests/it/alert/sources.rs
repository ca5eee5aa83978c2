//! Authentication and payloads of each alert source.

use std::sync::Arc;

use phasebot::{
    alert::{Alertmanager, Grafana, Headers},
    app::clock::SimClock,
    database::planetscale::PlanetScaleWebhook,
    domain::alert::{Group, Says},
    port::{alert::AlertSource, clock::Clock, store::DeliveryState},
};

use super::sent::{SETTINGS, bearer, hmac, inbox, send};
use crate::flow::{Setup, World};

const ALERTMANAGER: &str = include_str!("../../fixtures/alerts/alertmanager.json");
const GRAFANA: &str = include_str!("../../fixtures/alerts/grafana.json");
const KEYSPACE: &str = include_str!("../../fixtures/alerts/planetscale.keyspace.json");
const BRANCH: &str = include_str!("../../fixtures/alerts/planetscale.branch.json");
const GENERIC: &str = include_str!("../../fixtures/alerts/generic.json");

async fn world() -> World {
    World::with(Setup { alerts: SETTINGS, ..Setup::default() }).await
}

fn at() -> jiff::Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

fn group(source: &dyn AlertSource, body: &str) -> Group {
    match source.decode(body.as_bytes(), at()).unwrap().says {
        Says::Group(group) => group,
        other => panic!("{other:?}"),
    }
}

fn alertmanager() -> Alertmanager {
    Alertmanager::new("prod", &["s3cret".into()])
}

#[tokio::test]
async fn each_source_gets_in_with_its_own_proof() {
    let world = world().await;
    let seconds = world.clock.now().as_second().to_string();
    let timed = [
        ("X-Grafana-Alerting-Signature", hmac("s3cret", &[seconds.as_bytes(), b":", GRAFANA.as_bytes()])),
        ("X-Grafana-Alerting-Timestamp", seconds.clone()),
    ];
    let plain = |header: &'static str, body: &str| vec![(header, hmac("s3cret", &[body.as_bytes()]))];
    let mut expected = Vec::new();
    for (name, headers, body, event, action) in [
        ("prod", bearer("s3cret"), ALERTMANAGER, "alertmanager", Some("firing")),
        ("prod", bearer("next"), ALERTMANAGER, "alertmanager", Some("firing")),
        ("graf", plain("X-Grafana-Alerting-Signature", GRAFANA), GRAFANA, "grafana", Some("firing")),
        ("timed", timed.to_vec(), GRAFANA, "grafana", Some("firing")),
        ("db", plain("X-PlanetScale-Signature", KEYSPACE), KEYSPACE, "planetscale", Some("firing")),
        ("db", plain("X-PlanetScale-Signature", BRANCH), BRANCH, "planetscale", Some("firing")),
        ("queue", bearer("s3cret"), GENERIC, "generic", Some("firing")),
        ("signed", plain("X-Queue-Signature", GENERIC), GENERIC, "generic", Some("firing")),
        ("voices", bearer("s3cret"), GENERIC, "generic", Some("feedback")),
    ] {
        let (status, answer) = send(world.address, name, &headers, body).await;
        assert_eq!((status, &answer["status"]), (202, &"accepted".into()), "{name}: {answer}");
        let id = answer["delivery"].as_str().unwrap().to_owned();
        expected.push((id, format!("alerts/{name}"), event.to_owned(), action.map(str::to_owned)));
    }
    world.settle().await;
    let rows = inbox(world.store.as_ref()).await;
    let kept: Vec<_> = rows
        .iter()
        .rev()
        .map(|row| (row.delivery.clone(), row.hook.clone(), row.event.clone(), row.action.clone()))
        .collect();
    assert_eq!(kept, expected);
    assert!(rows.iter().all(|row| row.state == DeliveryState::Done && row.repo.is_some()), "{rows:?}");
}

#[test]
fn alertmanager_says_how_each_alert_stands() {
    let group = group(&alertmanager(), ALERTMANAGER);
    // Not the groupKey, which also contains the route, and not in the order of the payload.
    assert_eq!(group.key, r#"alertname="HighErrorRate",job="api""#);
    assert_eq!(group.title.as_deref(), Some("HighErrorRate"));
    assert_eq!(group.url.as_deref(), Some("http://alertmanager.example.com:9093"));
    assert_eq!(group.labels["severity"], "critical");
    assert_eq!((group.left_out, group.tells_end), (0, true));
    let [first, second] = group.alerts.as_slice() else { panic!("{group:?}") };
    assert_eq!((first.fingerprint.as_str(), first.firing, first.ended_at), ("c6eadffa33fcdf37", true, None));
    assert_eq!(first.started_at.to_string(), "2026-03-02T08:57:13.123Z");
    assert!(!second.firing);
    assert_eq!(second.ended_at.unwrap().to_string(), "2026-03-02T08:58:00Z");
}

#[test]
fn alertmanager_may_leave_much_out_and_say_much_more() {
    for (body, key, left_out) in [
        (r#"{"alerts":[]}"#, "", 0),
        (r#"{"alerts":[],"truncatedAlerts":7,"version":"9","new":{"x":[1]}}"#, "", 7),
        (r#"{"alerts":[5,{}],"truncatedAlerts":"7","groupLabels":{}}"#, "", 1),
        (r#"{"alerts":[{"labels":{"alertname":"A","n":1}}],"groupLabels":{}}"#, r#"alertname="A""#, 0),
        (
            r#"{"alerts":[{"status":"new word","startsAt":"soon"}],"groupLabels":{"b":"1","a":"\"x"}}"#,
            r#"a="\"x",b="1""#,
            0,
        ),
    ] {
        let group = group(&alertmanager(), body);
        assert_eq!((group.key.as_str(), group.left_out), (key, left_out), "{body}");
        assert!(group.alerts.iter().all(|alert| alert.firing && alert.started_at == at()));
    }
    let many = format!(r#"{{"alerts":[{}]}}"#, vec!["{}"; 2_100].join(","));
    let group = group(&alertmanager(), &many);
    assert_eq!((group.alerts.len(), group.left_out), (2_000, 100));
}

#[test]
fn what_is_no_message_says_where() {
    for (body, path) in [("", "body"), ("[]", "body"), ("{\"alerts\":5}", "alerts"), ("{}", "alerts"), ("nul", "body")]
    {
        assert_eq!(alertmanager().decode(body.as_bytes(), at()).unwrap_err().path, path, "{body}");
    }
}

#[test]
fn grafana_is_read_without_the_count_in_its_title() {
    let clock: Arc<dyn Clock> = Arc::new(SimClock::new(at()));
    let source = Grafana::new("graf", &["s3cret".into()], Headers::default(), clock);
    let group = group(&source, GRAFANA);
    assert_eq!(group.title.as_deref(), Some("Checkout latency Shop (pay)"));
    assert_eq!(group.text, None);
    let alert = &group.alerts[0];
    assert_eq!(alert.started_at.to_string(), "2026-03-02T08:55:00Z");
    assert_eq!(alert.url.as_deref(), Some("https://grafana.example.com/d/dash?orgId=1"));
    assert!(alert.silence_url.as_ref().unwrap().contains("/alerting/silence/new"));
}

#[test]
fn planetscale_fires_and_never_ends() {
    let source = PlanetScaleWebhook::new("db", &["s3cret".into()], None);
    let storage = group(&source, KEYSPACE);
    assert_eq!(storage.key, "keyspace.storage shop shop/main/orders");
    assert_eq!(storage.title.as_deref(), Some("A keyspace's storage fills up: shop/main/orders"));
    assert_eq!(storage.alerts[0].annotations["storage_percentage"], "85");
    assert_eq!(storage.alerts[0].started_at.as_second(), 1_772_441_825);
    assert!(!storage.tells_end);
    let memory = group(&source, BRANCH);
    assert_eq!(memory.key, "branch.out_of_memory shop br7k2m");
    assert_eq!(memory.url.as_deref(), Some("https://app.planetscale.com/acme/shop/main"));
    // The other events about a branch or cluster have the same form.
    for (event, title) in [
        ("branch.anomaly", "Anomaly in the queries of a branch: shop/main"),
        ("cluster.storage", "A cluster's storage fills up: shop/main"),
    ] {
        let other = group(&source, &BRANCH.replace("branch.out_of_memory", event));
        assert_eq!((other.key, other.title.as_deref()), (format!("{event} shop br7k2m"), Some(title)));
    }
    for (event, why) in [
        ("webhook.test", "PlanetScale tested the webhook"),
        ("deploy_request.errored", "deploy_request.errored: kept for the record; a deploy request is no alert"),
        ("branch.ready", "branch.ready: no alert that this version knows"),
    ] {
        let body = format!(r#"{{"event":"{event}","resource":{{}}}}"#);
        let says = source.decode(body.as_bytes(), at()).unwrap().says;
        assert_eq!(says, Says::Nothing(why.to_owned()));
    }
}

#[tokio::test]
async fn planetscale_tests_its_webhook() {
    let world = world().await;
    let body =
        r#"{"timestamp":1772441825,"event":"webhook.test","organization":"acme","database":"shop","resource":{}}"#;
    let proof = [("X-PlanetScale-Signature", hmac("s3cret", &[body.as_bytes()]))];
    assert_eq!(send(world.address, "db", &proof, body).await.0, 202);
    world.settle().await;
    let row = inbox(world.store.as_ref()).await.remove(0);
    assert_eq!((row.state, row.note.as_str()), (DeliveryState::Ignored, "PlanetScale tested the webhook"));
}

#[tokio::test]
async fn grafanas_time_must_be_near_ours() {
    let world = world().await;
    let now = world.clock.now().as_second();
    for (signed, sent, expected) in [
        (now - 299, now - 299, (202, "")),
        (now + 301, now + 301, (401, "stale_signature")),
        (now - 301, now - 301, (401, "stale_signature")),
        // Not the time that was signed.
        (now - 301, now, (401, "bad_signature")),
    ] {
        let signed = signed.to_string();
        let headers = [
            ("X-Grafana-Alerting-Signature", hmac("s3cret", &[signed.as_bytes(), b":", GRAFANA.as_bytes()])),
            ("X-Grafana-Alerting-Timestamp", sent.to_string()),
        ];
        let (status, answer) = send(world.address, "timed", &headers, GRAFANA).await;
        assert_eq!((status, answer["error"]["code"].as_str().unwrap_or_default()), expected);
    }
    // Signed without a time.
    let bare = [("X-Grafana-Alerting-Signature", hmac("s3cret", &[GRAFANA.as_bytes()]))];
    assert_eq!(send(world.address, "timed", &bare, GRAFANA).await.1["error"]["code"], "stale_signature");
}
