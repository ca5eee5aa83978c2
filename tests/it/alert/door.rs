//! Alerts that are rejected, and alerts that are stored although their payload is not understood.

use phasebot::port::store::DeliveryState;
use phasebot_forge_sim::{Fault, FaultKind, Matcher};

use super::sent::{SETTINGS, bearer, hmac, inbox, send};
use crate::flow::{Setup, World};

const BODY: &str = include_str!("../../fixtures/alerts/alertmanager.json");

async fn world() -> World {
    World::with(Setup { alerts: SETTINGS, ..Setup::default() }).await
}

#[tokio::test]
async fn without_proof_nothing_gets_in() {
    let world = world().await;
    let wrong = hmac("wrong", &[BODY.as_bytes()]);
    let other_body = hmac("s3cret", &[b"{}"]);
    let twice = [bearer("s3cret"), bearer("s3cret")].concat();
    for (name, headers, status, code) in [
        ("prod", vec![], 401, "missing_token"),
        ("prod", bearer("wrong"), 401, "bad_token"),
        ("prod", bearer(""), 401, "bad_token"),
        ("prod", vec![("Authorization", "Basic czNjcmV0".to_owned())], 401, "bad_token"),
        ("prod", vec![("Authorization", "s3cret".to_owned())], 401, "bad_token"),
        ("prod", twice, 401, "bad_token"),
        ("graf", bearer("s3cret"), 401, "missing_signature"),
        ("graf", vec![("X-Grafana-Alerting-Signature", wrong.clone())], 401, "bad_signature"),
        ("graf", vec![("X-Grafana-Alerting-Signature", other_body.clone())], 401, "bad_signature"),
        ("graf", vec![("X-Grafana-Alerting-Signature", "zz".to_owned())], 401, "bad_signature"),
        ("db", vec![("X-PlanetScale-Signature", wrong.clone())], 401, "bad_signature"),
        ("signed", vec![("X-Queue-Signature", wrong)], 401, "bad_signature"),
        ("nobody", bearer("s3cret"), 404, "no_such_connection"),
        ("prod", [bearer("s3cret"), vec![("Content-Encoding", "gzip".to_owned())]].concat(), 415, "encoded_body"),
    ] {
        let (answered, body) = send(world.address, name, &headers, BODY).await;
        assert_eq!(
            (answered, body["error"]["code"].as_str().unwrap_or_default()),
            (status, code),
            "{name} {headers:?}"
        );
    }
    let get = reqwest::get(format!("http://{}/alerts/prod", world.address)).await.unwrap();
    assert_eq!((get.status().as_u16(), get.headers()["allow"].to_str().unwrap()), (405, "POST, PUT"));
    assert_eq!(inbox(world.store.as_ref()).await, []);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let world = world().await;
    let (status, answer) = send(world.address, "prod", &bearer("s3cret"), vec![b' '; 25 * 1024 * 1024 + 1]).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (413, Some("body_too_large")));
}

#[tokio::test]
async fn what_nobody_understands_is_kept() {
    let world = world().await;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let deep_inside = format!(r#"{{"alerts":[{{"labels":{{"a":{deep}}}}}]}}"#);
    for (body, state) in [
        (b"not JSON".to_vec(), DeliveryState::Quarantined),
        (b"[1,2]".to_vec(), DeliveryState::Quarantined),
        (b"\xff\xfe{}".to_vec(), DeliveryState::Quarantined),
        (deep.into_bytes(), DeliveryState::Quarantined),
        (deep_inside.into_bytes(), DeliveryState::Quarantined),
        (b"{\"alerts\":{}}".to_vec(), DeliveryState::Quarantined),
        (b"".to_vec(), DeliveryState::Quarantined),
        (b"{\"alerts\":[{\"labels\":{\"a\\u0000\":\"\\u0000\"}}]}".to_vec(), DeliveryState::Done),
        (b"{\"alerts\":[]}".to_vec(), DeliveryState::Ignored),
    ] {
        let (status, answer) = send(world.address, "prod", &bearer("s3cret"), body.clone()).await;
        assert_eq!(status, 202, "{answer}");
        world.settle().await;
        let row = inbox(world.store.as_ref()).await.remove(0);
        assert_eq!(row.state, state, "{}: {}", String::from_utf8_lossy(&body), row.note);
        assert_eq!(world.store.delivery(row.seq).await.unwrap().unwrap().body, body);
    }
}

#[tokio::test]
async fn the_same_message_is_taken_in_each_time() {
    let world = world().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (status, answer) = send(world.address, "prod", &bearer("s3cret"), BODY).await;
        assert_eq!((status, answer["status"].as_str()), (202, Some("accepted")));
        ids.push(answer["delivery"].as_str().unwrap().to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let put = reqwest::Client::new()
        .put(format!("http://{}/alerts/prod", world.address))
        .header("Authorization", "bearer s3cret")
        .body(BODY);
    assert_eq!(put.send().await.unwrap().status(), 202);
    assert_eq!(inbox(world.store.as_ref()).await.len(), 4);
}

#[tokio::test]
async fn the_answer_does_not_wait_for_the_forge() {
    let world = world().await;
    // No request is answered.
    world.forge.inject(Fault { matcher: Matcher::any(), kind: FaultKind::Timeout }, 1000);
    for _ in 0..20 {
        // A sender that is not answered within a second would get a 503.
        assert_eq!(send(world.address, "prod", &bearer("s3cret"), BODY).await.0, 202);
    }
    assert_eq!(inbox(world.store.as_ref()).await.len(), 20);
}
