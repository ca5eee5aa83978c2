//! GitHub's own example payloads: npm `@octokit/webhooks-examples`, fetched by
//! `scripts/fetch-corpora`.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Write as _},
    path::PathBuf,
};

use phasebot::{domain::event::Seen, forge::github::route::route};
use serde::Deserialize;
use serde_json::Value;

use super::fixture::decode_as;

/// Examples from one GitHub product, by event.
#[derive(Deserialize)]
struct Examples {
    name: String,
    examples: Vec<Value>,
}

/// GitHub's cloud, and the newest Enterprise Server in the package.
const FLAVOURS: [&str; 2] = ["api.github.com", "ghes-35"];

/// Events that phasebot uses, each with the minimum number of examples in the package.
const USED: [(&str, usize); 20] = [
    ("check_run", 9),
    ("create", 5),
    ("delete", 4),
    ("deployment", 4),
    ("deployment_status", 4),
    ("github_app_authorization", 1),
    ("installation", 7),
    ("installation_repositories", 3),
    ("issue_comment", 9),
    ("issues", 29),
    ("label", 6),
    ("merge_group", 2),
    ("pull_request", 29),
    ("pull_request_review", 4),
    ("push", 7),
    ("release", 13),
    ("repository", 13),
    ("status", 4),
    ("workflow_run", 5),
    ("check_suite", 9),
];

/// Returns the payloads as (event, payload); `None`, with a message, if they were not fetched.
pub fn payloads(flavour: &str) -> Option<Vec<(String, Value)>> {
    let folder = env::var_os("PHASEBOT_CORPORA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/corpora"), PathBuf::from);
    let file = folder.join("node_modules/@octokit/webhooks-examples").join(flavour).join("index.json");
    let Ok(text) = fs::read_to_string(&file) else {
        let required = env::var("PHASEBOT_REQUIRE").unwrap_or_default();
        assert!(
            !required.split(',').any(|stage| stage.trim() == "corpora"),
            "the corpora are required, but {} is not there: run scripts/fetch-corpora",
            file.display()
        );
        // Not eprintln!: the test harness would capture it.
        let _ = writeln!(io::stderr(), "SKIPPED: corpora not found; run scripts/fetch-corpora to test on them");
        return None;
    };
    let events: Vec<Examples> = serde_json::from_str(&text).expect("the corpus is as we know it");
    Some(
        events
            .into_iter()
            .flat_map(|event| event.examples.into_iter().map(move |example| (event.name.clone(), example)))
            .collect(),
    )
}

/// Returns a short description of a decoded event.
fn kind(seen: &Seen) -> String {
    match seen {
        Seen::Nothing { reason } => format!("nothing: {reason}"),
        seen => format!("{seen:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
    }
}

#[test]
fn every_example_is_understood() {
    for flavour in FLAVOURS {
        let Some(payloads) = payloads(flavour) else { return };
        let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
        for (event, payload) in &payloads {
            let body = payload.to_string().into_bytes();
            let decoded = decode_as(event, &body);
            let routed = route(&body).expect("an object");
            assert_eq!(routed.repo, decoded.repo.as_ref().map(|repo| repo.key.id), "{event}");
            assert_eq!(routed.installation, decoded.connection, "{event}");
            assert_eq!(routed.repo, payload.pointer("/repository/id").and_then(Value::as_u64), "{event}");
            *counts.entry((event, kind(&decoded.seen))).or_default() += 1;
        }
        println!("{flavour}: {} payloads", payloads.len());
        for ((event, kind), count) in &counts {
            println!("{count:5}  {event:<28} {kind}");
            let used = USED.iter().any(|(used, _)| used == event);
            let listed = match *event {
                "ping" => kind == "nothing: ping",
                "check_suite" => {
                    kind == "nothing: a suite's runs arrive as `check_run`"
                        || kind == "nothing: the checks of another App are to run again"
                }
                _ if used => !kind.starts_with("nothing"),
                _ => *kind == format!("nothing: event `{event}` is not used"),
            };
            assert!(listed, "{event} is understood as {kind}");
        }
        if flavour == "api.github.com" {
            assert!(payloads.len() >= 329, "{} payloads", payloads.len());
            for (used, least) in USED {
                let found = payloads.iter().filter(|(event, _)| event == used).count();
                assert!(found >= least, "{used}: {found} payloads");
            }
        }
    }
}

#[test]
fn times_are_the_payloads_own() {
    let Some(payloads) = payloads("api.github.com") else { return };
    // A label, the removal of an installation or a release, and a revoked sign-in have no time of
    // their own.
    let timeless = ["label", "installation", "release", "github_app_authorization"];
    for (event, payload) in payloads {
        let used = USED.iter().any(|(used, _)| *used == event);
        if used && event != "check_suite" && !timeless.contains(&event.as_str()) {
            let decoded = decode_as(&event, payload.to_string().as_bytes());
            assert_ne!(decoded.at, super::fixture::received_at(), "{} {payload}", decoded.name);
        }
    }
}
