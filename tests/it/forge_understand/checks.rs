//! Check runs, commit statuses, workflow runs.

use phasebot::domain::event::{CheckSeen, CheckSource, RunOutcome, RunTrigger, Seen, StatusSeen, WorkflowSeen};
use serde_json::{Value, json};

use super::fixture::{Fixture, OUR_APP, fixture, sha, time};

fn check(fixture: &Fixture) -> CheckSeen {
    match fixture.seen() {
        Seen::Check(check) => check,
        seen => panic!("no check run: {seen:?}"),
    }
}

#[test]
fn a_check_run_ends() {
    let completed = fixture("check_run.completed");
    let expected = CheckSeen {
        source_name: "github-actions".to_owned(),
        id: 5101,
        sha: sha("c"),
        name: "test (stable)".to_owned(),
        source: CheckSource(15368),
        suite: Some(5001),
        started_at: time("2026-11-02T12:01:05Z"),
        completed: Some((time("2026-11-02T12:04:55Z"), RunOutcome::Success)),
        ours: false,
        asked_again: false,
        url: String::new(),
    };
    assert_eq!(check(&completed), expected);
    assert_eq!(completed.event().at, time("2026-11-02T12:04:55Z"));
    assert!(check(&completed.with("/check_run/app/id", OUR_APP)).ours);
}

#[test]
fn conclusions_are_judged() {
    for (conclusion, outcome) in [
        (json!("success"), RunOutcome::Success),
        (json!("failure"), RunOutcome::Failure),
        (json!("timed_out"), RunOutcome::Failure),
        (json!("action_required"), RunOutcome::Failure),
        (json!("startup_failure"), RunOutcome::Failure),
        (json!("neutral"), RunOutcome::Skipped),
        (json!("skipped"), RunOutcome::Skipped),
        (json!("cancelled"), RunOutcome::Cancelled),
        (json!("stale"), RunOutcome::NoVerdict),
        (json!("a new one"), RunOutcome::NoVerdict),
        (Value::Null, RunOutcome::NoVerdict),
    ] {
        let seen = check(&fixture("check_run.completed").with("/check_run/conclusion", conclusion.clone()));
        assert_eq!(seen.completed.map(|(_, outcome)| outcome), Some(outcome), "{conclusion}");
    }
}

#[test]
fn what_has_not_ended_runs() {
    for status in ["queued", "in_progress", "waiting", "requested", "pending", "a new one"] {
        let running = fixture("check_run.completed").with("/check_run/status", status);
        assert_eq!(check(&running).completed, None, "{status}");
        assert_eq!(running.event().at, time("2026-11-02T12:01:05Z"));
    }
}

#[test]
fn without_its_end_a_check_run_ended_as_its_suite_changed() {
    let endless = fixture("check_run.completed").without("/check_run/completed_at");
    assert_eq!(check(&endless).completed, Some((time("2026-11-02T12:05:00Z"), RunOutcome::Success)));
    let statusless = fixture("check_run.completed").without("/check_run/status");
    assert_eq!(check(&statusless).completed, Some((time("2026-11-02T12:04:55Z"), RunOutcome::Success)));
}

#[test]
fn an_unknown_app_is_not_ours() {
    let anonymous = check(&fixture("check_run.completed").with("/check_run/app", Value::Null));
    assert_eq!((anonymous.source, anonymous.ours), (CheckSource::UNKNOWN, false));
    let reason = fixture("check_run.completed").without("/check_run/head_sha").reason();
    assert_eq!(reason, "check_run payload without check_run.head_sha");
}

#[test]
fn a_suite_says_nothing_beside_its_runs() {
    assert!(fixture("check_suite.completed").reason().contains("check_run"));
}

#[test]
fn our_own_suite_can_be_asked_for_again() {
    let rerequested = fixture("check_suite.completed").with("/action", "rerequested");
    let others = "the checks of another App are to run again";
    assert_eq!(rerequested.reason(), others);
    assert_eq!(rerequested.clone().without("/check_suite/app").reason(), others);
    let ours = rerequested.with("/check_suite/app/id", OUR_APP);
    assert_eq!(ours.seen(), Seen::ChecksRerequested { sha: sha("c") });
    let lacks = ours.without("/check_suite/head_sha");
    assert_eq!(lacks.reason(), "check_suite payload without check_suite.head_sha");
}

#[test]
fn a_commit_status_is_set() {
    let status = fixture("status");
    let expected = StatusSeen {
        id: 5201,
        sha: sha("c"),
        context: "ci/jenkins".to_owned(),
        outcome: RunOutcome::Success,
        at: time("2026-11-02T12:06:01Z"),
        url: "https://jenkins.example.org/job/9".to_owned(),
        ours: false,
    };
    assert_eq!(status.seen(), Seen::Status(expected.clone()));
    assert_eq!(status.event().name, "status");
    assert_eq!(status.event().at, expected.at);
    for (state, outcome) in [
        ("pending", RunOutcome::Running),
        ("failure", RunOutcome::Failure),
        ("error", RunOutcome::Failure),
        ("a new one", RunOutcome::NoVerdict),
    ] {
        let seen = status.clone().with("/state", state).seen();
        assert_eq!(seen, Seen::Status(StatusSeen { outcome, ..expected.clone() }));
    }
    assert_eq!(status.clone().without("/sha").seen(), Seen::Status(expected.clone()));
    let Seen::Status(older) = status.without("/updated_at").seen() else { panic!("a status") };
    assert_eq!(older.at, time("2026-11-02T12:06:00Z"));
}

#[test]
fn a_workflow_run_tells_its_trigger() {
    let run = fixture("workflow_run.completed");
    let expected = WorkflowSeen {
        id: 5301,
        sha: sha("c"),
        suite: Some(5001),
        trigger: RunTrigger::Schedule,
        outcome: RunOutcome::Failure,
        attempt: 1,
        title: String::new(),
        workflow: String::new(),
        created_at: Some(time("2026-11-03T02:00:00Z")),
        url: String::new(),
        started_by: Vec::new(),
    };
    assert_eq!(run.seen(), Seen::Workflow(expected));
    assert_eq!(run.event().at, time("2026-11-03T02:10:00Z"));
    let queued = run.with("/workflow_run/status", "queued").with("/workflow_run/conclusion", Value::Null);
    let Seen::Workflow(queued) = queued.seen() else { panic!("a workflow run") };
    assert_eq!(queued.outcome, RunOutcome::Running);
}
