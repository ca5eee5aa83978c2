//! The condition `database`, over HTTP.

use std::time::Duration;

use jiff::SignedDuration;

use phasebot_forge_sim::{Fault, FaultKind, Matcher};

use super::Stage;

const POLICY: &str = "
version: 1
mode: act
environments:
  production: { database: { connection: db, match: any } }
gates:
  release: { on: { tag: \"v*\" }, require: [database: { environment: production, want: deployed }] }
";

const RELEASE: &str = "phasebot/release";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_waits_for_its_schema_change_which_webhooks_tell() {
    let stage = Stage::new(POLICY).await;
    let number = stage.database.open("add-index", &[("ALTER TABLE `orders` ADD KEY `k` (`id`)", false)]);
    let commit = stage.tag("v1.0.0").await;
    let (conclusion, title) = stage.gate(RELEASE, &commit);
    assert!(conclusion.is_empty() && title.contains("schema change 1 of db"), "{conclusion} {title}");
    // Nobody tells it: the database is asked.
    let before = stage.check_requests();
    assert!(before > 0);
    stage.database.set_state(number, "complete_error");
    assert_eq!(stage.tell("deploy_request.errored", number).await, 202);
    assert_eq!(stage.gate(RELEASE, &commit).0, "failure", "{:?}", stage.gate(RELEASE, &commit));
    stage.database.set_state(number, "complete_pending_revert");
    assert_eq!(stage.tell("deploy_request.schema_applied", number).await, 202);
    assert_eq!(stage.gate(RELEASE, &commit).0, "success", "{:?}", stage.gate(RELEASE, &commit));
    stage.check_requests();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_whose_webhooks_get_lost_is_asked() {
    let stage = Stage::new(POLICY).await;
    let number = stage.database.open("add-index", &[("ALTER TABLE `orders` ADD KEY `k` (`id`)", false)]);
    let commit = stage.tag("v1.0.0").await;
    stage.database.set_state(number, "complete");
    stage.database.change(number, |request| request.closed = true);
    stage.world.run(SignedDuration::from_mins(3)).await;
    assert_eq!(stage.gate(RELEASE, &commit).0, "success", "{:?}", stage.gate(RELEASE, &commit));
    let asked = stage.check_requests();
    // A tenth of the time that nothing changed: at most eleven times in an hour, then once an hour.
    stage.world.run(SignedDuration::from_mins(60)).await;
    let an_hour = stage.check_requests() - asked;
    assert!(an_hour < 60, "{an_hour} requests in the first hour");
    stage.world.run(SignedDuration::from_mins(24 * 60)).await;
    let before = stage.check_requests();
    stage.world.run(SignedDuration::from_mins(3 * 60)).await;
    let later = stage.check_requests() - before;
    assert!(later <= 10, "{later} requests in three hours a day later");
}

/// Whatever the database answers but a state that passes, the gate stays shut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_unknown_passes() {
    let any = |kind| Fault { matcher: Matcher::any(), kind };
    let refused = |status| FaultKind::Refused { status, message: "@everyone no" };
    for kind in [
        FaultKind::Status502Before,
        FaultKind::ResetBefore,
        FaultKind::RateLimit429 { retry_after: Duration::from_secs(30) },
        refused(401),
        refused(403),
        refused(404),
    ] {
        let stage = Stage::new(POLICY).await;
        stage.database.inject(any(kind), 1000);
        let commit = stage.tag("v1.0.0").await;
        stage.world.run(SignedDuration::from_mins(15)).await;
        let (conclusion, title) = stage.gate(RELEASE, &commit);
        assert_ne!(conclusion, "success", "{kind:?}: {title}");
        assert!(!title.contains("@everyone"), "{kind:?}: {title}");
    }
    for (word, passes) in [("complete", true), ("half_done", false), ("", false), ("COMPLETE", false)] {
        let stage = Stage::new(POLICY).await;
        let number = stage.database.open("add-index", &[("ALTER TABLE `orders` ADD KEY `k` (`id`)", false)]);
        stage.database.set_state(number, word);
        let commit = stage.tag("v1.0.0").await;
        let (conclusion, title) = stage.gate(RELEASE, &commit);
        assert_eq!(conclusion == "success", passes, "{word:?}: {conclusion} {title}");
    }
}
