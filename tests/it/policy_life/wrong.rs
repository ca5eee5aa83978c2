//! An invalid policy file: the previous policy stays in force, and one issue reports the problem.

use jiff::SignedDuration;
use phasebot_forge_sim::{Fault, FaultKind, Matcher};

use super::world::{ISSUE, ISSUES, REPO, Setup, World};

const GOOD: &str = "phases: [{ name: plan, label: good/plan }]\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_issue_is_opened_kept_up_to_date_and_closed() {
    let world = World::with(Setup { file: Some(GOOD), ..Setup::default() }).await;
    let issue = world.ada.open_issue("One", "", &[]).unwrap().made;
    world.minute().await;
    assert_eq!(world.labels(issue), ["good/plan"]);

    world.push("main", Some("moed: act\n"));
    world.minute().await;
    assert_eq!(world.labels(issue), ["good/plan"], "the last good one stays in force");
    let ours = world.issues_by_us();
    assert_eq!(ours.len(), 1);
    let notice = *ours.first().unwrap();
    assert!(world.labels(notice).is_empty(), "a notice is no work");
    let opened = world.asked("POST", ISSUES).remove(0).request.unwrap();
    let body = opened["body"].as_str().unwrap();
    assert!(body.starts_with("<!-- phasebot:policy -->\n"), "{body}");
    assert!(body.contains(".github/phasebot.yml:1:1: unknown key `moed`"), "{body}");
    assert!(body.contains("1 | moed: act\n    | ^^^^ did you mean `mode`?"), "{body}");
    assert!(body.contains("Until it is fixed, phasebot follows the last valid version."), "{body}");
    assert_eq!(opened["title"], ".github/phasebot.yml is invalid; the previous version stays in force");

    // The same problem is not reported again; other problems are reported in the same issue.
    world.push("main", Some("moed: act\n"));
    world.minute().await;
    assert!(world.asked("PATCH", ISSUE).is_empty());
    world.push("main", Some("mode: acting\n"));
    world.minute().await;
    let edited = world.asked("PATCH", ISSUE).remove(0);
    assert_eq!(edited.params.last().unwrap().1, notice.to_string());
    assert!(edited.request.unwrap()["body"].as_str().unwrap().contains("acting"));
    assert_eq!(world.issues_by_us().len(), 1);

    world.push("main", Some("phases: [{ name: plan, label: new/plan }]\n"));
    world.minute().await;
    assert_eq!(world.labels(issue), ["new/plan"]);
    let closed = world.asked("PATCH", ISSUE).remove(1).request.unwrap();
    assert_eq!((closed["state"].as_str(), closed["state_reason"].as_str()), (Some("closed"), Some("completed")));

    // Invalid once more: the same issue is reopened.
    world.push("main", Some("moed: act\n"));
    world.minute().await;
    assert_eq!(world.issues_by_us().len(), 1);
    assert_eq!(world.asked("PATCH", ISSUE).remove(2).request.unwrap()["state"], "open");
    assert_eq!(world.dead().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_never_was_right_leaves_what_is_above_it() {
    let world = World::with(Setup { file: Some("phases: [\n"), ..Setup::default() }).await;
    let issue = world.ada.open_issue("One", "", &[]).unwrap().made;
    world.minute().await;
    assert_eq!(world.labels(issue), ["phase/plan"]);
    let body = world.asked("POST", ISSUES).remove(0).request.unwrap()["body"].as_str().unwrap().to_owned();
    assert!(body.contains("No version was valid yet"), "{body}");
    // Removing the file solves the problem, too.
    world.push("main", None);
    world.minute().await;
    assert_eq!(world.asked("PATCH", ISSUE).remove(0).request.unwrap()["state"], "closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issue_that_we_lost_count_of_is_found_again() {
    let mut world = World::with(Setup { file: Some("mood: 1\n"), ..Setup::default() }).await;
    world.ada.open_issue("One", "", &[]).unwrap();
    world.minute().await;
    world.restart(None).await;
    world.push("main", Some("mood: 2\n"));
    world.minute().await;
    assert_eq!(world.issues_by_us().len(), 1);
    assert_eq!(world.asked("PATCH", ISSUE).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_copy_of_our_marker_is_not_our_issue() {
    let world = World::new().await;
    let copy = world.ada.open_issue("Copy", "<!-- phasebot:policy -->\nmine", &[]).unwrap().made;
    world.push("main", Some("moed: act\n"));
    world.minute().await;
    assert_eq!(world.labels(copy), ["phase/plan"]);
    assert_eq!(world.issues_by_us().len(), 1);
    assert!(!world.issues_by_us().contains(&copy));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_written_is_recorded() {
    let world = World::with(Setup { dry_run: true, file: Some("moed: act\n"), ..Setup::default() }).await;
    world.ada.open_issue("One", "", &[]).unwrap();
    world.minute().await;
    let tokens = "/app/installations/{installation_id}/access_tokens";
    assert!(world.sim.requests().iter().all(|e| !e.is_write() || e.route == tokens));
    let notes = world.notes().await;
    assert!(notes.iter().any(|note| note.contains("the policy file is not right")), "{notes:?}");
    assert!(world.sim.visible_labels(REPO, 1).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_in_a_file_gets_out_of_its_code_block() {
    let world = World::with(Setup { file: Some("'```@everyone': 1\n"), ..Setup::default() }).await;
    world.ada.open_issue("One", "", &[]).unwrap();
    world.minute().await;
    let body = world.asked("POST", ISSUES).remove(0).request.unwrap()["body"].as_str().unwrap().to_owned();
    assert!(body.contains("\n`````text\n") && body.contains("\n`````\n"), "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issue_in_doubt_is_opened_once() {
    let world = World::with(Setup { file: Some("moed: act\n"), ..Setup::default() }).await;
    let fault = Fault { kind: FaultKind::ResetAfterApply, matcher: Matcher::of("POST", ISSUES) };
    world.sim.inject(fault, 1);
    world.ada.open_issue("One", "", &[]).unwrap();
    world.run(SignedDuration::from_mins(10)).await;
    assert_eq!(world.calls_of("POST", ISSUES), 1);
    world.push("main", None);
    world.minute().await;
    assert_eq!(world.asked("PATCH", ISSUE).len(), 1);
    assert_eq!(world.dead().await, 0);
}
