//! Pull requests and merge groups that change the policy file.

use jiff::SignedDuration;
use phasebot_forge_sim::{Fault, FaultKind, Matcher, NewCommit, NewPull};

use super::world::{CHECK, CHECKS, COMPARE, CONTENTS, REPO, Setup, World};

const ACT: &str = "mode: act\n";
const RENAMED: &str = "mode: act\nphases:\n  - { name: plan, label: stage/plan }\n  - { name: code }\n";

fn act() -> Setup {
    Setup { file: Some(ACT), ..Setup::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_request_gets_a_verdict_with_a_preview() {
    let world = World::with(act()).await;
    for n in 0..22 {
        world.ada.open_issue(&format!("Issue {n}"), "", &[]).unwrap();
    }
    world.minute().await;
    let head = world.push("topic", Some(RENAMED));
    let pull = world.pull("topic");
    world.minute().await;
    let check = world.check();
    assert_eq!(check["name"], "phasebot/policy");
    assert_eq!(check["head_sha"], head);
    assert_eq!((check["status"].as_str(), check["conclusion"].as_str()), (Some("completed"), Some("success")));
    let title = check["output"]["title"].as_str().unwrap();
    assert!(title.starts_with("Valid; 22 open items change their label. Next, "), "{title}");
    let summary = check["output"]["summary"].as_str().unwrap();
    assert!(summary.contains("**22 open items change their label** (23 open)"), "{summary}");
    assert!(summary.contains("- `phase/plan` → `stage/plan`: `#22` `#21`"), "{summary}");
    assert_eq!(summary.matches("`#").count(), 20);
    assert!(summary.contains("\n- and 2 more\n"), "{summary}");
    assert_eq!(world.labels(1), ["phase/plan"], "what is proposed is not in force");
    assert_eq!(world.labels(pull), ["phase/code"]);

    // A new head has a run of its own; the same head is not checked again.
    let runs = world.asked("POST", CHECKS).len();
    world.ada.label(pull, "bug").unwrap();
    world.minute().await;
    assert_eq!(world.asked("POST", CHECKS).len(), runs);
    // A request to re-run all checks writes this one again, too.
    world.ada.rerequest_all_checks("phasebot", &head).unwrap();
    let written = || world.asked("PATCH", &format!("{CHECKS}/{{check_run_id}}")).len();
    assert_eq!(written(), 0);
    world.minute().await;
    assert_eq!(written(), 1);
    let head = world.push("topic", Some("mode: acting\nmoed: 1\n"));
    world.minute().await;
    let check = world.check();
    assert_eq!((check["head_sha"].as_str(), check["conclusion"].as_str()), (Some(head.as_str()), Some("failure")));
    assert_eq!(check["output"]["title"], "Invalid. Next, its author: fix 2 problems before it is merged");
    let asked = world.check_request();
    let annotations = asked["output"]["annotations"].as_array().unwrap();
    let lines: Vec<_> =
        annotations.iter().map(|a| (a["path"].as_str().unwrap(), a["start_line"].as_u64().unwrap())).collect();
    assert_eq!(lines, [(".github/phasebot.yml", 1), (".github/phasebot.yml", 2)]);
    assert!(annotations[1]["message"].as_str().unwrap().contains("did you mean `mode`?"));
    assert_eq!(world.dead().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_request_may_remove_the_file() {
    let world = World::with(Setup { file: Some(RENAMED), ..Setup::default() }).await;
    world.ada.open_issue("One", "", &[]).unwrap();
    world.minute().await;
    world.push("topic", None);
    world.pull("topic");
    world.minute().await;
    let check = world.check();
    assert_eq!(check["conclusion"], "success");
    let title = check["output"]["title"].as_str().unwrap();
    assert!(title.starts_with("Removes the policy file, but it weakens protection in ") && title.contains("gates off"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_is_looked_at_and_never_in_force() {
    let world = World::with(act()).await;
    let issue = world.ada.open_issue("One", "", &[]).unwrap().made;
    let head = world.push("eve:topic", Some(RENAMED));
    world.pull("eve:topic");
    world.minute().await;
    let check = world.check();
    assert_eq!((check["head_sha"].as_str(), check["conclusion"].as_str()), (Some(head.as_str()), Some("success")));
    assert_eq!(world.labels(issue), ["phase/plan"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_fork_does_not_change_what_changed_meanwhile() {
    let world = World::with(act()).await;
    world.ada.push("eve:topic", &["Work".into()]).unwrap();
    world.push("main", Some("mode: act\nbranches: [next]\n"));
    world.pull("eve:topic");
    world.minute().await;
    assert!(world.asked("POST", CHECKS).is_empty());
    assert_eq!(world.calls(&[COMPARE]), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_mode_label_a_comment_says_it_and_is_kept_up_to_date() {
    let world = World::new().await;
    world.ada.open_issue("One", "", &[]).unwrap();
    world.push("topic", Some(RENAMED));
    let pull = world.pull("topic");
    world.minute().await;
    let comments = world.sim.comments(REPO, pull);
    assert_eq!(comments.len(), 1);
    assert!(
        comments[0]
            .1
            .starts_with("<!-- phasebot:policy -->\n✋ **`.github/phasebot.yml`: valid; 1 open item changes its"),
        "{comments:?}"
    );
    world.push("topic", Some("mood: 1\n"));
    world.minute().await;
    let comments = world.sim.comments(REPO, pull);
    assert_eq!(comments.len(), 1);
    assert!(comments[0].1.contains("fix 1 problem before it is merged"), "{comments:?}");
    world.push("topic", None);
    world.minute().await;
    let comments = world.sim.comments(REPO, pull);
    assert_eq!(comments.len(), 1);
    assert!(comments[0].1.contains("is unchanged.** Nothing to do."), "{comments:?}");
    assert!(world.asked("POST", CHECKS).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_leave_for_checks_a_comment_says_it() {
    let world = World::with(Setup { no_checks: true, ..act() }).await;
    world.push("topic", Some(RENAMED));
    let pull = world.pull("topic");
    world.minute().await;
    let comments = world.sim.comments(REPO, pull);
    assert_eq!(comments.len(), 1);
    assert!(comments[0].1.contains("yml`: valid; "), "{comments:?}");
    assert_eq!(world.dead().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_required_check_is_on_every_pull_request_and_group() {
    let required = "mode: act\npolicy_check: required\n";
    let world = World::with(Setup { file: Some(required), ..Setup::default() }).await;
    world.ada.push("topic", &["Work".into()]).unwrap();
    let pull = world.pull("topic");
    world.minute().await;
    let check = world.check();
    assert_eq!(
        (check["conclusion"].as_str(), check["output"]["title"].as_str()),
        (Some("success"), Some("Policy unchanged. Nothing to do"))
    );
    assert!(world.sim.comments(REPO, pull).is_empty());

    let group = world.ada.merge_group(pull).unwrap().made;
    world.minute().await;
    let check = world.check();
    assert_eq!((check["head_sha"].as_str(), check["conclusion"].as_str()), (Some(group.as_str()), Some("success")));

    let broken = world.ada.push("bad", &[super::world::commit(Some("mood: 1\n"))]).unwrap().made.remove(0);
    let pull = world.pull("bad");
    world.minute().await;
    let check = world.check();
    assert_eq!((check["head_sha"].as_str(), check["conclusion"].as_str()), (Some(broken.as_str()), Some("failure")));
    let group = world.ada.merge_group(pull).unwrap().made;
    world.minute().await;
    let check = world.check();
    assert_eq!((check["head_sha"].as_str(), check["conclusion"].as_str()), (Some(group.as_str()), Some("failure")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_is_there_is_brought_up_to_date() {
    let world = World::with(act()).await;
    let head = world.push("topic", Some(RENAMED));
    world.pull("topic");
    world.minute().await;
    // A second pull request from the same commit.
    world.ada.create_branch("again", "topic").unwrap();
    let new = NewPull { head: "again".into(), title: "Again".into(), ..NewPull::default() };
    world.ada.open_pull(&new).unwrap();
    world.minute().await;
    assert_eq!(world.asked("POST", CHECKS).len(), 1);
    assert_eq!(world.asked("PATCH", CHECK).len(), 1);
    assert_eq!(world.check()["head_sha"], head);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_lock_is_told_in_the_check() {
    let operator = "mode: act\nlocked: [branches]\n";
    let world = World::with(Setup { operator: Some(operator), ..Setup::default() }).await;
    world.push("topic", Some("branches: [next]\n"));
    world.pull("topic");
    world.minute().await;
    let check = world.check();
    let summary = check["output"]["summary"].as_str().unwrap();
    assert!(summary.contains("note: line 1: `branches` is locked by the operator's policy"), "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_in_doubt_is_made_once() {
    let world = World::with(act()).await;
    let fault = Fault { kind: FaultKind::Status502AfterApply, matcher: Matcher::of("POST", CHECKS) };
    world.sim.inject(fault, 1);
    world.push("topic", Some(RENAMED));
    world.pull("topic");
    world.run(SignedDuration::from_mins(10)).await;
    assert_eq!(world.calls_of("POST", CHECKS), 1, "done, though the answer was lost");
    assert_eq!(world.asked("PATCH", CHECK).len(), 1, "found again");
    assert_eq!(world.dead().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_looked_at_now_is_looked_at_later() {
    let world = World::with(act()).await;
    world.ada.open_issue("One", "", &[]).unwrap();
    world.minute().await;
    for route in [COMPARE, CONTENTS] {
        world.sim.inject(Fault { kind: FaultKind::Status502Before, matcher: Matcher::of("GET", route) }, 3);
    }
    let head = world.push("topic", Some(RENAMED));
    world.pull("topic");
    world.run(SignedDuration::from_mins(5)).await;
    assert_eq!(world.check()["head_sha"], head);
    assert_eq!(world.sim.faults_left(), 0);
}

fn required() -> Setup {
    Setup { file: Some("mode: act\npolicy_check: required\n"), ..Setup::default() }
}

const WRONG: &str = "mode: acting\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_request_that_is_turned_to_another_branch_is_looked_at_again() {
    let world = World::with(required()).await;
    let head = world.push("topic", Some(WRONG));
    world.ada.create_branch("decoy", &head).unwrap();
    world.minute().await;
    // Compared with a branch that already has the change, nothing is changed.
    let new = NewPull { head: "topic".into(), base: "decoy".into(), title: "Innocent".into(), ..NewPull::default() };
    let pull = world.ada.open_pull(&new).unwrap().made;
    world.minute().await;
    assert_eq!(world.check()["output"]["title"], "Policy unchanged. Nothing to do");
    world.ada.retarget(pull, "main").unwrap();
    world.minute().await;
    let check = world.check();
    assert_eq!((check["head_sha"].as_str(), check["conclusion"].as_str()), (Some(head.as_str()), Some("failure")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_pull_request_from_the_same_head_does_not_whitewash_it() {
    let world = World::with(required()).await;
    let head = world.push("topic", Some(WRONG));
    world.ada.create_branch("decoy", &head).unwrap();
    let first = world.pull("topic");
    world.minute().await;
    assert_eq!(world.check()["conclusion"], "failure");
    world.ada.close(first, "completed").unwrap();
    let new = NewPull { head: "topic".into(), base: "decoy".into(), title: "Innocent".into(), ..NewPull::default() };
    world.ada.open_pull(&new).unwrap();
    world.minute().await;
    world.ada.reopen(first).unwrap();
    world.minute().await;
    let check = world.check();
    assert_eq!((check["head_sha"].as_str(), check["conclusion"].as_str()), (Some(head.as_str()), Some("failure")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_read_fails_its_check() {
    let world = World::with(act()).await;
    let topics = [
        ("large", ".github/phasebot.yml", "# x\n".repeat(100_000), "larger than"),
        ("folder", ".github/phasebot.yml/inside", "mode: act\n".to_owned(), "it is a folder, not a file"),
    ];
    for (branch, path, text, why) in topics {
        let files = vec![(".github/phasebot.yml".to_owned(), None), (path.to_owned(), Some(text))];
        let commit = NewCommit { message: "Hide".to_owned(), files };
        world.ada.push(branch, &[commit]).unwrap();
        world.pull(branch);
        world.minute().await;
        let check = world.check();
        assert_eq!(check["conclusion"], "failure", "{branch}");
        assert!(check["output"]["summary"].as_str().unwrap().contains(why), "{branch}: {}", check["output"]["summary"]);
    }
    // A file that GitHub refuses to show does not count as deleted.
    world.sim.inject(Fault { kind: FaultKind::TooLarge403, matcher: Matcher::of("GET", CONTENTS) }, 1);
    world.push("huge", Some(RENAMED));
    world.pull("huge");
    world.minute().await;
    let check = world.check();
    assert_eq!(
        (check["conclusion"].as_str(), check["output"]["title"].as_str()),
        (
            Some("failure"),
            Some("The policy file cannot be read. Next, its author: make it a plain text file of at most 256 KiB")
        )
    );
    assert_eq!(world.dead().await, 0);
}
