//! Commits of strangers: a fork's job, a fork's commit, or a tag with the name of a branch.

use phasebot_forge_sim::{NewCommit, NewDeployment, NewPull, Person, Worker};

use super::stage::{Stage, WORKFLOW};
use crate::flow::REPO;

const FILE: &str = ".github/workflows/deploy.yml";
const DONE: [&str; 2] = ["eyes", "rocket"];
const REFUSED: [&str; 2] = ["-1", "eyes"];
const POLICY: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: deployment } }
  production: { production: true, after: [staging], deploy: { via: deployment } }
";

/// Opens a stranger's pull request from a fork, on top of main; returns its number and head.
fn stranger(stage: &Stage) -> (Person, u64, String) {
    let eve = stage.bob.colleague("eve");
    let head = eve.push("eve:main", &[NewCommit::from("Mine")]).unwrap().made.pop().unwrap();
    let new = NewPull { title: "Mine".into(), head: "eve:main".into(), base: "main".into(), ..NewPull::default() };
    let number = eve.open_pull(&new).unwrap().made;
    (eve, number, head)
}

/// A job of a fork's pull request names `production` and succeeds: no item changes, nothing is
/// blocked because of it, and nothing continues because of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_a_forks_pull_request_is_no_run() {
    let ci = ".github/workflows/ci.yml";
    let job = Worker { environment: Some("production".to_owned()), ..Worker::new(ci, "pull_request") };
    let stage = Stage::new(POLICY, &[], &[job, Worker::new(FILE, "deployment")]).await;
    let (eve, number, head) = stranger(&stage);
    stage.world.minute().await;
    eve.start_run(ci, "eve:main", "pull_request").unwrap();
    stage.work().await;
    assert_eq!(stage.world.label(stage.issue).as_deref(), Some("phase/build"));

    let status = stage.bob.comment(number, "/status").unwrap().made;
    stage.world.minute().await;
    assert_eq!(stage.reactions(status), DONE);
    let shown = stage.world.forge.comments(REPO, number).into_iter().map(|(_, text)| text).collect::<String>();
    assert!(shown.contains("put nothing there") && shown.contains(&format!("of [`{}`]", &head[..7])), "{shown}");
    let asked = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(asked), DONE, "{:#?}", stage.words());
    let asked = stage.bob.comment(stage.issue, "/promote production").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(asked), DONE, "{:#?}", stage.words());
    let last = stage.ours().pop().unwrap();
    assert_eq!(last, ("production".to_owned(), stage.merged.clone(), "success".to_owned()));
    let back = stage.say("bob", "/rollback production").await;
    assert_eq!(back, REFUSED, "the fork's commit is no place to go back to: {:#?}", stage.words());
    stage.world.check().await;
}

/// A deployment through the API at a fork's commit: GitHub finds the commit under this repository's
/// name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_at_a_forks_commit_is_no_run() {
    let stage = Stage::new(POLICY, &[], &[]).await;
    let (_, _, head) = stranger(&stage);
    stage.world.minute().await;
    let new = NewDeployment { reference: head.clone(), environment: "staging".into(), ..NewDeployment::default() };
    let deployment = stage.bob.deployment(&new).unwrap().made;
    stage.world.deployed(deployment, "success");
    stage.world.minute().await;
    assert_eq!(stage.say("bob", "/promote production").await, REFUSED);
    let words = stage.words().join("\n");
    assert!(words.contains("**Nothing runs in `staging`.**"), "{words}");
    assert_eq!(stage.say("bob", &format!("/deploy staging ref={head}")).await, REFUSED, "{:#?}", stage.words());
    stage.world.check().await;
}

/// Somebody pushes a tag with the default branch's name, at a commit that is on no branch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_called_like_the_default_branch_is_not_the_branch() {
    let policy = "version: 1
mode: act
environments:
  staging: { deploy: { via: workflow_dispatch, workflow: deploy.yml } }
";
    let worker = Worker { environment: Some("staging".to_owned()), ..Worker::new(FILE, "workflow_dispatch") };
    let stage = Stage::new(policy, &[(FILE, WORKFLOW)], &[worker]).await;
    stage.bob.create_branch("topic", "main").unwrap();
    let head = stage.bob.push("topic", &[NewCommit::from("Not merged")]).unwrap().made.pop().unwrap();
    stage.bob.tag("main", &head).unwrap();
    stage.world.minute().await;
    let asked = stage.say("bob", &format!("/deploy staging ref={head}")).await;
    stage.work().await;
    assert_eq!(asked, REFUSED, "{:#?}", stage.words());
    assert!(stage.world.forge.dispatched(REPO).is_empty());
    // Without a ref, the default branch is meant.
    let comment = stage.bob.comment(stage.issue, "/deploy staging").unwrap().made;
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.reactions(comment), DONE, "{:#?}", stage.words());
    let given = stage.world.forge.dispatched(REPO);
    assert_eq!(given.iter().map(|run| run.sha.as_str()).collect::<Vec<_>>(), [stage.merged.as_str()]);
    assert_eq!(given[0].inputs["phasebot_sha"], stage.merged.as_str());
    stage.world.check().await;
}
