//! Each kind of target: what is posted, edited and answered.

use phasebot::domain::notice::{Notice, NoticeKind};
use serde_json::Value;

use super::{POLICY, Stage, notice, receiver::Asked, webhook};

/// Settings of the target `ops`, with these lines.
fn target(lines: &str) -> impl Fn(&str) -> String {
    let lines = lines.to_owned();
    move |url| format!("[notices.ops]\n{}\nrepositories = [\"acme/shop\"]\n", lines.replace("URL", url))
}

/// One thread: somebody is needed; it goes on, which is no news; it failed.
async fn play(settings: impl Fn(&str) -> String) -> Vec<Asked> {
    let stage = Stage::new(settings, POLICY).await;
    let thread = "deploy/production/1";
    stage.say(notice(NoticeKind::PersonNeeded, thread, "The deploy needs an approval")).await;
    let begun = notice(NoticeKind::DeployStarted, thread, "The deploy has begun");
    stage.say(Notice { is_news: false, ..begun }).await;
    stage.say(notice(NoticeKind::DeployFailed, thread, "The deploy failed")).await;
    // The same again is not sent again, and another thread is another message.
    stage.say(notice(NoticeKind::DeployFailed, thread, "The deploy failed")).await;
    stage.say(notice(NoticeKind::Released, "release/v1", "v1 is released")).await;
    stage.world.check().await;
    stage.receiver.asked()
}

fn lines(asked: &[Asked]) -> Vec<&str> {
    asked.iter().map(|asked| asked.line.as_str()).collect()
}

fn says(asked: &Asked, words: &str) -> bool {
    String::from_utf8(asked.body.to_vec()).unwrap().contains(words)
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_posts_each_news() {
    let asked = play(webhook).await;
    assert_eq!(lines(&asked), ["POST /hook"; 3]);
    let ids: std::collections::BTreeSet<&str> = asked.iter().map(|asked| asked.header("webhook-id")).collect();
    assert_eq!(ids.len(), 3);
    let types: Vec<Value> = asked.iter().map(|asked| asked.json()["type"].clone()).collect();
    assert_eq!(types, ["notice.person_needed", "notice.deploy_failed", "notice.released"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_app_posts_once_edits_and_answers_what_matters() {
    let lines_of = "kind = \"slack\"\ntoken = \"xoxb-a-secret-token\"\nchannel = \"C0123\"\napi_url = \"URL/api\"";
    let asked = play(target(lines_of)).await;
    assert_eq!(
        lines(&asked),
        [
            "POST /api/chat.postMessage", // needs an approval
            "POST /api/chat.update",      // has begun
            "POST /api/chat.postMessage", // failed: an answer
            "POST /api/chat.update",      // failed
            "POST /api/chat.postMessage", // released
        ]
    );
    assert!(asked.iter().all(|asked| asked.header("authorization") == "Bearer xoxb-a-secret-token"));
    assert!(asked.iter().all(|asked| asked.json()["channel"] == "C0123"));
    let (update, reply) = (asked[1].json(), asked[2].json());
    assert_eq!(update["ts"], "1700000000.000001");
    assert_eq!((&reply["thread_ts"], &reply["reply_broadcast"]), (&update["ts"], &Value::Bool(true)));
    assert_eq!(asked[3].json()["ts"], update["ts"]);
    assert!(asked[4].json().get("thread_ts").is_none());
    assert!(says(&asked[1], "has begun") && says(&asked[3], "The deploy failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_app_writes_anew_what_was_deleted() {
    let lines_of = "kind = \"slack\"\ntoken = \"xoxb-a-secret-token\"\nchannel = \"C0123\"\napi_url = \"URL/api\"";
    let stage = Stage::new(target(lines_of), POLICY).await;
    stage.say(notice(NoticeKind::IncidentOpened, "incident/1", "It is slow")).await;
    let gone = r#"{"ok":false,"error":"message_not_found"}"#;
    stage.receiver.answer(super::receiver::Answer::Status(200, None, gone.to_owned()));
    stage.say(notice(NoticeKind::IncidentOver, "incident/1", "It is over")).await;
    let expected = ["POST /api/chat.postMessage", "POST /api/chat.update", "POST /api/chat.postMessage"];
    assert_eq!(stage.receiver.lines(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn incoming_webhooks_post_each_news() {
    for (kind, path) in [("slack", "slack"), ("teams", "teams"), ("mattermost", "mattermost")] {
        let asked = play(target(&format!("kind = \"{kind}\"\nurl = \"URL/{path}\""))).await;
        assert_eq!(lines(&asked), vec![format!("POST /{path}"); 3], "{kind}");
        assert!(says(&asked[0], "needs an approval") && says(&asked[1], "failed"), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn discord_edits_and_posts_anew_what_matters() {
    let asked = play(target("kind = \"discord\"\nurl = \"URL/discord?thread_id=5\"")).await;
    assert_eq!(
        lines(&asked),
        [
            "POST /discord?wait=true&thread_id=5",
            "PATCH /discord/messages/1?thread_id=5",
            "POST /discord?wait=true&thread_id=5", // failed: a message of its own
            "POST /discord?wait=true&thread_id=5",
        ]
    );
    assert!(asked.iter().all(|asked| asked.json()["allowed_mentions"] == serde_json::json!({ "parse": [] })));
}

#[tokio::test(flavor = "multi_thread")]
async fn matrix_replaces_and_answers_in_the_thread() {
    let lines_of =
        "kind = \"matrix\"\ntoken = \"syt_a_secret_token\"\nchannel = \"!room:example.com\"\napi_url = \"URL\"";
    let asked = play(target(lines_of)).await;
    assert_eq!(asked.len(), 5);
    let room = "PUT /_matrix/client/v3/rooms/%21room%3Aexample.com/send/m.room.message/msg_";
    assert!(asked.iter().all(|asked| asked.line.starts_with(room)), "{:?}", lines(&asked));
    let ids: std::collections::BTreeSet<&str> = lines(&asked).into_iter().collect();
    assert_eq!(ids.len(), 5);
    let relation = |asked: &Asked| asked.json()["m.relates_to"]["rel_type"].as_str().map(str::to_owned);
    let relations: Vec<Option<String>> = asked.iter().map(relation).collect();
    let (replace, thread) = (Some("m.replace".to_owned()), Some("m.thread".to_owned()));
    assert_eq!(relations, [None, replace.clone(), thread, replace, None]);
    assert!(asked.iter().all(|asked| asked.json()["m.mentions"] == serde_json::json!({})));
}
