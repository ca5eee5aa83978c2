//! Gates between command and start, waiting jobs, and automatic starts.

use phasebot_forge_sim::Worker;

use super::stage::Stage;
use crate::flow::REPO;

const FILE: &str = ".github/workflows/deploy.yml";
const DONE: [&str; 2] = ["eyes", "rocket"];
const CHECKS: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: deployment }, require: [checks: { named: [unit tests] }] }
";
const AUTO: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: deployment }, auto: { on: [tag] } }
";
const REFUSES: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: deployment }, when_busy: refuse }
";
const LABEL: &str = "version: 1
environments:
  staging: { deploy: { via: deployment } }
";

fn worker() -> Worker {
    Worker::new(FILE, "deployment")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_waits_for_its_gate_and_starts_once_it_is_open() {
    let stage = Stage::new(CHECKS, &[], &[worker()]).await;
    let comment = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.minute().await;
    assert!(stage.ours().is_empty(), "{:#?}", stage.words());
    assert_eq!(stage.reactions(comment), ["eyes"]);
    assert!(stage.words().iter().any(|text| text.contains("waits: ")), "{:#?}", stage.words());
    stage.world.pass_checks(&stage.merged);
    stage.pass(3).await;
    stage.work().await;
    assert_eq!(stage.reactions(comment), DONE, "{:#?}", stage.words());
    assert_eq!(stage.ours().len(), 1);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_turns_red_before_the_start_stops_it() {
    let stage = Stage::new(CHECKS, &[], &[worker()]).await;
    stage.world.pass_checks(&stage.merged);
    stage.pass(3).await;
    // The command and the failed check arrive together: the command is decided first, and the check
    // before anything is sent.
    stage.bob.comment(stage.issue, "/deploy staging").unwrap();
    let actions = stage.world.person("github-actions");
    let check = actions.start_check(&stage.merged, "unit tests").unwrap().made;
    actions.complete_check(check, "failure").unwrap();
    stage.pass(3).await;
    stage.work().await;
    assert!(stage.ours().is_empty(), "{:#?} {:#?}", stage.ours(), stage.words());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_that_begins_meanwhile_holds_it() {
    let stage = Stage::new(CHECKS, &[], &[worker()]).await;
    stage.say("bob", "/deploy staging").await;
    stage.say("dan", "/freeze staging until=2h holidays").await;
    stage.world.pass_checks(&stage.merged);
    stage.pass(5).await;
    assert!(stage.ours().is_empty());
    stage.say("dan", "/unfreeze staging").await;
    stage.pass(3).await;
    stage.work().await;
    assert_eq!(stage.ours().len(), 1, "{:#?}", stage.words());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_deploys_itself_once() {
    let stage = Stage::new(AUTO, &[], &[worker()]).await;
    stage.bob.tag("v1.0.0-rc.1", "main").unwrap();
    stage.pass(2).await;
    assert!(stage.ours().is_empty(), "a pre-release starts nothing");
    stage.bob.tag("v1.0.0", "main").unwrap();
    stage.world.minute().await;
    stage.work().await;
    stage.pass(90).await;
    let staging = ("staging".to_owned(), stage.merged.clone(), "success".to_owned());
    assert_eq!(stage.ours(), [staging]);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_runs_the_next_waits_or_is_refused() {
    let hangs = Worker { conclusion: None, ..worker() };
    let stage = Stage::new(REFUSES, &[], &[hangs]).await;
    stage.say("bob", "/deploy staging").await;
    stage.push("More").await;
    assert_eq!(stage.say("carol", "/deploy staging").await, ["-1", "eyes"]);
    assert!(stage.answer().contains("(by `bob` (#1)) is under way since"), "{}", stage.answer());
    assert_eq!(stage.ours().len(), 1);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_mode_act_the_command_says_what_to_set() {
    let stage = Stage::new(LABEL, &[], &[worker()]).await;
    assert_eq!(stage.say("bob", "/deploy staging").await, ["-1", "eyes"]);
    assert!(stage.answer().contains("add `mode: act`"), "{}", stage.answer());
    assert!(stage.ours().is_empty());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_tells_and_does_nothing() {
    let stage = Stage::new(CHECKS, &[], &[worker()]).await;
    assert_eq!(stage.say("bob", "/deploy staging dry-run").await, DONE);
    assert!(stage.answer().contains("would not start yet"), "{}", stage.answer());
    stage.world.pass_checks(&stage.merged);
    stage.pass(3).await;
    assert!(stage.ours().is_empty());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_deployment_is_not_taken_for_ours() {
    let hangs = Worker { conclusion: None, ..worker() };
    let stage = Stage::new(REFUSES, &[], &[]).await;
    stage.bob.add_worker(&hangs).unwrap();
    let comment = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.minute().await;
    let theirs = stage.world.deploy("main", "staging");
    stage.world.deployed(theirs, "success");
    stage.pass(3).await;
    assert_eq!(stage.reactions(comment), ["eyes"], "{:#?}", stage.words());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_job_is_let_go_on_when_its_gate_opens() {
    let release = Worker {
        environment: Some("staging".to_owned()),
        protected: true,
        ..Worker::new(".github/workflows/release.yml", "push")
    };
    let stage = Stage::new(CHECKS, &[], &[release]).await;
    let run = stage.bob.start_run(".github/workflows/release.yml", "main", "push").unwrap().made;
    stage.bob.work().unwrap();
    stage.world.minute().await;
    let answers = || stage.world.forge.protection_answers(REPO);
    assert_eq!(answers().len(), 1, "{:?}", answers());
    assert_eq!((answers()[0].run, answers()[0].state.clone()), (run, None));
    assert!(answers()[0].comment.contains("phasebot waits for `unit tests`"), "{:?}", answers());
    stage.world.pass_checks(&stage.merged);
    stage.pass(3).await;
    let last = answers().pop().unwrap();
    assert_eq!(last.state.as_deref(), Some("approved"), "{:?}", answers());
    // The gate closes before the job has begun: an approval cannot be revoked, so the run is
    // stopped.
    let actions = stage.world.person("github-actions");
    let check = actions.start_check(&stage.merged, "unit tests").unwrap().made;
    actions.complete_check(check, "failure").unwrap();
    stage.pass(3).await;
    assert_eq!(stage.world.forge.run_state(REPO, run), Some((1, "completed".to_owned())));
    stage.world.check().await;
}
