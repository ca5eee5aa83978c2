//! An environment for each pull request: made, replaced and torn down.

use phasebot_forge_sim::{Fault, FaultKind, Matcher, Worker};

use super::stage::Stage;
use crate::flow::REPO;

const POLICY: &str = "version: 1
mode: act
environments:
  preview:
    per: pull_request
    deploy: { via: deployment }
    label: preview
    teardown: preview-down.yml
    max: 2
";
const DEPLOY: &str = ".github/workflows/deploy.yml";
const DOWN: &str = ".github/workflows/preview-down.yml";
const TEARDOWN: &str = "on:\n  workflow_dispatch:\n    inputs:\n      phasebot_environment: {}\n";
const DISPATCHES: &str = "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";

async fn stage() -> Stage {
    let workers = [Worker::new(DEPLOY, "deployment"), Worker::new(DOWN, "workflow_dispatch")];
    Stage::new(POLICY, &[(DOWN, TEARDOWN)], &workers).await
}

fn torn_down(stage: &Stage) -> Vec<String> {
    let runs = stage.world.forge.dispatched(REPO).into_iter().filter(|run| run.workflow == DOWN);
    runs.map(|run| run.inputs["phasebot_environment"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_labelled_pull_request_is_deployed_and_torn_down_when_it_closes() {
    let stage = stage().await;
    let pull = stage.world.open_pull("topic", "");
    stage.world.minute().await;
    let name = format!("preview/pr-{pull}");
    assert!(stage.ours().is_empty());
    stage.bob.label(pull, "preview").unwrap();
    stage.world.minute().await;
    stage.work().await;
    let states = || stage.ours().into_iter().map(|(to, _, state)| (to, state)).collect::<Vec<_>>();
    assert_eq!(states(), [(name.clone(), "success".to_owned())]);
    let created = stage.world.writes().into_iter().find(|exchange| exchange.route.ends_with("/deployments")).unwrap();
    let body = created.request.unwrap();
    assert_eq!((&body["transient_environment"], &body["production_environment"]), (&true.into(), &false.into()));
    stage.world.in_phase(pull, "code");

    stage.bob.push("topic", &["More".into()]).unwrap();
    stage.world.minute().await;
    // It is closed while the second head deploys.
    assert_eq!(states().len(), 2);
    stage.bob.close(pull, "").unwrap();
    stage.world.minute().await;
    assert_eq!(torn_down(&stage), [""; 0]);
    stage.work().await;
    assert_eq!(torn_down(&stage), [name]);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_makes_one_and_a_teardown_that_fails_is_told() {
    let stage = stage().await;
    let pull = stage.world.open_pull("topic", "");
    stage.world.minute().await;
    stage.bob.comment(pull, "/deploy preview").unwrap();
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.ours().len(), 1);
    let refused = FaultKind::Refused { status: 422, message: "Workflow is disabled" };
    stage.world.forge.inject(Fault { kind: refused, matcher: Matcher::of("POST", DISPATCHES) }, 1);
    stage.bob.close(pull, "").unwrap();
    stage.world.minute().await;
    stage.work().await;
    let words = stage.world.comments_of_ours(pull).concat();
    let told = words.contains("still exists") && words.contains("Workflow is disabled");
    assert!(told, "{words}");
    assert_eq!(torn_down(&stage), [""; 0]);
}
