//! Two services in one repository, over HTTP: from the push's file lists to labels and `/status`.

use phasebot_forge_sim::{MergeMethod, NewCommit, NewDeployment, NewPull};

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
    let asked = stage.world.forge.requests();
    let about_files = asked.iter().filter(|exchange| format!("{exchange:?}").contains("/files")).count();
    assert_eq!(about_files, 0, "pushes list the files");
    stage.world.check().await;
}
