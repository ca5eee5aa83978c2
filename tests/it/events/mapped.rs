//! JSON whose fields the settings name: Argo CD's notifications.

use jiff::SignedDuration;
use serde_json::json;

use super::sent::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_argo_cd_sync_brings_a_change_to_operate() {
    let stage = Stage::new().await;
    stage.world.person("bob").tag("v1.0.0", &stage.merged).unwrap();
    stage.world.minute().await;
    stage.world.in_phase(stage.pull, "release");
    let (status, answer) = stage.send("argocd", &stage.argo("Running", &stage.merged)).await;
    assert_eq!((status, answer["status"].as_str()), (202, Some("accepted")), "{answer}");
    stage.world.in_phase(stage.pull, "deploy");
    let done = stage.argo("Succeeded", &stage.merged);
    assert_eq!(stage.send("argocd", &done).await.0, 202);
    stage.world.in_phase(stage.pull, "operate");
    // Argo CD repeats its notifications.
    assert_eq!(stage.send("argocd", &done).await.0, 202);
    assert_eq!(stage.note().await, "kept; nothing moved");
    stage.world.run(SignedDuration::from_mins(40)).await;
    stage.world.in_phase(stage.pull, "monitor");
    assert_eq!(stage.world.phases_shown(stage.pull), ["code", "build", "release", "deploy", "operate", "monitor"]);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_start_changes_nothing_and_a_removal_ends_it() {
    let stage = Stage::new().await;
    let running = stage.argo("Running", &stage.merged);
    stage.world.minute().await;
    stage.send("argocd", &stage.argo("Succeeded", &stage.merged)).await;
    stage.world.in_phase(stage.pull, "operate");
    stage.send("argocd", &running).await;
    stage.world.in_phase(stage.pull, "operate");
    stage.send("argocd", &json!({ "id": "gone", "environment": "Production", "state": "removed" })).await;
    stage.world.run(SignedDuration::from_mins(2)).await;
    stage.world.in_phase(stage.pull, "build");
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_names_its_commit_and_a_stray_commit_moves_nothing() {
    let stage = Stage::new().await;
    let stray = "8f3a".repeat(10);
    stage.send("argocd", &stage.argo("Succeeded", &stray)).await;
    assert!(stage.note().await.contains("8f3a8f3 is not in this repository"), "{}", stage.note().await);
    stage.world.in_phase(stage.pull, "build");
    stage.send("argocd", &stage.argo("Succeeded", "v9.9.9")).await;
    assert!(stage.note().await.contains("\"v9.9.9\" is neither"), "{}", stage.note().await);
    stage.world.person("bob").tag("v1.0.0", &stage.merged).unwrap();
    stage.world.minute().await;
    stage.send("argocd", &stage.argo("Succeeded", "v1.0.0")).await;
    stage.world.in_phase(stage.pull, "operate");
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_says_too_little_is_kept_and_ignored() {
    let stage = Stage::new().await;
    let commit = &stage.merged;
    for (body, note) in [
        (json!({}), "its state, \"\", is none"),
        (json!({ "state": "Unknown", "commit": commit, "environment": "production" }), "its state, \"Unknown\""),
        (json!({ "state": "Succeeded", "commit": commit }), "names no environment"),
        (json!({ "state": "Succeeded", "environment": "production" }), "names no commit"),
        (json!({ "state": "Running", "commit": commit, "environment": "production" }), "has no id"),
        (json!({ "state": "Succeeded", "commit": commit, "environment": "production" }), "neither an id nor a time"),
        (json!({ "state": "removed", "environment": "production" }), "neither an id nor a time"),
        (json!({ "id": 1, "state": "Succeeded", "commit": commit, "environment": "production\u{7}" }), "is no name"),
        (json!({ "id": 1, "state": "Succeeded", "commit": commit, "environment": "e".repeat(300) }), "is no name"),
        (
            json!({
                "id": 1, "state": "Succeeded", "commit": commit, "environment": "production",
                "repository": "evil/shop"
            }),
            "may not report on \"evil/shop\"",
        ),
        (
            json!({
                "id": 1, "state": "Succeeded", "commit": commit, "environment": "production",
                "repository": { "name": "x" }
            }),
            "its repository is not a name",
        ),
    ] {
        assert_eq!(stage.send("argocd", &body).await.0, 202);
        let said = stage.note().await;
        assert!(said.contains(note), "{body}: {said}");
        stage.world.in_phase(stage.pull, "build");
    }
    stage.world.check().await;
}

/// A sender whose clock is ahead must not outlast the reports that follow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_in_the_future_counts_as_now() {
    let stage = Stage::new().await;
    let mut early = stage.argo("Succeeded", &stage.merged);
    early["at"] = json!("2099-01-01T00:00:00Z");
    stage.send("argocd", &early).await;
    stage.world.in_phase(stage.pull, "operate");
    let mut failed = stage.argo("Failed", &stage.merged);
    failed["id"] = early["id"].clone();
    stage.send("argocd", &failed).await;
    stage.world.in_phase(stage.pull, "build");
}
