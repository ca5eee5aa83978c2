//! PagerDuty, Sentry, and the systems that `preset.rs` describes.

use http::{HeaderMap, HeaderName, HeaderValue};
use phasebot::{
    alert::{DATADOG, HONEYBADGER, NEW_RELIC, PagerDuty, PresetSource, Sentry},
    domain::alert::{Group, Says},
    port::{
        alert::{AlertSource, Refusal},
        store::DeliveryState,
    },
};

use super::sent::{SETTINGS, bearer, hmac, inbox, send};
use crate::flow::{Setup, World};

const PAGERDUTY: &str = include_str!("../../fixtures/alerts/pagerduty.json");
const SENTRY_ISSUE: &str = include_str!("../../fixtures/alerts/sentry.issue.json");
const SENTRY_METRIC: &str = include_str!("../../fixtures/alerts/sentry.metric.json");
const DATADOG_ALERT: &str = include_str!("../../fixtures/alerts/datadog.json");
const NEW_RELIC_ISSUE: &str = include_str!("../../fixtures/alerts/newrelic.json");
const HONEYBADGER_FAULT: &str = include_str!("../../fixtures/alerts/honeybadger.fault.json");
const HONEYBADGER_DOWN: &str = include_str!("../../fixtures/alerts/honeybadger.down.json");

fn at() -> jiff::Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

fn says(source: &dyn AlertSource, body: &str) -> Says {
    source.decode(body.as_bytes(), at()).unwrap().says
}

fn group(source: &dyn AlertSource, body: &str) -> Group {
    match says(source, body) {
        Says::Group(group) => group,
        other => panic!("{other:?}"),
    }
}

/// Returns whether the group's only alert fires.
fn fires(source: &dyn AlertSource, body: &str) -> bool {
    group(source, body).alerts[0].firing
}

#[tokio::test]
async fn each_system_gets_in_with_its_own_proof_and_with_no_other() {
    let world = World::with(Setup { alerts: SETTINGS, ..Setup::default() }).await;
    let signed = |header: &'static str, before: &str, key: &str, body: &str| {
        vec![(header, format!("{before}{}", hmac(key, &[body.as_bytes()])))]
    };
    let token = |header: &'static str, token: &str| vec![(header, token.to_owned())];
    for (name, right, wrong, body) in [
        (
            "pager",
            signed("X-PagerDuty-Signature", "v1=00,v1=", "next", PAGERDUTY),
            signed("X-PagerDuty-Signature", "v2=", "s3cret", PAGERDUTY),
            PAGERDUTY,
        ),
        (
            "errors",
            signed("Sentry-Hook-Signature", "", "s3cret", SENTRY_ISSUE),
            signed("Sentry-Hook-Signature", "", "other", SENTRY_ISSUE),
            SENTRY_ISSUE,
        ),
        ("dog", bearer("s3cret"), bearer("other"), DATADOG_ALERT),
        ("relic", bearer("s3cret"), token("Authorization", "s3cret"), NEW_RELIC_ISSUE),
        ("badger", token("Honeybadger-Token", "s3cret"), token("Honeybadger-Token", "other"), HONEYBADGER_FAULT),
        ("keyed", token("X-Token", "s3cret"), bearer("s3cret"), r#"{"id":1,"state":"open"}"#),
    ] {
        let (status, answer) = send(world.address, name, &wrong, body).await;
        assert_eq!(status, 401, "{name}: {answer}");
        assert_eq!(send(world.address, name, &[], body).await.0, 401, "{name} without a proof");
        let (status, answer) = send(world.address, name, &right, body).await;
        assert_eq!(status, 202, "{name}: {answer}");
    }
    world.settle().await;
    let rows = inbox(world.store.as_ref()).await;
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row.state == DeliveryState::Done && row.repo.is_some()), "{rows:?}");
}

