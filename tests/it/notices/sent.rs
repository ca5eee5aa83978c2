//! From an event on the forge to a message.

use phasebot::{
    app::clock::SystemClock,
    domain::notice::NoticeKind,
    notify::{Client, Webhook},
    port::{
        clock::Clock,
        notify::{Content, Message, Notifier},
    },
};
use standardwebhooks::Webhook as Oracle;
use std::sync::Arc;

use super::{POLICY, SECRET, Stage, notice, receiver::Receiver, webhook};

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_deployment_is_told_once_and_signed() {
    let stage = Stage::new(webhook, POLICY).await;
    stage.fail("staging").await;
    assert_eq!(stage.receiver.lines(), Vec::<String>::new());
    stage.fail("production").await;
    // The same status again, and whatever else comes, says nothing new.
    stage.world.person("bob").open_issue("Something else", "", &[]).unwrap();
    stage.hours(3).await;
    let asked = stage.receiver.asked();
    let [asked] = asked.as_slice() else { panic!("{:?}", stage.receiver.lines()) };
    assert_eq!(asked.line, "POST /hook");
    let body = asked.json();
    assert_eq!(body["type"], "notice.deploy_failed");
    assert_eq!(body["data"]["repository"], "acme/shop");
    assert_eq!(body["data"]["environment"], "production");
    let headline = body["data"]["headline"].as_str().unwrap();
    assert!(headline.starts_with("The deployment of ") && headline.ends_with(" to production failed"), "{headline}");
    let (id, seconds) = (asked.header("webhook-id"), asked.header("webhook-timestamp").parse().unwrap());
    let oracle = Oracle::new(SECRET).unwrap();
    assert_eq!(oracle.sign(id, seconds, &asked.body).unwrap(), asked.header("webhook-signature"));
    assert!(asked.body.len() < 20_000);
    stage.world.check().await;
}

/// The library of the specification accepts what is sent, with either secret while they rotate.
#[tokio::test]
async fn the_specifications_library_accepts_the_signatures() {
    let receiver = Receiver::start().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = Client::new(clock.clone()).unwrap();
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let url = format!("{}/hook", receiver.url);
    let target = Webhook::new(client, url.into(), vec![SECRET.into(), other.into()]);
    let told = notice(NoticeKind::Storm, "incident/storm-1", "caf\u{e9} \"x\" \u{1f525}");
    for content in [Content::Notice(&told), Content::Digest(&[&told, &told]), Content::Test] {
        let message = Message { id: "msg_1", content, now: clock.now() };
        target.post(&message).await.unwrap();
    }
    let asked = receiver.asked();
    assert_eq!(asked.len(), 3);
    for asked in asked {
        for secret in [SECRET, other] {
            Oracle::new(secret).unwrap().verify(&asked.body, &asked.headers).unwrap();
        }
        let wrong = Oracle::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        assert!(wrong.verify(&asked.body, &asked.headers).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_and_a_write_pause_send_nothing() {
    let stage = Stage::new(webhook, POLICY).await;
    stage.world.bot.pause();
    stage.fail("production").await;
    assert_eq!(stage.receiver.lines(), Vec::<String>::new());
    stage.world.bot.resume();
    stage.world.minute().await;
    assert_eq!(stage.receiver.lines(), ["POST /hook"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_was_changed_meanwhile_sends_nothing() {
    let stage = Stage::new(webhook, POLICY).await;
    stage.world.bot.pause();
    stage.fail("production").await;
    let files = vec![(phasebot::policy::PATH.to_owned(), Some("mode: label\n".to_owned()))];
    let commit = phasebot_forge_sim::NewCommit { message: "No notices".to_owned(), files };
    stage.world.person("bob").push("main", &[commit]).unwrap();
    stage.world.minute().await;
    stage.world.bot.resume();
    stage.world.minute().await;
    assert_eq!(stage.receiver.lines(), Vec::<String>::new());
    assert_eq!(stage.stored().await[0].note, "the policy sends nothing there any more");
}
