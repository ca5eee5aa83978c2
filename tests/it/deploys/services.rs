//! Two services in one repository, over HTTP: from the push's file lists to labels and `/status`.

use phasebot_forge_sim::{MergeMethod, NewCommit, NewDeployment, NewPull, Worker};

use super::stage::Stage;
use crate::flow::REPO;

const POLICY: &str = "version: 1
mode: act
services:
  web: { paths: [\"web/**\"], tags: [\"web-v*\"], environments: [web-prod] }
  api: { paths: [\"api/**\"], tags: [\"api-v*\"], environments: [api-prod] }
environments:
  web-prod: { production: true }
  api-prod: { production: true }
";

/// Each service deploys itself.
const BY_ITSELF: &str = "version: 1
mode: act
services:
  web: { paths: [\"web/**\"], environments: [web-prod] }
  api: { paths: [\"api/**\"], environments: [api-prod] }
environments:
  web-prod: { production: true, deploy: { via: deployment }, auto: { on: [merge] } }
  api-prod: { production: true, deploy: { via: deployment }, auto: { on: [merge] } }
";

/// Merges a pull request that adds these files; returns its number and merge commit.
async fn merged(stage: &Stage, branch: &str, files: &[&str]) -> (u64, String) {
    stage.bob.create_branch(branch, "main").unwrap();
    let files = files.iter().map(|path| ((*path).to_owned(), Some("text".to_owned()))).collect();
    stage.bob.push(branch, &[NewCommit { message: format!("Work on {branch}"), files }]).unwrap();
    let new = NewPull { title: branch.into(), head: branch.into(), base: "main".into(), ..NewPull::default() };
    let number = stage.bob.open_pull(&new).unwrap().made;
    stage.world.minute().await;
    let commit = stage.bob.merge_pull(number, MergeMethod::Squash).unwrap().made;
    stage.world.minute().await;
    (number, commit)
}

async fn deployed(stage: &Stage, environment: &str, commit: &str) {
    let new =
        NewDeployment { reference: commit.to_owned(), environment: environment.into(), ..NewDeployment::default() };
    let deployment = stage.bob.deployment(&new).unwrap().made;
    stage.world.deployed(deployment, "success");
    stage.world.minute().await;
}

/// Returns how often GitHub was asked for the files of a change.
fn questions_about_files(stage: &Stage) -> usize {
    stage.world.calls().iter().filter(|call| call.contains("/files") || call.ends_with("/commits/{ref}")).count()
}

/// Merges a pull request whose push never arrives, and lets the time pass in which it might.
async fn merged_unseen(stage: &Stage, branch: &str, files: &[&str]) -> u64 {
    stage.bob.create_branch(branch, "main").unwrap();
    let files = files.iter().map(|path| ((*path).to_owned(), Some("text".to_owned()))).collect();
    stage.bob.push(branch, &[NewCommit { message: format!("Work on {branch}"), files }]).unwrap();
    let new = NewPull { title: branch.into(), head: branch.into(), base: "main".into(), ..NewPull::default() };
    let number = stage.bob.open_pull(&new).unwrap().made;
    stage.world.minute().await;
    stage.bob.merge_pull(number, MergeMethod::Squash).unwrap();
    for delivery in stage.world.forge.take_pending() {
        if delivery.event == "push" {
            stage.world.forge.lose(&delivery);
        } else {
            stage.world.forge.send(&delivery).await;
        }
    }
    stage.pass(3).await;
    number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_whose_push_is_lost_costs_one_question_with_services_and_none_without() {
    let stage = Stage::new(POLICY, &[], &[]).await;
    let web = merged_unseen(&stage, "web", &["web/page.html"]).await;
    assert_eq!(questions_about_files(&stage), 1);
    let later = stage.push("Later").await;
    stage.bob.tag("web-v1.0.0", &later).unwrap();
    stage.pass(3).await;
    assert_eq!(stage.world.label(web).as_deref(), Some("phase/release"), "it belongs to `web` alone");
    stage.world.check().await;

    let plain = Stage::new("version: 1\nmode: act\n", &[], &[]).await;
    merged_unseen(&plain, "web", &["web/page.html"]).await;
    assert_eq!(questions_about_files(&plain), 0);
    plain.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_moves_only_what_belongs_to_it() {
    let stage = Stage::new(POLICY, &[], &[]).await;
    let (web, _) = merged(&stage, "web", &["web/page.html"]).await;
    let (api, _) = merged(&stage, "api", &["api/main.rs"]).await;
    let (both, last) = merged(&stage, "both", &["web/b.html", "api/b.rs"]).await;
    let (docs, _) = merged(&stage, "docs", &["README.md"]).await;
    let labels = || [web, api, both, docs].map(|number| stage.world.label(number).unwrap_or_default());
    assert_eq!(labels(), ["phase/build"; 4]);
    stage.bob.tag("web-v1.0.0", &last).unwrap();
    stage.world.minute().await;
    assert_eq!(labels(), ["phase/release", "phase/build", "phase/build", "phase/build"]);
    deployed(&stage, "web-prod", &last).await;
    assert_eq!(labels(), ["phase/operate", "phase/build", "phase/build", "phase/build"]);
    stage.bob.comment(both, "/status").unwrap();
    stage.world.minute().await;
    let shown: String = stage.world.forge.comments(REPO, both).into_iter().map(|(_, text)| text).collect();
    assert!(shown.contains("- `api`: `build`") && shown.contains("- `web`: `operate`"), "{shown}");
    deployed(&stage, "api-prod", &last).await;
    assert_eq!(labels(), ["phase/operate", "phase/operate", "phase/operate", "phase/build"]);
    assert_eq!(questions_about_files(&stage), 0, "pushes list the files");
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_service_deploys_itself_shows_what_it_would_carry_and_goes_back_alone() {
    let worker = Worker::new(".github/workflows/deploy.yml", "deployment");
    let stage = Stage::new(BY_ITSELF, &[], &[worker]).await;
    let deployed = |environment: &str| -> Vec<String> {
        let ours = stage.ours().into_iter().filter(|(to, ..)| to == environment);
        ours.map(|(_, sha, state)| format!("{sha} {state}")).collect()
    };
    let (first, one) = merged(&stage, "web-one", &["web/one.html"]).await;
    stage.work().await;
    let (_, two) = merged(&stage, "api-one", &["api/one.rs"]).await;
    stage.work().await;
    let (second, three) = merged(&stage, "web-two", &["web/two.html"]).await;
    stage.work().await;
    let success = |sha: &String| format!("{sha} success");
    assert!(deployed("web-prod").ends_with(&[success(&one), success(&three)]), "{:?}", deployed("web-prod"));
    assert_eq!(deployed("api-prod").last(), Some(&success(&two)));
    let labels = || [first, second].map(|number| stage.world.label(number).unwrap_or_default());
    let runs = |label: &String| ["phase/operate", "phase/monitor"].contains(&label.as_str());
    assert!(labels().iter().all(runs), "{:?}", labels());

    stage.say("bob", "/diff api-prod").await;
    stage.pass(2).await;
    let said = stage.answer();
    assert!(!said.contains("web-two") && said.contains("other service"), "{said}");
    stage.say("bob", "/diff web-prod ref=main").await;
    assert!(stage.answer().contains("runs"), "{}", stage.answer());

    let before = deployed("api-prod");
    stage.say("bob", "/rollback web-prod").await;
    stage.work().await;
    assert_eq!(deployed("web-prod").last(), Some(&success(&one)), "{:#?}", stage.words());
    assert_eq!(deployed("api-prod"), before);
    assert_eq!(labels().each_ref().map(runs), [true, false], "the rollback took the newer one back");
    stage.world.check().await;
}
