//! Many notices at once.

use jiff::SignedDuration;
use phasebot::{
    domain::notice::NoticeKind,
    port::{clock::Clock as _, store::EffectState},
};
use serde_json::Value;

use super::{POLICY, Stage, notice, webhook};

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_target_takes_come_as_digests() {
    let stage = Stage::new(webhook, POLICY).await;
    let begun = stage.world.clock.now();
    let many = |from: usize| {
        (from..from + 60)
            .map(|n| notice(NoticeKind::IncidentOpened, &format!("incident/{n}"), &format!("N{n}.")))
            .collect()
    };
    stage.queue(many(0)).await;
    stage.world.run(SignedDuration::from_mins(30)).await;
    stage.queue(many(60)).await;
    stage.world.run(SignedDuration::from_mins(29)).await;
    let within_an_hour = stage.receiver.asked();
    assert!(stage.world.clock.now().duration_since(begun) < SignedDuration::from_hours(1));
    assert!(within_an_hour.len() <= 30, "{}", within_an_hour.len());
    stage.hours(1).await;
    let stored = stage.stored().await;
    assert!(stored.iter().all(|row| row.state == EffectState::Done), "{stored:?}");
    let (mut single, mut together) = (0, 0);
    for asked in stage.receiver.asked() {
        let body = asked.json();
        assert!(asked.body.len() < 20_000);
        if body["type"] == "notice.digest" {
            let listed = body["data"]["notices"].as_array().map_or(0, Vec::len);
            together += listed + usize::try_from(body["data"]["more"].as_u64().unwrap()).unwrap();
        } else {
            single += 1;
        }
    }
    assert_eq!(single + together, 120, "{single} single");
    assert!(single <= 30 && together >= 90, "{single} single");
}

/// Within a second there is one request.
#[tokio::test(flavor = "multi_thread")]
async fn requests_are_a_second_apart() {
    let stage = Stage::new(webhook, POLICY).await;
    let few = (0..5).map(|n| notice(NoticeKind::IncidentOpened, &format!("incident/{n}"), &format!("N{n}."))).collect();
    stage.queue(few).await;
    stage.world.minute().await;
    let times: Vec<i64> =
        stage.receiver.asked().iter().map(|asked| asked.header("webhook-timestamp").parse().unwrap()).collect();
    assert_eq!(times.len(), 5);
    assert!(times.windows(2).all(|pair| pair[1] > pair[0]), "{times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replaced_before_it_was_sent_is_not_sent() {
    let stage = Stage::new(webhook, POLICY).await;
    stage.world.bot.pause();
    let thread = "incident/1";
    stage.put(vec![notice(NoticeKind::IncidentOpened, thread, "It is slow")]).await;
    stage.queue(vec![notice(NoticeKind::IncidentOver, thread, "It is over")]).await;
    stage.world.minute().await;
    let types: Vec<Value> = stage.receiver.asked().iter().map(|asked| asked.json()["type"].clone()).collect();
    assert_eq!(types, ["notice.incident_over"]);
}
