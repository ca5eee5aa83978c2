//! `github = true`: what another system deployed, among GitHub's own deployments.

use phasebot_forge_sim::{Exchange, Fault, FaultKind, Matcher};

use super::sent::{MIRRORED, Stage};
use crate::flow::REPO;

const DEPLOYMENTS: &str = "/repos/{owner}/{repo}/deployments";
const STATUSES: &str = "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses";

fn created(stage: &Stage) -> usize {
    let is_creation = |exchange: &&Exchange| exchange.method == "POST" && exchange.route == DEPLOYMENTS;
    stage.world.writes().iter().filter(is_creation).count()
}

fn shown(stage: &Stage) -> Vec<(String, String, String)> {
    stage.world.forge.deployments(REPO)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reported_deployment_is_shown_once_and_does_not_come_back_as_another() {
    let stage = Stage::with(MIRRORED, "version: 1\nmode: act\n").await;
    stage.send("argocd", &stage.argo("Running", &stage.merged)).await;
    let expected = |state: &str| vec![("production".to_owned(), stage.merged.clone(), state.to_owned())];
    assert_eq!(shown(&stage), expected("in_progress"));
    let done = stage.argo("Succeeded", &stage.merged);
    stage.send("argocd", &done).await;
    stage.send("argocd", &done).await;
    assert_eq!((shown(&stage), created(&stage)), (expected("success"), 1));
    stage.world.in_phase(stage.pull, "operate");
    assert_eq!(stage.world.phases_shown(stage.pull), ["code", "build", "deploy", "operate"]);
    let comment = stage.world.person("bob").comment(stage.pull, "/where production").unwrap();
    stage.world.minute().await;
    let words = stage.world.comments_of_ours(stage.pull).concat();
    assert_eq!(words.matches("argocd").count(), 1, "{} {words}", comment.made);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_leads_to_no_second_deployment() {
    for (route, kind) in [
        (DEPLOYMENTS, FaultKind::ResetAfterApply),
        (STATUSES, FaultKind::Status502Before),
        (STATUSES, FaultKind::ResetAfterApply),
    ] {
        let stage = Stage::with(MIRRORED, "version: 1\nmode: act\n").await;
        stage.world.forge.inject(Fault { matcher: Matcher::of("POST", route), kind }, 1);
        stage.send("argocd", &stage.argo("Succeeded", &stage.merged)).await;
        stage.world.minute().await;
        let expected = [("production".to_owned(), stage.merged.clone(), "success".to_owned())];
        assert_eq!((shown(&stage), created(&stage)), (expected.to_vec(), 1), "{route} {kind:?}");
        // What exists is searched only if its creation got no answer.
        let searched = stage.world.calls().iter().any(|call| call == &format!("GET {DEPLOYMENTS}"));
        assert_eq!(searched, route == DEPLOYMENTS, "{route} {kind:?}");
        stage.world.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_setting_or_without_the_mode_nothing_is_shown() {
    for (settings, policy) in [(super::sent::SETTINGS, "version: 1\nmode: act\n"), (MIRRORED, "version: 1\n")] {
        let stage = Stage::with(settings, policy).await;
        stage.send("argocd", &stage.argo("Succeeded", &stage.merged)).await;
        stage.world.in_phase(stage.pull, "operate");
        assert_eq!(shown(&stage), []);
    }
}
