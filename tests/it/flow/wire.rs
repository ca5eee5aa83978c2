//! The requests that GitHub gets, word for word.
//!
//! A change inside phasebot must not change what it says to a forge. `the_requests_of_a_story`
//! compares every request of one story with a file. With the variable `PHASEBOT_TEST_REQUESTS` set
//! to a folder, each flow that ends with [`super::World::check`] writes its requests there: run the
//! flows before and after a change, and compare the folders.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use jiff::SignedDuration;
use phasebot_forge_sim::{Exchange, NewRelease, Worker};
use serde_json::Value;

use super::{REPO, Setup, World, whole_loop::through_the_loop};
use crate::alert::sent::{bearer, send};

const POLICY: &str = "version: 1
mode: act
gates:
  release: { on: { draft: true, tag: 'v*' }, on_violation: issue, require: [checks: { named: [unit tests] }, freeze] }
environments:
  staging: { deploy: { via: workflow_dispatch, workflow: deploy.yml } }
  production: { require: [freeze], deploy: { via: deployment } }
";
const ALERTS: &str = "[alerts.prod]\nkind = \"alertmanager\"\nsecrets = [\"s3cret\"]\nrepositories = [\"acme/shop\"]\n";
const FILE: &str = ".github/workflows/deploy.yml";
const WORKFLOW: &str = "on:\n  workflow_dispatch:\n    inputs:\n      phasebot_request: {}\n      phasebot_sha: {}\n";

/// Returns a line for each different request, sorted, because writes of different lanes are sent at
/// once. What a run of the simulation draws by lot or counts up is replaced by a word: object names
/// of git, ids, ports. How often labels are listed, a comment is rewritten or a check run is
/// updated, and their texts on the way, depend on when their lane's turn comes: of a comment no
/// later text is shown, of a check run the last one.
pub fn requests(exchanges: &[Exchange]) -> String {
    let last: BTreeMap<String, &Value> = exchanges.iter().filter_map(check_run).collect();
    let last = last.iter().map(|(id, output)| stable(&format!("check run {id} in the end {output}")));
    let lines: BTreeSet<String> = exchanges.iter().map(line).chain(last).collect();
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

/// Returns the external id and the output of a check run that a request writes.
fn check_run(exchange: &Exchange) -> Option<(String, &Value)> {
    let body = exchange.request.as_ref().filter(|_| exchange.path.contains("/check-runs"))?;
    Some((body["external_id"].as_str()?.to_owned(), &body["output"]))
}

fn line(exchange: &Exchange) -> String {
    let query: Vec<String> = exchange.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let rewrites = exchange.method == "PATCH"
        && ["/issues/comments/", "/check-runs/"].iter().any(|part| exchange.path.contains(part));
    let mut body = exchange.request.clone().filter(|_| !rewrites);
    if let Some(body) = body.as_mut().and_then(Value::as_object_mut).filter(|_| check_run(exchange).is_some()) {
        body.remove("output");
    }
    let body = body.as_ref().map(Value::to_string).unwrap_or_default();
    stable(format!("{} {}?{} {body}", exchange.method, exchange.path, query.join("&")).trim_end())
}

/// Replaces object names, ids and ports.
fn stable(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).len();
        if word == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (one, tail) = rest.split_at(word);
        let is_hex = one.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let is_number = one.bytes().all(|b| b.is_ascii_digit());
        out.push_str(match one.len() {
            _ if out.ends_with("127.0.0.1:") => "PORT",
            _ if one.starts_with("kwDO") => "NODE",
            40 if is_hex => "SHA",
            7 | 10 if is_hex && !is_number => "SHORT",
            7 if is_number => "SHORT",
            10 if is_number => "ID",
            _ => one,
        });
        rest = tail;
    }
    out
}

/// Writes a flow's requests to a file that is named after the test, if the variable names a folder.
pub fn keep(exchanges: &[Exchange]) {
    let Some(folder) = std::env::var_os("PHASEBOT_TEST_REQUESTS") else { return };
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("unnamed").replace("::", ".");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(Path::new(&folder).join(name), requests(exchanges)).unwrap();
}

fn alert(state: &str) -> String {
    let labels = r#"{"alertname":"SlowCart","environment":"production","severity":"critical"}"#;
    format!(
        r#"{{"version":"4","groupKey":"slow","truncatedAlerts":0,"status":"{state}","receiver":"phasebot",
        "groupLabels":{{"alertname":"SlowCart"}},"commonLabels":{labels},"commonAnnotations":{{}},
        "externalURL":"http://alertmanager.example","alerts":[{{"status":"{state}","labels":{labels},
        "annotations":{{"summary":"The cart is slow"}},"startsAt":"2026-03-02T09:10:00Z",
        "endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example/graph",
        "fingerprint":"c6eadffa33fcdf37"}}]}}"#
    )
}

/// One request through all phases, then commands, a gate, a deploy in either way, and an alert.
#[tokio::test]
async fn the_requests_of_a_story() {
    let world = World::with(Setup { policy: POLICY, alerts: ALERTS, ..Setup::default() }).await;
    let bob = world.person("bob");
    world.forge.set_role(REPO, "dan", "maintain").unwrap();
    world.forge.add_milestone(REPO, "Spring").unwrap();
    let files = vec![(FILE.to_owned(), Some(WORKFLOW.to_owned()))];
    bob.push("main", &[phasebot_forge_sim::NewCommit { message: "A workflow".to_owned(), files }]).unwrap();
    bob.add_worker(&Worker { environment: Some("staging".to_owned()), ..Worker::new(FILE, "workflow_dispatch") })
        .unwrap();
    let (issue, pull) = through_the_loop(&world, "v1.0.0").await;

    let dan = bob.colleague("dan");
    for text in ["/why", "/assign", "/milestone Spring", "/phase test", "/nonsense", "/deploy staging", "/status"] {
        dan.comment(issue, text).unwrap();
        world.minute().await;
        bob.work().unwrap();
        world.minute().await;
    }
    dan.review(pull, "COMMENTED", "/why").unwrap();
    world.minute().await;
    bob.release(&NewRelease {
        tag: "v1.1.0".to_owned(),
        draft: true,
        target: "main".to_owned(),
        ..NewRelease::default()
    })
    .unwrap();
    let head = world.forge.commit_of(REPO, "main").unwrap();
    world.pass_checks(&head);
    world.run(SignedDuration::from_mins(3)).await;
    dan.comment(issue, "/release publish v1.1.0").unwrap();
    world.minute().await;
    dan.comment(pull, "/deploy production ref=v1.1.0").unwrap();
    world.run(SignedDuration::from_mins(8)).await;
    for state in ["firing", "resolved"] {
        assert_eq!(send(world.address, "prod", &bearer("s3cret"), alert(state)).await.0, 202);
        world.run(SignedDuration::from_mins(40)).await;
    }
    let all = requests(&world.forge.requests());
    for effect in
        ["/reactions", "/check-runs", "/dispatches", "/deployments", "/releases/", "addReaction", "/assignees"]
    {
        assert!(all.lines().any(|line| line.starts_with('P') && line.contains(effect)), "{effect}");
    }
    insta::assert_snapshot!(all);
}
