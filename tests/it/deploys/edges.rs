//! Exceptional deployments: a branch that moves, a run that is re-run, a fork, an answer without a
//! deployment, and deployments without a request.

use phasebot_forge_sim::{Fault, FaultKind, Matcher, NewPull, Worker};

use super::stage::{LOOSE, Stage};
use crate::flow::{BOT, REPO};

const FILE: &str = ".github/workflows/deploy.yml";
const DONE: [&str; 2] = ["eyes", "rocket"];
const REFUSED: [&str; 2] = ["-1", "eyes"];
const BEST_EFFORT: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: workflow_dispatch, workflow: deploy.yml }, pin: best_effort }
";
const PLAIN: &str = "version: 1
mode: act
environments:
  staging: { unmerged: true, deploy: { via: deployment } }
";
const ON_MERGE: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: deployment }, auto: { on: [merge] } }
";
const GATED: &str = "version: 1
mode: act
environments:
  staging: { require: [checks: { named: [unit tests] }] }
";

fn worker() -> Worker {
    Worker::new(FILE, "deployment")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_moves_at_the_last_moment_is_noticed() {
    let moves = Worker { moves: true, ..Worker::new(FILE, "workflow_dispatch") };
    let stage = Stage::new(BEST_EFFORT, &[(FILE, LOOSE)], std::slice::from_ref(&moves)).await;
    assert_eq!(stage.say("bob", "/deploy staging").await, REFUSED);
    assert!(stage.answer().contains("instead of"), "{}", stage.answer());
    let run = stage.world.forge.dispatched(REPO)[0].run;
    assert_eq!(stage.world.forge.run_state(REPO, run), Some((1, "completed".to_owned())), "it was cancelled");
    // The environment is free again.
    stage.bob.add_worker(&Worker { moves: false, ..moves }).unwrap();
    let again = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(again), DONE, "{:#?}", stage.words());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_job_that_is_run_again_is_answered_again() {
    let file = ".github/workflows/release.yml";
    let release = Worker {
        environment: Some("staging".to_owned()),
        protected: true,
        conclusion: Some("failure".to_owned()),
        ..Worker::new(file, "push")
    };
    let stage = Stage::new(GATED, &[], &[release]).await;
    stage.world.pass_checks(&stage.merged);
    let run = stage.bob.start_run(file, "main", "push").unwrap().made;
    stage.work().await;
    let approved = || {
        let answers = stage.world.forge.protection_answers(REPO);
        answers.iter().filter(|answer| answer.run == run && answer.state.as_deref() == Some("approved")).count()
    };
    assert_eq!((approved(), stage.world.forge.run_state(REPO, run)), (1, Some((1, "completed".to_owned()))));
    stage.bob.rerun(run).unwrap();
    stage.work().await;
    assert_eq!(approved(), 2, "the second attempt waits for a word of its own");
    assert_eq!(stage.world.forge.run_state(REPO, run), Some((2, "completed".to_owned())));
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forks_head_takes_a_review_of_that_very_commit() {
    let stage = Stage::new(PLAIN, &[], &[worker()]).await;
    let mallory = stage.bob.colleague("mallory");
    mallory.push("mallory:patch", &["From outside".into()]).unwrap();
    let new = NewPull { head: "mallory:patch".into(), title: "A gift".into(), ..NewPull::default() };
    let pull = mallory.open_pull(&new).unwrap().made;
    stage.world.minute().await;
    let say = async |text: &str| {
        let comment = stage.bob.comment(pull, text).unwrap().made;
        stage.world.minute().await;
        stage.work().await;
        stage.reactions(comment)
    };
    assert_eq!(say("/deploy staging").await, REFUSED);
    let said = |text: &str| stage.world.forge.comments(REPO, pull).iter().any(|(by, t)| by == BOT && t.contains(text));
    assert!(said("comes from a fork"));
    stage.bob.colleague("carol").approve(pull).unwrap();
    stage.world.minute().await;
    mallory.push("mallory:patch", &["And one more".into()]).unwrap();
    stage.world.minute().await;
    assert_eq!(say("/deploy staging").await, REFUSED, "the review was of another commit");
    stage.bob.colleague("carol").approve(pull).unwrap();
    stage.world.minute().await;
    assert_eq!(say("/deploy staging").await, DONE, "{:#?}", stage.world.forge.comments(REPO, pull));
    assert_eq!(stage.ours().len(), 1);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_a_deployment_starts_nothing() {
    let stage = Stage::new(PLAIN, &[], &[worker()]).await;
    let posts = Matcher::of("POST", "/repos/{owner}/{repo}/deployments");
    stage.world.forge.inject(Fault { kind: FaultKind::Accepted202, matcher: posts }, 1);
    assert_eq!(stage.say("bob", "/deploy staging").await, REFUSED);
    assert!(stage.answer().contains("made no deployment"), "{}", stage.answer());
    let again = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(again), DONE, "{:#?}", stage.words());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_deploys_itself_and_its_failure_shows_on_the_commit() {
    let stage = Stage::new(ON_MERGE, &[], &[worker()]).await;
    stage.work().await;
    let staging = |sha: &String, how: &str| ("staging".to_owned(), sha.clone(), how.to_owned());
    assert_eq!(stage.ours().last(), Some(&staging(&stage.merged, "success")), "{:#?}", stage.ours());
    stage.bob.add_worker(&Worker { conclusion: Some("failure".to_owned()), ..worker() }).unwrap();
    let (made, words) = (stage.ours().len(), stage.words().len());
    let sha = stage.push("Break it").await;
    stage.work().await;
    assert_eq!(stage.ours().len(), made + 1);
    assert_eq!(stage.ours().last(), Some(&staging(&sha, "failure")));
    let runs = stage.world.forge.check_runs(REPO, &sha);
    let ours = runs.iter().rfind(|run| run["name"] == "phasebot/deploy/staging").expect("a check run");
    assert_eq!(ours["conclusion"], "failure");
    assert!(ours["output"]["title"].as_str().unwrap().starts_with("Gate passed, deploy failed"), "{ours}");
    let summary = ours["output"]["summary"].as_str().unwrap();
    assert!(summary.contains("[step \u{201c}Deploy\u{201d} of job \u{201c}deploy\u{201d}]("), "{summary}");
    assert!(summary.contains("#step:2:1)"), "{summary}");
    assert_eq!(stage.words().len(), words, "nobody is written to");
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_step_that_github_does_not_name_delays_nothing() {
    let fails = Worker { conclusion: Some("failure".to_owned()), ..worker() };
    let stage = Stage::new(ON_MERGE, &[], &[fails]).await;
    let jobs = Matcher::of("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs");
    stage.world.forge.inject(Fault { kind: FaultKind::Forbidden403, matcher: jobs }, 100);
    let sha = stage.push("Break it").await;
    stage.work().await;
    let runs = stage.world.forge.check_runs(REPO, &sha);
    let ours = runs.iter().rfind(|run| run["name"] == "phasebot/deploy/staging").expect("a check run");
    let summary = ours["output"]["summary"].as_str().unwrap();
    assert!(summary.contains("failed: [run of `deploy.yml`](") && !summary.contains("step"), "{summary}");
}

/// The queried ref is stored, so its length must be limited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ref_longer_than_any_is_refused_before_it_is_looked_for() {
    let policy = "version: 1\nmode: act\nenvironments:\n  staging: { deploy: { via: deployment } }\n";
    let stage = Stage::new(policy, &[], &[]).await;
    stage.world.forge.clear_requests();
    let long = "x".repeat(256);
    for command in [format!("/deploy staging ref={long}"), format!("/rollback staging to={long}")] {
        assert_eq!(stage.say("bob", &command).await, ["confused", "eyes"], "{:#?}", stage.words());
        assert!(stage.answer().contains("is longer than any branch, tag or commit"), "{}", stage.answer());
    }
    assert!(!stage.world.calls().iter().any(|call| call.contains("/commits/")), "{:#?}", stage.world.calls());
    stage.world.check().await;
}