#[test]
fn pagerduty_signs_with_every_live_secret() {
    let source = PagerDuty::new("pager", &["s3cret".into()]);
    let verify = |value: &str| {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("x-pagerduty-signature");
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        source.verify(&headers, PAGERDUTY.as_bytes())
    };
    let right = hmac("s3cret", &[PAGERDUTY.as_bytes()]);
    assert_eq!(verify(&format!("v1={right}")), Ok(()));
    assert_eq!(verify(&format!("v1={},v1={right}", hmac("old", &[PAGERDUTY.as_bytes()]))), Ok(()));
    for wrong in [right.clone(), format!("v1={right}0"), format!("v2={right}"), "v1=".to_owned(), ",,,".to_owned()] {
        assert_eq!(verify(&wrong), Err(Refusal::BadSignature), "{wrong}");
    }
    let many = format!("{}v1={right}", "v1=00,".repeat(50));
    assert_eq!(verify(&many), Err(Refusal::BadSignature), "a long list is not searched");
}

#[test]
fn a_pagerduty_incident_fires_until_it_is_resolved() {
    let source = PagerDuty::new("pager", &["s3cret".into()]);
    let incident = group(&source, PAGERDUTY);
    assert_eq!((incident.key.as_str(), incident.tells_end), ("Q1SH0P42", true));
    assert_eq!(incident.title.as_deref(), Some("Checkout answers with 5xx"));
    assert_eq!(incident.url.as_deref(), Some("https://acme.pagerduty.com/incidents/Q1SH0P42"));
    assert_eq!(incident.alerts[0].started_at.to_string(), "2026-03-02T08:57:00Z");
    let labels = ["priority", "service", "severity", "team", "urgency"].map(|name| incident.labels[name].as_str());
    assert_eq!(labels, ["P1", "Checkout", "critical", "Shop", "high"]);
    let message = source.decode(PAGERDUTY.as_bytes(), at()).unwrap();
    assert_eq!(message.at.to_string(), "2026-03-02T08:58:30.25Z", "PagerDuty may send for two days: its time counts");

    let with = |event: &str, status: &str| {
        PAGERDUTY.replace("incident.triggered", event).replace(r#""triggered""#, &format!("{status:?}"))
    };
    for event in ["incident.acknowledged", "incident.escalated", "incident.reopened", "incident.priority_updated"] {
        assert!(fires(&source, &with(event, "acknowledged")), "{event}");
    }
    assert!(!fires(&source, &with("incident.resolved", "resolved")));
    // A reassignment that is sent late shows the state of its time.
    assert!(!fires(&source, &with("incident.reassigned", "resolved")));
    for (body, why) in [
        (with("incident.triggered", "paused"), "status"),
        (PAGERDUTY.replace(r#""type": "incident","#, r#""type": "incident_note","#), "does not change an incident"),
        (r#"{"event":{"event_type":"pagey.ping","data":{"type":"ping"}}}"#.to_owned(), "tested the webhook"),
    ] {
        assert!(matches!(says(&source, &body), Says::Nothing(said) if said.contains(why)), "{body}");
    }
    assert_eq!(source.decode(b"{}", at()).unwrap_err().path, "event");
}

#[test]
fn a_sentry_issue_fires_until_somebody_resolves_or_archives_it() {
    let source = Sentry::new("errors", &["s3cret".into()]);
    let issue = group(&source, SENTRY_ISSUE);
    assert_eq!((issue.key.as_str(), issue.tells_end), ("issue 5501234", true));
    assert_eq!(issue.title.as_deref(), Some("TypeError: cart is undefined"));
    assert_eq!(issue.text.as_deref(), Some("checkout/total in sum"));
    assert_eq!(issue.url.as_deref(), Some("https://acme.sentry.io/issues/5501234/"));
    assert_eq!((issue.labels["project"].as_str(), issue.labels["severity"].as_str()), ("shop", "error"));
    assert_eq!(issue.alerts[0].started_at.to_string(), "2026-03-02T08:54:11.221Z");

    let with = |action: &str| SENTRY_ISSUE.replace(r#""created""#, &format!("{action:?}"));
    let again = group(&source, &with("unresolved"));
    assert_eq!((again.alerts[0].firing, again.alerts[0].started_at), (true, at()), "a regression begins now");
    assert!(!fires(&source, &with("resolved")));
    assert!(!fires(&source, &with("archived")));
    assert!(matches!(says(&source, &with("assigned")), Says::Nothing(_)));
    let comment = r#"{"action":"created","data":{"comment":"x","issue_id":5501234}}"#;
    assert!(matches!(says(&source, comment), Says::Nothing(_)));
}

#[test]
fn a_sentry_metric_alert_is_one_incident_for_each_rule() {
    let source = Sentry::new("errors", &["s3cret".into()]);
    let alert = group(&source, SENTRY_METRIC);
    assert_eq!((alert.key.as_str(), alert.title.as_deref()), ("metric alert 77", Some("Errors in checkout")));
    assert_eq!((alert.labels["environment"].as_str(), alert.labels["severity"].as_str()), ("production", "critical"));
    assert!(alert.alerts[0].firing);
    let later = SENTRY_METRIC.replace(r#""critical""#, r#""resolved""#).replace(r#""id": "88""#, r#""id": "89""#);
    let later = group(&source, &later);
    assert_eq!((later.key, later.alerts[0].firing), (alert.key, false));
}

#[test]
fn presets_know_the_fields_and_words_of_their_systems() {
    let source = |preset| PresetSource::new("x", &["s3cret".into()], None, preset);
    let dog = group(&source(&DATADOG), DATADOG_ALERT);
    assert_eq!(
        (dog.key.as_str(), dog.title.as_deref()),
        ("4711 env:production,host:web-3", Some("Memory of the web servers"))
    );
    assert_eq!(dog.alerts[0].started_at.as_second(), 1_772_441_700);
    let labels = ["env", "host", "priority", "severity", "team"].map(|name| dog.labels[name].as_str());
    assert_eq!(labels, ["production", "web-3", "P2", "high", "shop"]);
    assert!(!dog.labels.contains_key("monitor"), "a tag without a value is no label");

    let relic = group(&source(&NEW_RELIC), NEW_RELIC_ISSUE);
    assert_eq!(relic.key, "d1b1f3fd-0000-4066-88ab-8ce4f6960654");
    assert_eq!((relic.labels["policy"].as_str(), relic.labels["severity"].as_str()), ("Shop", "critical"));
    assert_eq!(relic.alerts[0].started_at.as_second(), 1_772_441_640);

    let fault = group(&source(&HONEYBADGER), HONEYBADGER_FAULT);
    assert_eq!((fault.key.as_str(), fault.title.as_deref()), ("fault 990017", Some("RuntimeError")));
    assert_eq!(
        (fault.text.as_deref(), fault.labels["environment"].as_str()),
        (Some("the cart is empty"), "production")
    );
    let down = group(&source(&HONEYBADGER), HONEYBADGER_DOWN);
    assert_eq!((down.key.as_str(), down.title.as_deref()), ("site 5f1c", Some("The shop")));
    assert_eq!(down.alerts[0].started_at.to_string(), "2026-03-02T08:56:00Z");
}

#[test]
fn presets_fire_resolve_and_ignore_by_the_state() {
    for (preset, body, state, firing, resolved, ignored) in [
        (&DATADOG, DATADOG_ALERT, "Triggered", "No Data", "Recovered", "Muted"),
        (&NEW_RELIC, NEW_RELIC_ISSUE, "ACTIVATED", "created", "CLOSED", "SPLIT"),
        (&HONEYBADGER, HONEYBADGER_FAULT, "occurred", "unresolved", "resolved", "assigned"),
        (&HONEYBADGER, HONEYBADGER_DOWN, "down", "down", "up", "cert_will_expire"),
    ] {
        let source = PresetSource::new("x", &["s3cret".into()], None, preset);
        let with = |word: &str| body.replacen(&format!("{state:?}"), &format!("{word:?}"), 1);
        let key = group(&source, body).key;
        assert!(fires(&source, &with(firing)), "{firing}");
        let over = group(&source, &with(resolved));
        assert_eq!((over.alerts[0].firing, over.key), (false, key), "{resolved}");
        assert!(matches!(says(&source, &with(ignored)), Says::Nothing(_)), "{ignored}");
        // Without an identifier, one message would end another's incident.
        let bare = format!(
            r#"{{"{}":"{firing}"}}"#,
            if state == "Triggered" {
                "transition"
            } else if state == "ACTIVATED" {
                "state"
            } else {
                "event"
            }
        );
        assert_eq!(says(&source, &bare), Says::Nothing("it has no identifier".to_owned()));
    }
}
