//! Routing of alerts to repositories.

use phasebot::port::store::DeliveryState;

use super::sent::{bearer, inbox, send};
use crate::flow::{Setup, World};

const BODY: &str = include_str!("../../fixtures/alerts/alertmanager.json");

const ONE: &str = r#"
[alerts.prod]
kind = "alertmanager"
secrets = ["s3cret"]
repositories = ["Acme/Shop"]
"#;

const SEVERAL: &str = r#"
[alerts.prod]
kind = "alertmanager"
secrets = ["s3cret"]
repositories = ["acme/shop", "acme/api", "acme/db"]
heartbeat = "5m"
routes = [
    { match = { job = "api*" }, repository = "acme/api" },
    { match = { job = "db" }, repository = "acme/db" },
]
"#;

fn alerts(list: &[(&str, &str)]) -> String {
    let alert = |(job, status): &(&str, &str)| {
        format!(
            r#"{{"status":"{status}","labels":{{"alertname":"{}","job":"{job}"}}}}"#,
            if *job == "alive" { "Watchdog" } else { "A" }
        )
    };
    let alerts: Vec<String> = list.iter().map(alert).collect();
    format!(r#"{{"groupLabels":{{"cluster":"eu"}},"alerts":[{}]}}"#, alerts.join(","))
}

/// Returns the targets of alerts in order of the inbox.
async fn kept(world: &World) -> Vec<(String, Option<String>, DeliveryState)> {
    let rows = inbox(world.store.as_ref()).await;
    rows.into_iter().rev().map(|row| (row.target.unwrap(), row.action, row.state)).collect()
}

fn heard(target: &str, action: &str, state: DeliveryState) -> (String, Option<String>, DeliveryState) {
    (target.to_owned(), Some(action.to_owned()), state)
}

#[tokio::test]
async fn an_alert_waits_until_the_app_is_installed() {
    let mut world = World::with(Setup { alerts: ONE, not_installed: true, ..Setup::default() }).await;
    for _ in 0..2 {
        assert_eq!(send(world.address, "prod", &bearer("s3cret"), BODY).await.0, 202);
    }
    world.settle().await;
    let rows = inbox(world.store.as_ref()).await;
    assert!(rows.iter().all(|row| row.state == DeliveryState::Pending && row.repo.is_none()), "{rows:?}");
    assert_eq!(rows[0].note, "waits: phasebot is not installed on Acme/Shop");

    // Nothing else waits with them: the installation event is processed.
    world.installation = world.forge.install("alice", &["acme/shop"]).unwrap().made;
    world.settle().await;
    let rows = inbox(world.store.as_ref()).await;
    assert!(rows.iter().all(|row| row.state == DeliveryState::Done && row.repo.is_some()), "{rows:?}");
    world.check().await;
}

#[tokio::test]
async fn an_alert_finds_a_renamed_repository_by_its_old_name() {
    let world = World::with(Setup { alerts: ONE, ..Setup::default() }).await;
    world.person("bob").rename_repo("store").unwrap();
    world.settle().await;
    assert_eq!(send(world.address, "prod", &bearer("s3cret"), BODY).await.0, 202);
    world.settle().await;
    let row = inbox(world.store.as_ref()).await.remove(0);
    assert_eq!(row.state, DeliveryState::Done, "{}", row.note);
    // The repository that takes the name gets the alerts that name it.
    let taken = world.forge.create_repo("acme/shop").unwrap();
    world.forge.change_installation(world.installation, "alice", &["acme/shop"], &[]).unwrap();
    world.settle().await;
    assert_eq!(send(world.address, "prod", &bearer("s3cret"), BODY).await.0, 202);
    assert_eq!(inbox(world.store.as_ref()).await[0].repo, Some(taken));
}

#[tokio::test]
async fn each_repository_hears_its_own_part() {
    let world = World::with(Setup { alerts: SEVERAL, ..Setup::default() }).await;
    world.forge.create_repo("acme/api").unwrap();
    world.forge.change_installation(world.installation, "alice", &["acme/api"], &[]).unwrap();
    world.settle().await;
    let body = alerts(&[("web", "firing"), ("api-1", "resolved"), ("db", "firing"), ("alive", "firing")]);
    let (status, answer) = send(world.address, "prod", &bearer("s3cret"), body).await;
    assert_eq!(status, 202);
    world.settle().await;
    assert_eq!(
        kept(&world).await,
        [
            heard("acme/shop", "heartbeat", DeliveryState::Done),
            heard("acme/api", "resolved", DeliveryState::Done),
            heard("acme/db", "firing", DeliveryState::Pending),
            heard("acme/shop", "firing", DeliveryState::Done),
        ]
    );
    // One of them has the id in the answer.
    let rows = inbox(world.store.as_ref()).await;
    assert_eq!(rows.last().unwrap().delivery, answer["delivery"]);
    assert_eq!(rows.iter().filter(|row| row.delivery.starts_with(answer["delivery"].as_str().unwrap())).count(), 4);
}

#[tokio::test]
async fn a_watchdog_that_ended_is_no_sign_of_life() {
    let world = World::with(Setup { alerts: SEVERAL, ..Setup::default() }).await;
    let (status, _) = send(world.address, "prod", &bearer("s3cret"), alerts(&[("alive", "resolved")])).await;
    assert_eq!(status, 202);
    world.settle().await;
    let row = inbox(world.store.as_ref()).await.remove(0);
    assert_eq!((row.state, row.note.as_str()), (DeliveryState::Ignored, "the heartbeat's alert ended"));
}
