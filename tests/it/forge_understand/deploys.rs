//! Releases, deployments, protection rules.

use phasebot::domain::event::{DeployState, DeployStatus, DeploymentSeen, ProtectionSeen, ReleaseSeen, Seen};
use serde_json::Value;

use super::fixture::{bot, fixture, received_at, sha, time};

fn deployment() -> DeploymentSeen {
    DeploymentSeen {
        from_fork: None,
        transient: false,
        source: None,
        id: 5501,
        sha: sha("c"),
        reference: "v1.2.0".to_owned(),
        environment: "production".to_owned(),
        production: Some(true),
        created_at: time("2026-11-03T10:00:00Z"),
        creator: Some(bot("ci-runner[bot]")),
        run: None,
        status: None,
    }
}

#[test]
fn a_release_is_published_edited_and_withdrawn() {
    let published = fixture("release.published");
    let at = time("2026-11-03T09:00:00Z");
    let expected = ReleaseSeen {
        id: 5401,
        tag: "v1.2.0".to_owned(),
        target: "main".to_owned(),
        draft: false,
        prerelease: false,
        published_at: Some(at),
        withdrawn: false,
    };
    assert_eq!(published.seen(), Seen::Release(expected.clone()));
    assert_eq!(published.event().at, at);
    for action in ["deleted", "unpublished"] {
        let withdrawn = published.clone().with("/action", action);
        assert_eq!(withdrawn.seen(), Seen::Release(ReleaseSeen { withdrawn: true, ..expected.clone() }));
        assert_eq!(withdrawn.event().at, received_at(), "it was not withdrawn when it was published");
    }
    let edited = published.with("/action", "edited").with("/release/updated_at", "2026-11-03T09:30:00Z");
    assert_eq!(edited.seen(), Seen::Release(expected));
    assert_eq!(edited.event().at, time("2026-11-03T09:30:00Z"));
}

#[test]
fn a_draft_is_not_published() {
    let draft = fixture("release.published").with("/action", "created").with("/release/draft", true);
    let Seen::Release(seen) = draft.seen() else { panic!("a release") };
    assert!(seen.draft);
    assert_eq!(seen.published_at, None);
    let pre = fixture("release.published").with("/release/prerelease", true);
    assert!(matches!(pre.seen(), Seen::Release(ReleaseSeen { prerelease: true, .. })));
    assert_eq!(pre.without("/release/tag_name").reason(), "release payload without release.tag_name");
}

#[test]
fn a_deployment_is_asked_for() {
    let created = fixture("deployment.created");
    assert_eq!(created.seen(), Seen::Deployment(deployment()));
    assert_eq!(created.event().at, time("2026-11-03T10:00:00Z"));
    let unflagged = created.without("/deployment/production_environment");
    assert_eq!(
        unflagged.seen(),
        Seen::Deployment(DeploymentSeen { from_fork: None, production: None, ..deployment() })
    );
}

#[test]
fn a_deployment_goes_through_its_states() {
    let created = fixture("deployment_status.created");
    let at = time("2026-11-03T10:05:00Z");
    for (state, expected) in [
        ("success", DeployState::Success),
        ("in_progress", DeployState::InProgress),
        ("pending", DeployState::Waiting),
        ("queued", DeployState::Waiting),
        ("waiting", DeployState::Waiting),
        ("failure", DeployState::Failure),
        ("error", DeployState::Failure),
        ("inactive", DeployState::Inactive),
        ("a new one", DeployState::Inactive),
    ] {
        let fixture = created.clone().with("/deployment_status/state", state);
        let status = Some(DeployStatus { at, id: 5601, state: expected });
        assert_eq!(
            fixture.seen(),
            Seen::Deployment(DeploymentSeen { from_fork: None, status, ..deployment() }),
            "{state}"
        );
        assert_eq!(fixture.event().at, at);
    }
    let reason = created.without("/deployment_status/id").reason();
    assert_eq!(reason, "deployment_status payload without deployment_status.id");
}

#[test]
fn a_status_may_move_a_deployment_to_another_environment() {
    let moved = fixture("deployment_status.created").with("/deployment_status/environment", "blue");
    assert!(
        matches!(moved.seen(), Seen::Deployment(DeploymentSeen { from_fork: None, environment, .. }) if environment == "blue")
    );
    let unsaid = fixture("deployment_status.created").with("/deployment_status/environment", "");
    assert!(
        matches!(unsaid.seen(), Seen::Deployment(DeploymentSeen { from_fork: None, environment, .. }) if environment == "production")
    );
}

#[test]
fn a_job_waits_for_a_protection_rule() {
    let requested = fixture("deployment_protection_rule.requested");
    let expected = ProtectionSeen {
        of_pull: false,
        run: Some(5301),
        environment: "production".to_owned(),
        sha: Some(sha("c")),
        deployment: Some(5501),
        creator: Some(bot("ci-runner[bot]")),
    };
    assert_eq!(requested.seen(), Seen::Protection(expected.clone()));
    let without_deployment = requested.clone().without("/deployment");
    assert_eq!(
        without_deployment.seen(),
        Seen::Protection(ProtectionSeen { sha: None, deployment: None, creator: None, ..expected })
    );
    let neither = without_deployment.with("/environment", Value::Null);
    assert_eq!(neither.reason(), "deployment_protection_rule payload without environment");
}

#[test]
fn of_a_callback_only_the_run_is_read() {
    for (url, run) in [
        ("https://ghe.example.org/api/v3/repos/a/b/actions/runs/7/deployment_protection_rule", Some(7)),
        ("https://evil.example.org/actions/runs/8/deployment_protection_rule?x=/actions/runs/9", Some(8)),
        ("https://api.github.com/repos/a/b/actions/runs/x/deployment_protection_rule", None),
        ("https://api.github.com/repos/a/b/runs/7/deployment_protection_rule", None),
        ("https://api.github.com/repos/a/b/actions/runs/7/other", None),
        ("", None),
    ] {
        let fixture = fixture("deployment_protection_rule.requested").with("/deployment_callback_url", url);
        let seen = fixture.seen();
        assert!(matches!(seen, Seen::Protection(ProtectionSeen { run: r, .. }) if r == run), "{url}");
        assert!(!format!("{:?}", fixture.event()).contains("evil"));
    }
}
