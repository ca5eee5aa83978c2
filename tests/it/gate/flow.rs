//! Gates over real HTTP: from a tag that is pushed to its check run.

use jiff::SignedDuration;
use phasebot_forge_sim::NewRelease;
use serde_json::Value;

use crate::flow::{REPO, Setup, World};

const ACT: &str = "\
mode: act
gates:
  release:
    on: { tag: 'v*', draft: true }
    require:
      - checks: { named: ['unit tests'], report_within: 30m }
      - ancestry
";

/// Returns our newest run with this name on a commit, as the forge shows it.
fn check(world: &World, sha: &str, name: &str) -> Option<Value> {
    let mut runs = world.forge.check_runs(REPO, sha);
    runs.retain(|run| run["name"] == name);
    runs.pop()
}

fn stands(world: &World, sha: &str) -> (String, String, String) {
    let run = check(world, sha, "phasebot/release").expect("a check run");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (word(&run["status"]), word(&run["conclusion"]), super::state(&word(&run["output"]["title"])))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_waits_for_its_checks_and_turns_both_ways() {
    let world = World::with(Setup { policy: ACT, ..Setup::default() }).await;
    let bob = world.person("bob");
    let sha = bob.push("main", &["Work".into()]).unwrap().made.pop().unwrap();
    world.minute().await;
    assert_eq!(check(&world, &sha, "phasebot/release"), None, "nothing is gated yet");
    bob.tag("v1.0.0", &sha).unwrap();
    world.minute().await;
    let title = "Blocked: 1 of 4 — no report yet: unit tests";
    assert_eq!(stands(&world, &sha), ("in_progress".into(), String::new(), title.into()));

    let actions = world.person("github-actions");
    let run = actions.start_check(&sha, "unit tests").unwrap().made;
    world.minute().await;
    assert_eq!(stands(&world, &sha).2, "Blocked: 1 of 4 — still running: unit tests");
    actions.complete_check(run, "success").unwrap();
    world.minute().await;
    assert_eq!(stands(&world, &sha), ("completed".into(), "success".into(), "Passed".into()));

    // The re-run fails: the open gate closes.
    let again = actions.start_check(&sha, "unit tests").unwrap().made;
    actions.complete_check(again, "failure").unwrap();
    world.minute().await;
    assert_eq!(
        stands(&world, &sha),
        ("completed".into(), "failure".into(), "Blocked: 1 of 4 — failed: unit tests".into())
    );
    let third = actions.start_check(&sha, "unit tests").unwrap().made;
    world.minute().await;
    assert_eq!(stands(&world, &sha).0, "in_progress", "a run that ended is not opened again, a new one is made");
    actions.complete_check(third, "success").unwrap();
    world.minute().await;
    assert_eq!(stands(&world, &sha).2, "Passed");
    world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_never_reports_fails_at_its_time() {
    let world = World::with(Setup { policy: ACT, ..Setup::default() }).await;
    let bob = world.person("bob");
    let sha = bob.push("main", &["Work".into()]).unwrap().made.pop().unwrap();
    bob.release(&NewRelease { tag: "v1.0.0".into(), target: sha.clone(), draft: true, ..NewRelease::default() })
        .unwrap();
    world.run(SignedDuration::from_mins(29)).await;
    assert_eq!(stands(&world, &sha).0, "in_progress");
    world.run(SignedDuration::from_mins(2)).await;
    let title = "Blocked: 1 of 4 — no report within 30m: unit tests";
    assert_eq!(stands(&world, &sha), ("completed".into(), "failure".into(), title.into()));
    world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_that_no_webhook_told_of_are_found() {
    let world = World::with(Setup { policy: ACT, ..Setup::default() }).await;
    let bob = world.person("bob");
    let sha = bob.push("main", &["Work".into()]).unwrap().made.pop().unwrap();
    world.minute().await;
    for tag in ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"] {
        bob.tag(tag, &sha).unwrap();
    }
    world.forge.take_pending();
    world.run(SignedDuration::from_mins(5)).await;
    assert_eq!(check(&world, &sha, "phasebot/release"), None);
    world.run(SignedDuration::from_hours(1)).await;
    assert!(check(&world, &sha, "phasebot/release").is_some(), "the hourly list shows them");
    world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_gated_below_act() {
    const LABEL: &str = "gates: { release: { on: { tag: 'v*' }, require: [checks] } }\n";
    let world = World::with(Setup { policy: LABEL, ..Setup::default() }).await;
    let bob = world.person("bob");
    let sha = bob.push("main", &["Work".into()]).unwrap().made.pop().unwrap();
    bob.tag("v1.0.0", &sha).unwrap();
    world.run(SignedDuration::from_hours(2)).await;
    assert_eq!(check(&world, &sha, "phasebot/release"), None);
    assert!(!world.calls().iter().any(|call| call.ends_with("/tags")), "{:?}", world.calls());
}
