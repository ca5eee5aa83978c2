//! The whole course of a deployment, and the points where it stops.

use jiff::SignedDuration;
use phasebot_forge_sim::{Fault, FaultKind, Matcher, Worker};

use super::stage::Stage;

const DEPLOYMENT: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: deployment, inputs: { region: { enum: [eu, us] } } } }
  production: { production: true, after: [staging], deploy: { via: deployment }, rollback: { waive: [deployed] } }
";
const WORKFLOW: &str = ".github/workflows/deploy.yml";
const DONE: [&str; 2] = ["eyes", "rocket"];
const REFUSED: [&str; 2] = ["-1", "eyes"];

async fn stage() -> Stage {
    Stage::new(DEPLOYMENT, &[], &[Worker::new(WORKFLOW, "deployment")]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_goes_all_the_way() {
    let stage = stage().await;
    stage.bob.tag("v1.0.0", "main").unwrap();
    stage.world.minute().await;
    stage.world.in_phase(stage.issue, "release");
    let comment = stage.bob.comment(stage.issue, "/deploy staging region=eu").unwrap().made;
    stage.world.minute().await;
    assert_eq!(stage.reactions(comment), ["eyes"], "{:#?}", stage.words());
    assert!(
        stage.words().iter().any(|text| text.contains("· deploying to ") || text.contains("waits")),
        "{:#?}",
        stage.words()
    );
    stage.work().await;
    let staging = ("staging".to_owned(), stage.merged.clone(), "success".to_owned());
    assert_eq!(stage.ours(), [staging], "{:#?}", stage.words());
    assert_eq!(stage.reactions(comment), DONE);
    stage.world.in_phase(stage.issue, "deploy");

    let comment = stage.bob.comment(stage.issue, "/promote production").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(comment), DONE, "{:#?}", stage.words());
    assert_eq!(stage.ours().len(), 2);
    stage.world.in_phase(stage.issue, "operate");
    stage.pass(35).await;
    stage.world.in_phase(stage.issue, "monitor");
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_says_why_and_starts_nothing() {
    let stage = stage().await;
    for (line, why) in [
        ("/deploy staging region=mars", "use one of `eu`, `us`"),
        ("/deploy staging colour=red", "declares no input `colour`"),
        ("/deploy staging ref=nowhere", "is not a branch, tag or commit"),
        ("/deploy nowhere", "No environment is called `nowhere`"),
        ("/rollback staging", "there is nothing to go back from"),
        ("/promote production", "Nothing runs in `staging`"),
        ("/unlock staging", "There is no lock on `staging`"),
    ] {
        let reactions = stage.say("carol", line).await;
        assert!(!reactions.contains(&"rocket".to_owned()), "{line}: {reactions:?}");
        assert!(stage.answer().contains(why), "{line}: {}", stage.answer());
    }
    assert!(stage.ours().is_empty());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_goes_back_and_locks() {
    let stage = stage().await;
    assert_eq!(stage.say("bob", "/deploy staging").await, ["eyes"]);
    stage.work().await;
    let newer = stage.push("Break it").await;
    stage.say("bob", "/deploy staging").await;
    stage.work().await;
    assert_eq!(stage.ours().last().unwrap().1, newer);
    let reactions = stage.say("bob", &format!("/deploy staging ref={}", &stage.merged[..12])).await;
    assert_eq!(reactions, REFUSED);
    assert!(stage.answer().contains("which contains this commit and more"), "{}", stage.answer());

    stage.say("carol", "/rollback staging").await;
    stage.work().await;
    let last = stage.ours().pop().unwrap();
    assert_eq!((last.1, last.2.as_str()), (stage.merged.clone(), "success"));
    // Nothing deploys the bad commit again, whoever asks, until a person removes the lock.
    let comment = stage.bob.colleague("carol").comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.ours().len(), 3, "{:#?}", stage.words());
    assert_eq!(stage.say("bob", "/unlock staging").await, DONE);
    stage.work().await;
    assert_eq!(stage.ours().len(), 4);
    assert_eq!(stage.reactions(comment), DONE);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_twice_and_two_at_once_start_one() {
    let stage = stage().await;
    let first = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    let again = stage.bob.colleague("carol").comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.ours().len(), 1, "{:#?}", stage.words());
    assert_eq!(stage.reactions(first), DONE);
    assert_eq!(stage.reactions(again), REFUSED);
    assert!(stage.answer().contains("asked for by `bob`"), "{}", stage.answer());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_never_begins_frees_the_environment() {
    let stage = Stage::new(DEPLOYMENT, &[], &[]).await;
    let comment = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.pass(4).await;
    assert_eq!(stage.reactions(comment), ["eyes"]);
    stage.pass(4).await;
    assert_eq!(stage.reactions(comment), REFUSED, "{:#?}", stage.words());
    assert!(stage.answer().contains("No workflow run started within 5 minutes"), "{}", stage.answer());
    assert_eq!(stage.ours()[0].2, "failure");
    stage.bob.add_worker(&Worker::new(WORKFLOW, "deployment")).unwrap();
    stage.say("bob", "/deploy staging").await;
    stage.work().await;
    assert_eq!(stage.ours()[1].2, "success");
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_fails_is_said() {
    let failing = Worker { conclusion: Some("failure".to_owned()), ..Worker::new(WORKFLOW, "deployment") };
    let stage = Stage::new(DEPLOYMENT, &[], &[failing]).await;
    let comment = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(comment), REFUSED);
    assert_eq!(stage.ours()[0].2, "failure");
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_began_before_we_heard_of_its_deployment_is_its_own() {
    let stage = stage().await;
    let lost = Matcher::of("POST", "/repos/{owner}/{repo}/deployments");
    stage.world.forge.inject(Fault { kind: FaultKind::Status502AfterApply, matcher: lost }, 1);
    let comment = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.settle().await;
    stage.bob.work().unwrap();
    stage.bob.work().unwrap();
    // The deployment is queried much later, when its run has ended.
    stage.pass(2).await;
    assert_eq!(stage.ours().len(), 1);
    assert_eq!(stage.reactions(comment), DONE, "{:#?}", stage.words());
    stage.world.check().await;
}

const TWO: &str = "version: 1
mode: act
environments:
  eu: { deploy: { via: deployment }, auto: { on: [tag] } }
  us: { deploy: { via: deployment }, auto: { on: [tag] } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_environments_at_one_commit_keep_their_runs_apart() {
    let stage = Stage::new(TWO, &[], &[Worker::new(WORKFLOW, "deployment")]).await;
    stage.bob.tag("v1.0.0", "main").unwrap();
    stage.world.minute().await;
    stage.work().await;
    stage.pass(10).await;
    let ended: Vec<_> = stage.ours().into_iter().map(|(environment, _, how)| (environment, how)).collect();
    let success = |name: &str| (name.to_owned(), "success".to_owned());
    assert_eq!(ended, [success("eu"), success("us")]);
    stage.world.check().await;
}

/// The workflow's deployment status arrives before our own `in_progress`, which would otherwise
/// stay forever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_progress_is_not_said_after_the_end() {
    const STATUSES: &str = "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses";
    for kind in [FaultKind::Status502Before, FaultKind::Status502AfterApply] {
        let hangs = Worker { conclusion: None, ..Worker::new(WORKFLOW, "deployment") };
        let stage = Stage::new(DEPLOYMENT, &[], &[hangs]).await;
        stage.world.forge.inject(Fault { matcher: Matcher::of("POST", STATUSES), kind }, 20);
        let comment = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
        stage.world.settle().await;
        let requests = stage.world.forge.requests();
        let made = requests.iter().find(|exchange| exchange.name() == "POST /repos/{owner}/{repo}/deployments");
        let deployment = made.and_then(|exchange| exchange.response.as_ref()?["id"].as_u64()).unwrap();
        // The run begins, GitHub answers 502, and the workflow's own script reports success.
        stage.world.run(SignedDuration::from_secs(5)).await;
        assert!(stage.world.forge.faults_left() < 20, "it was tried");
        stage.world.deployed(deployment, "success");
        stage.world.settle().await;
        stage.world.forge.clear_faults();
        stage.pass(10).await;
        assert_eq!(stage.ours()[0].2, "success", "{kind:?}: {:#?}", stage.words());
        assert_eq!(stage.reactions(comment), DONE);
        stage.world.check().await;
    }
}
