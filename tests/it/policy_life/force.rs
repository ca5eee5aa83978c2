//! Policy files take effect, and items follow.

use jiff::SignedDuration;
use phasebot_forge_sim::{Fault, FaultKind, Matcher, NewPull};

use super::world::{COMPARE, CONTENTS, REPO, Setup, World};

/// A policy in which every phase has a name of its own.
const STAGES: &str = "phases:
  - { name: plan, label: stage/plan }
  - { name: code, label: stage/code }
  - { name: build, label: stage/build }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_pushed_relabels_what_is_there() {
    let world = World::new().await;
    let first = world.ada.open_issue("One", "", &["bug"]).unwrap().made;
    let second = world.ada.open_issue("Two", "", &[]).unwrap().made;
    world.minute().await;
    assert_eq!(world.labels(first), ["bug", "phase/plan"]);
    world.push("main", Some(STAGES));
    world.minute().await;
    assert_eq!(world.labels(first), ["bug", "stage/plan"], "the old label came off, the other stays");
    assert_eq!(world.labels(second), ["stage/plan"]);

    // Without the file everything is as before.
    world.push("main", None);
    world.minute().await;
    assert_eq!(world.labels(first), ["bug", "phase/plan"]);
    assert_eq!(world.dead().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_repository_is_relabelled_in_steps() {
    let world = World::new().await;
    for n in 0..205 {
        world.ada.open_issue(&format!("Issue {n}"), "", &[]).unwrap();
    }
    world.run(SignedDuration::from_mins(20)).await;
    world.push("main", Some(STAGES));
    world.run(SignedDuration::from_mins(20)).await;
    for n in 1..=205 {
        assert_eq!(world.labels(n), ["stage/plan"], "#{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_default_branch_counts() {
    let world = World::new().await;
    let issue = world.ada.open_issue("One", "", &[]).unwrap().made;
    world.push("topic", Some(STAGES));
    world.push("eve:main", Some(STAGES));
    world.minute().await;
    assert_eq!(world.labels(issue), ["phase/plan"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_file_no_event_after_the_first_costs_a_call() {
    let world = World::new().await;
    let issue = world.ada.open_issue("One", "", &[]).unwrap().made;
    world.minute().await;
    assert_eq!(world.calls(&[CONTENTS]), 2, "once here, once in the organisation's repository");
    world.sim.clear_requests();
    for n in 0..10 {
        world.ada.comment(issue, &format!("Comment {n}")).unwrap();
    }
    world.ada.push("main", &["Work".into()]).unwrap();
    world.minute().await;
    assert_eq!(world.sim.requests().len(), 0, "{:?}", world.sim.requests());

    // The pushes of a branch in this repository show its changes.
    world.ada.push("topic", &["More work".into()]).unwrap();
    world.pull("topic");
    world.ada.push("topic", &["Still more".into()]).unwrap();
    world.minute().await;
    assert_eq!(world.calls(&[CONTENTS, COMPARE]), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_is_asked_about_once_for_each_head() {
    let world = World::new().await;
    world.ada.push("eve:topic", &["Work".into()]).unwrap();
    let pull = world.pull("eve:topic");
    world.minute().await;
    assert_eq!(world.calls(&[COMPARE]), 1);
    world.ada.label(pull, "bug").unwrap();
    world.ada.edit(pull, Some("Another title"), None).unwrap();
    world.minute().await;
    assert_eq!(world.calls(&[COMPARE]), 1);
    world.ada.push("eve:topic", &["More".into()]).unwrap();
    world.minute().await;
    assert_eq!(world.calls(&[COMPARE]), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_costs_no_call() {
    let mut world = World::with(Setup { file: Some(STAGES), ..Setup::default() }).await;
    let issue = world.ada.open_issue("One", "", &[]).unwrap().made;
    world.minute().await;
    assert_eq!(world.labels(issue), ["stage/plan"]);
    world.sim.clear_requests();
    world.restart(None).await;
    world.ada.comment(issue, "Hello").unwrap();
    let another = world.ada.open_issue("Two", "", &[]).unwrap().made;
    world.minute().await;
    assert_eq!(world.labels(another), ["stage/plan"]);
    assert_eq!(world.calls(&[CONTENTS]), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_operator_locks_stays() {
    let locked = "mode: observe\nlocked: [mode]\n";
    let mut world = World::with(Setup { operator: Some(locked), file: Some("mode: act"), ..Setup::default() }).await;
    let issue = world.ada.open_issue("One", "", &[]).unwrap().made;
    world.minute().await;
    assert!(world.labels(issue).is_empty(), "the operator observes only");

    // Another operator's policy applies from the next event on, without a call.
    world.sim.clear_requests();
    world.restart(None).await;
    let another = world.ada.open_issue("Two", "", &[]).unwrap().made;
    world.minute().await;
    assert_eq!((world.labels(issue), world.labels(another)), (vec!["phase/plan".into()], vec!["phase/plan".into()]));
    assert_eq!(world.calls(&[CONTENTS]), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_changes_nothing_and_is_tried_again() {
    let world = World::with(Setup { file: Some(STAGES), ..Setup::default() }).await;
    let down = Fault { kind: FaultKind::Status502Before, matcher: Matcher::of("GET", CONTENTS) };
    // Each of the two files is requested three times in a row.
    world.sim.inject(down.clone(), 6);
    let issue = world.ada.open_issue("One", "", &[]).unwrap().made;
    world.settle().await;
    assert_eq!(world.labels(issue), ["phase/plan"], "never read: the policy above holds");
    world.run(SignedDuration::from_mins(3)).await;
    assert_eq!(world.labels(issue), ["stage/plan"], "nothing but time was needed");

    world.sim.inject(down, 3);
    world.push("main", Some("phases: [{ name: plan, label: third/plan }]"));
    world.settle().await;
    let another = world.ada.open_issue("Two", "", &[]).unwrap().made;
    world.settle().await;
    assert_eq!(world.labels(another), ["stage/plan"], "what was in force stays so");
    world.run(SignedDuration::from_mins(3)).await;
    assert_eq!((world.labels(issue), world.labels(another)), (vec!["third/plan".into()], vec!["third/plan".into()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_read_means_no_further_than_labels() {
    let world = World::with(Setup { operator: Some("mode: act\npolicy_check: required\n"), ..Setup::default() }).await;
    world.sim.inject(Fault { kind: FaultKind::Status502Before, matcher: Matcher::of("GET", CONTENTS) }, 6);
    world.ada.push("topic", &["Work".into()]).unwrap();
    let new = NewPull { head: "topic".into(), title: "Change".into(), ..NewPull::default() };
    let pull = world.ada.open_pull(&new).unwrap().made;
    world.settle().await;
    assert_eq!(world.sim.visible_labels(REPO, pull).len(), 1);
    assert!(world.asked("POST", super::world::CHECKS).is_empty());
}

/// A replica of the forge may lag: a file that is missing once must not remove its phases and
/// gates.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_found_once_stays_in_force() {
    let world = World::with(Setup { file: Some(STAGES), ..Setup::default() }).await;
    let first = world.ada.open_issue("One", "", &[]).unwrap().made;
    world.minute().await;
    assert_eq!(world.labels(first), ["stage/plan"]);

    world.sim.clear_requests();
    world.sim.inject(Fault { kind: FaultKind::NotFoundThenOk, matcher: Matcher::of("GET", CONTENTS) }, 1);
    world.push("main", Some(&format!("{STAGES}# Nothing else.\n")));
    world.settle().await;
    assert_eq!(world.calls(&[CONTENTS]), 1);
    let second = world.ada.open_issue("Two", "", &[]).unwrap().made;
    world.settle().await;
    assert_eq!(world.labels(second), ["stage/plan"]);
    world.minute().await;
    assert_eq!(world.labels(first), ["stage/plan"]);
    assert_eq!(world.calls(&[CONTENTS]), 2, "it was looked for once more, and no oftener");

    // A file that is really gone counts as gone the second time.
    world.push("main", None);
    world.settle().await;
    assert_eq!(world.labels(first), ["stage/plan"]);
    world.minute().await;
    assert_eq!(world.labels(first), ["phase/plan"]);
    assert_eq!(world.calls(&[CONTENTS]), 4);
}
