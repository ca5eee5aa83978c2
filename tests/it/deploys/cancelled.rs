//! Runs that are cancelled, over HTTP: before a job began nothing was deployed, later it is a failure.

use phasebot_forge_sim::Worker;

use super::stage::Stage;

const POLICY: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: deployment } }
";

/// Returns the newest run that GitHub told of.
fn newest_run(stage: &Stage) -> u64 {
    let told = stage.world.forge.deliveries();
    let runs = told.iter().filter(|delivery| delivery.event == "workflow_run");
    runs.filter_map(|delivery| delivery.payload["workflow_run"]["id"].as_u64()).max().unwrap()
}

async fn cancel(stage: &Stage) {
    assert!(stage.bob.colleague("github-actions[bot]").cancel_run(newest_run(stage)).unwrap().made);
    stage.world.minute().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_a_job_began_nothing_is_deployed_and_nothing_failed() {
    let stage = Stage::new(POLICY, &[], &[Worker::new(".github/workflows/deploy.yml", "deployment")]).await;
    stage.say("bob", "/deploy staging").await;
    stage.work().await;
    let first = stage.merged.clone();
    let second = stage.push("Later").await;
    stage.say("bob", "/deploy staging").await;
    cancel(&stage).await;
    let states = || stage.ours().into_iter().map(|(_, sha, state)| (sha, state)).collect::<Vec<_>>();
    let state = |sha: &String, state: &str| (sha.clone(), state.to_owned());
    assert_eq!(states(), [state(&first, "success"), state(&second, "inactive")]);
    let said = stage.answer();
    assert!(said.contains("was cancelled before a job began, so `staging` is unchanged"), "{said}");
    let checks = stage.world.forge.check_runs(crate::flow::REPO, &second);
    assert!(checks.iter().all(|check| check["conclusion"] != "failure"), "{checks:#?}");

    // The next one is cancelled while its job runs.
    stage.say("bob", "/deploy staging").await;
    stage.bob.work().unwrap();
    stage.world.minute().await;
    cancel(&stage).await;
    assert_eq!(states().last(), Some(&state(&second, "failure")));
    let said = stage.answer();
    assert!(said.contains("was cancelled") && said.contains("/rollback staging"), "{said}");
    stage.world.check().await;
}
