//! Deployments by `workflow_dispatch`: inputs, comparisons and cancellations.

use phasebot_forge_sim::{Fault, FaultKind, Matcher, Worker};

use super::stage::{LOOSE, Stage, WORKFLOW};
use crate::flow::REPO;

const STRICT: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: workflow_dispatch, workflow: deploy.yml, inputs: { region: { enum: [eu, us] } } } }
";
const BEST_EFFORT: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: workflow_dispatch, workflow: deploy.yml }, pin: best_effort }
";
const FILE: &str = ".github/workflows/deploy.yml";
const DONE: [&str; 2] = ["eyes", "rocket"];
const REFUSED: [&str; 2] = ["-1", "eyes"];

fn worker() -> Worker {
    Worker { environment: Some("staging".to_owned()), ..Worker::new(FILE, "workflow_dispatch") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_is_told_what_it_declares_and_followed_to_its_end() {
    let stage = Stage::new(STRICT, &[(FILE, WORKFLOW)], &[worker()]).await;
    stage.bob.tag("v1.0.0", "main").unwrap();
    stage.world.minute().await;
    let later = stage.push("Something newer").await;
    let comment = stage.bob.comment(stage.issue, "/deploy staging ref=v1.0.0 region=eu").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(comment), DONE, "{:#?}", stage.words());
    let started = stage.world.forge.dispatched(REPO);
    assert_eq!(started.len(), 1);
    let inputs = &started[0].inputs;
    assert_eq!(inputs["phasebot_sha"], stage.merged.as_str());
    assert_eq!((&inputs["phasebot_environment"], &inputs["region"]), (&"staging".into(), &"eu".into()));
    assert!(inputs["phasebot_request"].as_str().unwrap().starts_with("pb-comment-"));
    // The deployment of its job counts for the commit in the input; no second one was created.
    assert!(stage.ours().is_empty());
    stage.world.in_phase(stage.issue, "deploy");

    // The environment runs the commit in the input, not the one that the run started from.
    stage.say("bob", "/deploy staging").await;
    stage.work().await;
    assert_eq!(stage.world.forge.dispatched(REPO)[1].inputs["phasebot_sha"], later.as_str());
    let back = stage.bob.comment(stage.issue, "/rollback staging").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(back), DONE, "{:#?}", stage.words());
    assert_eq!(stage.world.forge.dispatched(REPO)[2].inputs["phasebot_sha"], stage.merged.as_str());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_that_cannot_be_told_the_commit_is_not_started() {
    let stage = Stage::new(STRICT, &[(FILE, LOOSE)], &[worker()]).await;
    assert_eq!(stage.say("bob", "/deploy staging").await, REFUSED);
    assert!(stage.answer().contains("does not declare the input phasebot\\_sha"), "{}", stage.answer());
    assert!(stage.world.forge.dispatched(REPO).is_empty());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_best_effort_its_branch_must_stand_at_the_commit() {
    let stage = Stage::new(BEST_EFFORT, &[(FILE, LOOSE)], &[worker()]).await;
    let comment = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(comment), DONE, "{:#?}", stage.words());
    stage.bob.tag("v1.0.0", "main").unwrap();
    stage.push("Something newer").await;
    let sha = stage.merged.clone();
    stage.say("bob", "/deploy staging").await;
    stage.work().await;
    assert_eq!(stage.say("bob", &format!("/rollback staging to={}", &sha[..10])).await, REFUSED);
    assert!(stage.answer().contains("does not stand at"), "{}", stage.answer());
    assert_eq!(stage.world.forge.dispatched(REPO).len(), 2);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_that_takes_the_request_and_never_runs() {
    let dead = Worker { dead: true, ..worker() };
    let stage = Stage::new(STRICT, &[(FILE, WORKFLOW)], &[dead]).await;
    let comment = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.pass(8).await;
    assert_eq!(stage.reactions(comment), REFUSED, "{:#?}", stage.words());
    assert!(stage.answer().contains("No workflow run started within 5 minutes"), "{}", stage.answer());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_hangs_is_let_go_of_by_unlock() {
    let hangs = Worker { conclusion: None, ..worker() };
    let stage = Stage::new(STRICT, &[(FILE, WORKFLOW)], &[hangs]).await;
    let comment = stage.bob.comment(stage.issue, "/deploy staging region=us").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(comment), ["eyes"]);
    assert_eq!(stage.say("carol", "/unlock staging").await, DONE);
    stage.world.minute().await;
    assert_eq!(stage.reactions(comment), REFUSED);
    assert!(stage.answer().contains("the workflow keeps running"), "{}", stage.answer());
    stage.world.check().await;
}

/// GitHub's refusals are reported in its own words, with a remedy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_dispatch_is_answered_in_githubs_words() {
    const DISPATCH: &str = "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";
    for (status, message, advice) in [
        (422, "Workflow does not have 'workflow_dispatch' trigger", "add workflow_dispatch to the events under on:"),
        (422, "No ref found for: refs/heads/main", "is gone: deploy another branch, tag or commit"),
        (403, "Resource not accessible by integration", "the App needs another permission"),
        (404, "Not Found", "must be on the default branch, too"),
    ] {
        let stage = Stage::new(STRICT, &[(FILE, WORKFLOW)], &[worker()]).await;
        let kind = FaultKind::Refused { status, message };
        stage.world.forge.inject(Fault { kind, matcher: Matcher::of("POST", DISPATCH) }, 3);
        let comment = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
        stage.pass(2).await;
        assert_eq!(stage.reactions(comment), REFUSED, "{:#?}", stage.words());
        let answer = stage.answer();
        let answer = answer.replace('\\', "");
        assert!(answer.contains(&format!("“{message}: ")) && answer.contains(advice), "{answer}");
        assert!(stage.world.forge.dispatched(REPO).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_is_called_cancelled() {
    let cancelled = Worker { conclusion: Some("cancelled".to_owned()), ..worker() };
    let stage = Stage::new(STRICT, &[(FILE, WORKFLOW)], &[cancelled]).await;
    let comment = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(comment), REFUSED, "{:#?}", stage.words());
    assert!(stage.answer().contains("was cancelled"), "{}", stage.answer());
}
