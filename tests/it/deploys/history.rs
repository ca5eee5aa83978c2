//! Commits that really run: GitHub lists a workflow's deployment at its branch's head, but the
//! workflow deploys the commit in its input; a failed deployment does not run.

use phasebot_forge_sim::{MergeMethod, Worker};

use super::stage::{Stage, WORKFLOW};
use crate::flow::REPO;

const FILE: &str = ".github/workflows/deploy.yml";
const DONE: [&str; 2] = ["eyes", "rocket"];
const BY_WORKFLOW: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: workflow_dispatch, workflow: deploy.yml } }
";
const BY_DEPLOYMENT: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: deployment } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_counts_after_a_workflow_rolled_back_from_a_newer_branch() {
    let worker = Worker { environment: Some("staging".to_owned()), ..Worker::new(FILE, "workflow_dispatch") };
    let stage = Stage::new(BY_WORKFLOW, &[(FILE, WORKFLOW)], &[worker]).await;
    assert_eq!(stage.say("bob", "/deploy staging").await, ["eyes"]);
    stage.work().await;
    let pull = stage.world.open_pull("feature/two", "Something more");
    stage.world.minute().await;
    let newer = stage.bob.merge_pull(pull, MergeMethod::Squash).unwrap().made;
    stage.world.minute().await;
    stage.say("bob", "/deploy staging").await;
    stage.work().await;
    // The run starts from the newer commit, and receives the older one.
    stage.say("bob", "/rollback staging").await;
    stage.work().await;
    let given = |n: usize| stage.world.forge.dispatched(REPO)[n].inputs["phasebot_sha"].clone();
    assert_eq!((given(1), given(2)), (newer.as_str().into(), stage.merged.as_str().into()));

    let hold = stage.bob.comment(pull, "/hold it breaks the basket").unwrap().made;
    stage.world.minute().await;
    assert_eq!(stage.reactions(hold), DONE);
    assert_eq!(stage.say("bob", "/unlock staging").await, DONE);
    let asked = stage.say("bob", "/deploy staging").await;
    stage.work().await;
    assert_eq!(stage.world.forge.dispatched(REPO).len(), 3, "{:#?}", stage.words());
    assert_eq!(asked, ["eyes"]);
    let held = |text: &String| text.contains(&format!("#{pull} is on hold by `bob`"));
    assert!(stage.words().iter().any(held), "{:#?}", stage.words());

    let unhold = stage.bob.comment(pull, "/unhold").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(unhold), DONE);
    assert_eq!(given(3), newer.as_str());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_goes_to_the_last_commit_that_ran_well() {
    let stage = Stage::new(BY_DEPLOYMENT, &[], &[Worker::new(FILE, "deployment")]).await;
    let mut commits = vec![stage.merged.clone()];
    for message in ["Good", "Broken", "Still broken"] {
        commits.push(stage.push(message).await);
    }
    for (commit, how) in commits.iter().zip(["success", "success", "failure", "failure"]) {
        let deployment = stage.world.deploy(commit, "staging");
        stage.world.minute().await;
        stage.world.deployed(deployment, how);
        stage.world.minute().await;
    }
    let before = stage.ours().len();
    let comment = stage.bob.comment(stage.issue, "/rollback staging").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(comment), DONE, "{:#?}", stage.words());
    let back = stage.ours().split_off(before);
    assert_eq!(back, [("staging".to_owned(), commits[1].clone(), "success".to_owned())]);
    let short = |n: usize| &commits[n][..7];
    let words = stage.words().into_iter().rfind(|text| text.starts_with("<!-- phasebot:note")).unwrap_or_default();
    assert!(
        words.contains(&format!("is back on [`{}`]", short(1))) && words.contains("which has run since "),
        "{words}"
    );
    assert!(words.contains(&format!("Left out: [`{}`]", short(3))) && words.contains(short(2)), "{words}");
    stage.world.check().await;
}
