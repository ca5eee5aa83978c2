//! Whatever a monitoring system may send: no source panics on it, and what it
//! says becomes facts. Input: a letter for the source, and a body.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use phasebot::{alert::{Alertmanager, DATADOG, Fields, Generic, Grafana, HONEYBADGER, Headers, Kind, NEW_RELIC, PagerDuty, PresetSource, Proof, Sentry}, app::clock::SimClock, database::planetscale::PlanetScaleWebhook, domain::{event::{Event, Seen}, fact::RepoFacts, id::{ForgeName, RepoKey}, policy::Policy}, ingest::{observe, Us}, policy, port::alert::AlertSource};

const AT: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

static SOURCES: LazyLock<Vec<Box<dyn AlertSource>>> = LazyLock::new(|| {
    let secrets = ["s".into()];
    let generic = |kind| {
        let at = |pointer: &str| pointer.to_owned();
        let fields = Fields {
            key: at("/id"),
            status: at("/state"),
            title: at("/title"),
            text: at("/text"),
            url: at("/url"),
            started_at: at("/at"),
            labels: at("/labels"),
        };
        Generic::new("x", &secrets, Proof::Bearer, kind, fields)
    };
    let alerts = Kind::Alert { firing: vec!["firing".to_owned()], resolved: vec!["resolved".to_owned()], heartbeat: true };
    vec![
        Box::new(Alertmanager::new("x", &secrets)),
        Box::new(Grafana::new("x", &secrets, Headers::default(), Arc::new(SimClock::new(AT)))),
        Box::new(PlanetScaleWebhook::new("x", &secrets, Some(("o", "d")))),
        Box::new(generic(alerts)),
        Box::new(generic(Kind::Feedback)),
        Box::new(PagerDuty::new("x", &secrets)),
        Box::new(Sentry::new("x", &secrets)),
        Box::new(PresetSource::new("x", &secrets, None, &DATADOG)),
        Box::new(PresetSource::new("x", &secrets, None, &NEW_RELIC)),
        Box::new(PresetSource::new("x", &secrets, None, &HONEYBADGER)),
    ]
});
static POLICY: LazyLock<Policy> = LazyLock::new(policy::built_in);

fuzz_target!(|input: &[u8]| {
    let Some((which, body)) = input.split_first() else { return };
    let source = &SOURCES[usize::from(*which) % SOURCES.len()];
    let Ok(message) = source.decode(body, AT) else { return };
    let event = Event {
        name: source.kind().to_owned(),
        connection: None,
        repo: None,
        sender: None,
        at: AT,
        seen: Seen::Alert(Box::new(message)),
    };
    let mut facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 });
    observe(&mut facts, &event, &POLICY, &Us::default());
    let before = facts.clone();
    observe(&mut facts, &event, &POLICY, &Us::default());
    assert_eq!(facts, before, "the same message twice");
});
