//! Slack: by an app's token, which can edit and answer messages, or by an incoming webhook.
//!
//! Slack reads `<…>` as a link, a mention or a command, wherever it formats text. No text of ours has
//! `<` or `>` but the links that we write; all other text stands in objects of plain text, too. Names
//! are not linked (`link_names`), and addresses not looked at (`unfurl_…`).

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    domain::notice::NoticeKind,
    notify::{
        http::{Client, plain},
        text::{self, Text, cut},
    },
    port::notify::{Abilities, AfterDoubt, Content, Message, Notifier, NotifyError},
};

/// Longest text of one object, in characters; Slack allows 3,000.
const LONGEST: usize = 2800;

/// Slack by an app's token.
pub struct SlackApp {
    client: Client,
    /// Root of the API, without a slash at its end.
    api_url: String,
    token: SecretString,
    /// Id of the channel.
    channel: String,
}

/// Slack by an incoming webhook.
pub struct SlackWebhook {
    client: Client,
    url: SecretString,
}

/// Answer of the API, which says in its body if something failed.
#[derive(Deserialize)]
struct Answered {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    ts: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    team: String,
}

/// Errors that pass, and after which nothing was done.
const PASSING: [&str; 4] = ["ratelimited", "service_unavailable", "team_added_to_org", "accesslimited"];
/// Errors after which it is not known what was done.
const DOUBTFUL: [&str; 3] = ["fatal_error", "internal_error", "request_timeout"];
/// Errors about a message that can't be edited or answered.
const MESSAGE_GONE: [&str; 6] = [
    "message_not_found",
    "cant_update_message",
    "edit_window_closed",
    "thread_not_found",
    "cannot_reply_to_message",
    "is_inactive",
];

impl SlackApp {
    /// Creates a target for one channel.
    pub fn new(client: Client, api_url: String, token: SecretString, channel: String) -> Self {
        Self { client, api_url, token, channel }
    }

    async fn call(&self, method: &str, body: &Value) -> Result<Answered, NotifyError> {
        let request = self
            .client
            .request(reqwest::Method::POST, &format!("{}/{method}", self.api_url))
            .bearer_auth(self.token.expose_secret())
            .header(http::header::CONTENT_TYPE, "application/json; charset=utf-8")
            .body(body.to_string());
        let answer = self.client.expect(request).await?;
        let unreadable = |_| NotifyError::Doubt("Slack's answer can't be read".to_owned());
        let answered: Answered = serde_json::from_slice(&answer.body).map_err(unreadable)?;
        if answered.ok {
            return Ok(answered);
        }
        let code = plain(&answered.error);
        Err(match code.as_str() {
            "ratelimited" | "rate_limited" => NotifyError::RateLimited { until: self.client.lifts_at(&answer.headers) },
            code if PASSING.contains(&code) => NotifyError::Transient(format!("Slack says {code}")),
            code if DOUBTFUL.contains(&code) => NotifyError::Doubt(format!("Slack says {code}")),
            code if MESSAGE_GONE.contains(&code) => NotifyError::MessageGone(format!("Slack says {code}")),
            code => NotifyError::Permanent(format!("Slack says {code}")),
        })
    }

    fn body(&self, message: &Message<'_>) -> Map<String, Value> {
        let mut body = payload(&text::of(&message.content));
        body.insert("channel".to_owned(), json!(self.channel));
        body
    }
}

impl SlackWebhook {
    /// Creates a target for the webhook's channel.
    pub fn new(client: Client, url: SecretString) -> Self {
        Self { client, url }
    }
}

/// Replaces the brackets by others that look much like them.
fn unbracketed(text: &str) -> String {
    text.replace('<', "\u{2039}").replace('>', "\u{203a}")
}

/// Returns text for where Slack formats it: no brackets, and no entities but ours.
fn escaped(text: &str) -> String {
    unbracketed(text).replace('&', "&amp;")
}

/// Returns a message without its channel.
pub(super) fn payload(text: &Text) -> Map<String, Value> {
    let object = |text: &str| json!({ "type": "plain_text", "text": cut(&unbracketed(text), LONGEST), "emoji": false });
    let mut blocks = vec![json!({ "type": "section", "text": object(&text.title) })];
    if !text.lines.is_empty() {
        blocks.push(json!({ "type": "section", "text": object(&text.lines.join("\n")) }));
    }
    if !text.links.is_empty() {
        let link = |link: &crate::domain::notice::NoticeLink| {
            let url = text::address(&link.url).replace('&', "&amp;");
            format!("<{url}|{}>", escaped(&link.words).replace('|', "\u{2223}"))
        };
        let links = text.links.iter().map(link).collect::<Vec<_>>().join(" · ");
        blocks.push(json!({
            "type": "context",
            "elements": [{ "type": "mrkdwn", "text": links, "verbatim": true }],
        }));
    }
    let body = json!({
        // Shown in notifications only.
        "text": cut(&escaped(&text.title), LONGEST),
        "blocks": blocks,
        "mrkdwn": false,
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
    });
    if let Value::Object(body) = body { body } else { Map::new() }
}

#[async_trait]
impl Notifier for SlackApp {
    fn abilities(&self) -> Abilities {
        Abilities { edits: true, threads: true, after_doubt: AfterDoubt::RepeatIfPersonNeeded }
    }

    async fn post(&self, message: &Message<'_>) -> Result<String, NotifyError> {
        Ok(self.call("chat.postMessage", &Value::Object(self.body(message))).await?.ts)
    }

    async fn edit(&self, id: &str, message: &Message<'_>) -> Result<(), NotifyError> {
        let mut body = self.body(message);
        body.insert("ts".to_owned(), json!(id));
        self.call("chat.update", &Value::Object(body)).await.map(drop)
    }

    async fn reply(&self, id: &str, message: &Message<'_>) -> Result<(), NotifyError> {
        let mut body = self.body(message);
        let failed = matches!(message.content, Content::Notice(notice) if notice.kind == NoticeKind::DeployFailed);
        body.insert("thread_ts".to_owned(), json!(id));
        // A failure is shown in the channel, too.
        body.insert("reply_broadcast".to_owned(), json!(failed));
        self.call("chat.postMessage", &Value::Object(body)).await.map(drop)
    }

    async fn inspect(&self) -> Result<Option<String>, NotifyError> {
        let answered = self.call("auth.test", &json!({})).await?;
        Ok(Some(format!("writes as {} in {}", plain(&answered.user), plain(&answered.team))))
    }
}

#[async_trait]
impl Notifier for SlackWebhook {
    fn abilities(&self) -> Abilities {
        Abilities { edits: false, threads: false, after_doubt: AfterDoubt::RepeatIfPersonNeeded }
    }

    async fn post(&self, message: &Message<'_>) -> Result<String, NotifyError> {
        let body = payload(&text::of(&message.content));
        let request = self.client.request(reqwest::Method::POST, self.url.expose_secret());
        self.client.expect(request.json(&body)).await?;
        Ok(String::new())
    }

    async fn edit(&self, _: &str, _: &Message<'_>) -> Result<(), NotifyError> {
        Err(NotifyError::Permanent("an incoming webhook can't edit".to_owned()))
    }

    async fn reply(&self, _: &str, _: &Message<'_>) -> Result<(), NotifyError> {
        Err(NotifyError::Permanent("an incoming webhook has no threads".to_owned()))
    }

    async fn inspect(&self) -> Result<Option<String>, NotifyError> {
        Ok(None)
    }
}
