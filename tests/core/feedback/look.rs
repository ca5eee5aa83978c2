//! Rendered text of an incident's issue.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use phasebot_core::{
    domain::{alert::Alert, turn::Turn},
    incident::{
        render::{BUILT_IN, render},
        view::{Fix, IncidentView, Suspect},
    },
};

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An incident with a value in every field.
pub fn full() -> IncidentView {
    let alert = |instance: &str, firing| Alert {
        fingerprint: format!("c6eadffa33fcdf37{instance}"),
        firing,
        started_at: "2026-11-22T16:58:12Z".parse().unwrap(),
        ended_at: None,
        labels: labels(&[("alertname", "HighErrorRate"), ("instance", instance)]),
        annotations: labels(&[
            ("summary", &format!("5xx above 5% on {instance}")),
            ("description", "Since the last deploy.\nLook at the dashboard."),
            ("runbook_url", "https://wiki.example.com/runbooks/errors"),
        ]),
        url: Some("http://prometheus.example.com:9090/graph?g0.expr=rate%28x%5B5m%5D%29".to_owned()),
        silence_url: None,
    };
    IncidentView {
        id: "i-7f3a".to_owned(),
        connection: "prod".to_owned(),
        state: "firing".to_owned(),
        title: "HighErrorRate: 5xx above 5% on api".to_owned(),
        text: Some("Many users can't pay.\nThe shop is slow.".to_owned()),
        url: Some("https://alerts.example.com/#/alerts?receiver=phasebot".to_owned()),
        labels: labels(&[("alertname", "HighErrorRate"), ("severity", "critical"), ("env", "production")]),
        severity: Some("critical".to_owned()),
        environment: Some("production".to_owned()),
        started_at: "2026-11-22T16:58:12Z".parse().unwrap(),
        ended_at: None,
        alerts: vec![alert("api-1", true), alert("api-2", false)],
        left_out: 3,
        flaps: 2,
        lasted: None,
        service: Some("api".to_owned()),
        acked_by: Some("alice".to_owned()),
        acked_at: Some("2026-11-22T17:02:00Z".parse().unwrap()),
        muted_until: None,
        previous: Some(11),
        suspects: vec![Suspect {
            environment: "production".to_owned(),
            reference: "v1.4.0".to_owned(),
            commit: "0a1b2c3".to_owned(),
            page: Some("https://github.com/acme/shop/commit/0a1b2c3".to_owned()),
            actor: Some("bob".to_owned()),
            finished_at: Some("2026-11-22T16:50:00Z".parse().unwrap()),
            age: Some("8m".to_owned()),
            items: vec![41, 42],
        }],
        cause: None,
        cause_item: Some(41),
        cause_title: Some("Bigger basket".to_owned()),
        cause_by: Some("carol".to_owned()),
        fix: Some(Fix { item: Some(42), since: "2026-11-22T17:20:00Z".parse().unwrap() }),
        rollback: Some("/rollback production to=v1.3.9".to_owned()),
        turn: Turn::people("**alice** (acknowledged it at 17:02)", "fix it"),
        zone: TimeZone::UTC,
    }
}

#[test]
fn the_built_in_template_shows_everything() {
    let rendered = render(None, &full());
    assert_eq!(rendered.problem, None, "{}", rendered.body);
    insta::assert_snapshot!(format!("{}\n────\n{}", rendered.title, rendered.body));
    assert!(BUILT_IN.starts_with("{{ title }}\n"));
}

#[test]
fn an_alert_without_words_says_so() {
    let view = IncidentView { title: " \n".to_owned(), text: None, ..full() };
    assert_eq!(render(None, &view).title, "Alert without a title");
    // A template that fails is replaced, and so is the built-in one if necessary.
    let broken = render(Some("{{ title }}\n{% if %}"), &view);
    assert!(broken.problem.is_some() && broken.title == "Alert without a title", "{broken:?}");
}

/// Template tags leave blank lines, which are removed; code keeps its own.
#[test]
fn gaps_are_closed_outside_code() {
    let template = "x\n\n\na\n\n\n```text\nb\n\n\nc\n```\n\n\n\nd\n\n\n";
    let rendered = render(Some(template), &full());
    assert_eq!(rendered.problem, None);
    assert_eq!(rendered.body, "a\n\n```text\nb\n\n\nc\n```\n\nd");
    let longer = render(Some("x\n````\n```\n\n\n````\n\n\ne"), &full());
    assert_eq!(longer.body, "````\n```\n\n\n````\n\ne");
}
