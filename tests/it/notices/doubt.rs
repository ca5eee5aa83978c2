//! Answers that fail, and those that leave it open what became of a message.

use std::time::Duration;

use phasebot::{
    domain::notice::NoticeKind,
    port::store::{EffectState, NoticeStep},
};
use phasebot_forge_sim::NewCommit;

use super::{
    POLICY, Stage, notice,
    receiver::{Answer, Receiver, status},
    webhook,
};

const SLACK: &str = "kind = \"slack\"\ntoken = \"xoxb-a-secret-token\"\nchannel = \"C0123\"\napi_url = \"URL/api\"";
const MATRIX: &str = "kind = \"matrix\"\ntoken = \"syt_a_secret_token\"\nchannel = \"!r:e\"\napi_url = \"URL\"";
const TEAMS: &str = "kind = \"teams\"\nurl = \"URL/teams\"";

async fn stage(lines: &str) -> Stage {
    let settings =
        |url: &str| format!("[notices.ops]\n{}\nrepositories = [\"acme/shop\"]\n", lines.replace("URL", url));
    Stage::new(settings, POLICY).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_tried_again_under_the_same_id() {
    let stage = Stage::new(webhook, POLICY).await;
    stage.receiver.answer(status(500)).answer(status(404)).answer(status(503));
    stage.fail("production").await;
    stage.hours(1).await;
    let asked = stage.receiver.asked();
    assert_eq!(asked.len(), 4);
    let ids: Vec<&str> = asked.iter().map(|asked| asked.header("webhook-id")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert!(asked.iter().all(|again| again.body == asked[0].body));
    // Each attempt says when it was made.
    assert_ne!(asked[0].header("webhook-timestamp"), asked[3].header("webhook-timestamp"));
    assert_eq!(stage.stored().await[0].state, EffectState::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_an_hour_is_given_up() {
    let stage = Stage::new(webhook, POLICY).await;
    stage.receiver.always(Some(status(500)));
    stage.fail("production").await;
    stage.hours(5).await;
    let tries = stage.receiver.lines().len();
    assert!((5..30).contains(&tries), "{tries}");
    assert_eq!(stage.stored().await[0].state, EffectState::Dead);
    stage.receiver.always(None);
    stage.hours(5).await;
    assert_eq!(stage.receiver.lines().len(), tries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_kept_to() {
    let stage = Stage::new(webhook, POLICY).await;
    stage.receiver.answer(Answer::Status(429, Some(("retry-after", "600".to_owned())), String::new()));
    stage.fail("production").await;
    stage.fail("production").await;
    stage.world.run(jiff::SignedDuration::from_mins(7)).await;
    assert_eq!(stage.receiver.lines().len(), 1);
    stage.world.run(jiff::SignedDuration::from_mins(3)).await;
    assert_eq!(stage.receiver.lines().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_gone_is_left_alone() {
    let stage = Stage::new(webhook, POLICY).await;
    stage.receiver.answer(status(410));
    stage.fail("production").await;
    stage.fail("production").await;
    stage.hours(2).await;
    assert_eq!(stage.receiver.lines().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_is_followed() {
    let elsewhere = Receiver::start().await;
    for lines in [SLACK, MATRIX, TEAMS] {
        let stage = stage(lines).await;
        for code in [301, 302, 307, 308] {
            let to = format!("{}/caught", elsewhere.url);
            stage.receiver.answer(Answer::Status(code, Some(("location", to)), String::new()));
            stage.say(notice(NoticeKind::Storm, &format!("incident/{code}"), "Many")).await;
        }
        stage.hours(2).await;
        assert_eq!(stage.receiver.lines().len(), 4, "{lines}");
        assert!(stage.stored().await.iter().all(|row| row.state == EffectState::Dead));
    }
    assert_eq!(elsewhere.lines(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doubtful_post_is_repeated_only_where_it_does_no_harm() {
    for (lines, ordinary, person) in [(SLACK, 1, 2), (TEAMS, 1, 1), (MATRIX, 2, 2)] {
        for (kind, tries) in [(NoticeKind::DeployFailed, ordinary), (NoticeKind::PersonNeeded, person)] {
            let stage = stage(lines).await;
            stage.receiver.answer(status(502));
            stage.say(notice(kind, "deploy/production/1", "It waits")).await;
            stage.hours(2).await;
            let asked = stage.receiver.lines();
            assert_eq!(asked.len(), tries, "{lines} {kind:?}");
            // Matrix knows a repeated message by its id.
            assert!(asked.iter().all(|line| *line == asked[0]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_whose_answer_was_lost_is_repeated() {
    let stage = stage(SLACK).await;
    stage.say(notice(NoticeKind::IncidentOpened, "incident/1", "It is slow")).await;
    stage.receiver.answer(status(502));
    stage.say(notice(NoticeKind::IncidentOver, "incident/1", "It is over")).await;
    let expected = ["POST /api/chat.postMessage", "POST /api/chat.update", "POST /api/chat.update"];
    assert_eq!(stage.receiver.lines(), expected);
}

/// As a crash between sending and recording leaves it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_being_sent_at_a_crash_is_in_doubt() {
    for (lines, kind, tries) in [
        (SLACK, NoticeKind::DeployFailed, 0),
        (SLACK, NoticeKind::PersonNeeded, 1),
        (TEAMS, NoticeKind::PersonNeeded, 0),
        (MATRIX, NoticeKind::DeployFailed, 1),
    ] {
        let stage = stage(lines).await;
        stage.world.bot.pause();
        stage.put(vec![notice(kind, "deploy/production/1", "It waits")]).await;
        let row = stage.stored().await.remove(0);
        assert!(stage.world.store.mark_notice(row.id, row.version, NoticeStep::Post, &[]).await.unwrap());
        stage.world.bot.resume();
        stage.hours(2).await;
        assert_eq!(stage.receiver.lines().len(), tries, "{lines} {kind:?}");
    }
}

/// A target that never answers holds up neither another target nor the forge.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_hangs_holds_nothing_up() {
    let other = Receiver::start().await;
    let second = other.url.clone();
    let settings =
        move |url: &str| format!("{}{}", webhook(url), webhook(&second).replace("notices.ops", "notices.two"));
    let stage = Stage::new(settings, "notices: [{ to: ops }, { to: two }]\n").await;
    stage.receiver.always(Some(Answer::Hangs));
    let world = &stage.world;
    let id = world.deploy("main", "production");
    world.deployed(id, "failure");
    world.forge.deliver_pending().await;
    let issue = world.person("bob").open_issue("The basket", "", &[]).unwrap().made;
    world.person("bob").push("main", &[NewCommit::from("More")]).unwrap();
    world.forge.deliver_pending().await;
    let begun = std::time::Instant::now();
    while other.lines().is_empty() || world.label(issue).is_none() || stage.receiver.lines().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "held up");
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.clock.advance(jiff::SignedDuration::from_secs(1));
    }
    assert_eq!(stage.receiver.lines().len(), 1);
}
