//! Automatic deployments.

use phasebot_forge_sim::Worker;

use super::stage::Stage;
use crate::flow::REPO;

const WORKFLOW: &str = ".github/workflows/deploy.yml";

/// Returns title, conclusion and summary of our newest check run for an environment on a commit.
fn check(stage: &Stage, environment: &str, sha: &str) -> (String, String, String) {
    let mut runs = stage.world.forge.check_runs(REPO, sha);
    runs.retain(|run| run["name"] == format!("phasebot/deploy/{environment}"));
    let run = runs.pop().expect("a check run");
    let word = |pointer: &str| run.pointer(pointer).and_then(|word| word.as_str()).unwrap_or_default().to_owned();
    (word("/output/title"), word("/conclusion"), word("/output/summary"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lower_version_is_left_to_people() {
    const POLICY: &str = "mode: act
branches: ['release/*']
environments: { Production: { production: true, deploy: { via: deployment }, auto: { on: [tag] } } }
";
    let stage = Stage::new(POLICY, &[], &[Worker::new(WORKFLOW, "deployment")]).await;
    stage.bob.create_branch("release/1.9", &stage.merged).unwrap();
    let newer = stage.push("What is new in 2.0").await;
    stage.bob.tag("v2.0.0", &newer).unwrap();
    stage.world.minute().await;
    stage.work().await;
    let two = ("Production".to_owned(), newer.clone(), "success".to_owned());
    assert_eq!(stage.ours(), std::slice::from_ref(&two), "as the policy writes it");

    let backport = stage.bob.push("release/1.9", &["Mend 1.9".into()]).unwrap().made.pop().unwrap();
    stage.bob.tag("v1.9.8", &backport).unwrap();
    stage.world.minute().await;
    stage.work().await;
    assert_eq!(stage.ours(), [two], "2.0.0 goes on running");
    let (title, conclusion, summary) = check(&stage, "production", &backport);
    let says = "Not deployed — v1.9.8 is lower than v2.0.0, which production runs, so it is not deployed automatically";
    assert!(title.starts_with(says), "{title}");
    assert_eq!(conclusion, "failure");
    assert!(summary.contains("`/deploy production ref=v1.9.8` deploys it all the same."), "{summary}");

    // A command deploys it.
    stage.say("bob", "/deploy production ref=v1.9.8").await;
    stage.work().await;
    assert_eq!(stage.ours().last().map(|(_, sha, state)| (sha, state.as_str())), Some((&backport, "success")));
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_environment_takes_its_own_tags() {
    const POLICY: &str = "mode: act
environments:
  api-prod: { deploy: { via: deployment }, auto: { on: [tag], tags: 'api/v*' } }
  web-prod: { deploy: { via: deployment }, auto: { on: [tag], tags: ['web-v*', 'web/v*'] } }
";
    let stage = Stage::new(POLICY, &[], &[Worker::new(WORKFLOW, "deployment")]).await;
    stage.bob.tag("api/v1.4.0", &stage.merged).unwrap();
    stage.world.minute().await;
    stage.work().await;
    let api = ("api-prod".to_owned(), stage.merged.clone(), "success".to_owned());
    assert_eq!(stage.ours(), [api]);
    stage.world.check().await;
}
