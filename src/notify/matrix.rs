//! Matrix, by an account's access token. Rooms must not be encrypted.
//!
//! A message has plain text, and HTML of ours in which every text is escaped. It names nobody whom it
//! mentions (`m.mentions`), so that no client rings because of a name in the text.

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    notify::{
        http::{Client, plain},
        text::{self, Text, cut},
    },
    port::notify::{Abilities, AfterDoubt, Message, Notifier, NotifyError},
};

/// Longest text in characters: an event may have 64 KB.
const LONGEST: usize = 6000;
/// Characters that stand for themselves in a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A room of Matrix.
pub struct Matrix {
    client: Client,
    /// Root of the homeserver, without a slash at its end.
    api_url: String,
    token: SecretString,
    /// Id of the room.
    room: String,
}

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    event_id: String,
}

#[derive(Deserialize)]
struct Who {
    user_id: String,
}

impl Matrix {
    /// Creates a target for one room.
    pub fn new(client: Client, api_url: String, token: SecretString, room: String) -> Self {
        Self { client, api_url, token, room }
    }

    /// Sends a message. The same `id` is the same message for the homeserver, however often it is sent.
    async fn send(&self, id: &str, body: &Value) -> Result<String, NotifyError> {
        let segment = |part: &str| utf8_percent_encode(part, PLAIN).to_string();
        let (room, id) = (segment(&self.room), segment(id));
        let url = format!("{}/_matrix/client/v3/rooms/{room}/send/m.room.message/{id}", self.api_url);
        let request = self.client.request(reqwest::Method::PUT, &url).bearer_auth(self.token.expose_secret());
        let answer = self.client.expect(request.json(body)).await?;
        Ok(serde_json::from_slice::<Sent>(&answer.body).map(|sent| sent.event_id).unwrap_or_default())
    }
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(letter),
        }
    }
    out
}

/// Returns the content of a message.
pub(super) fn content(text: &Text) -> Value {
    let lines = cut(&text.lines.join("\n"), LONGEST);
    let mut body = text.title.clone();
    let mut formatted = format!("<strong>{}</strong>", html(&text.title));
    for line in lines.lines() {
        body = format!("{body}\n{line}");
        formatted = format!("{formatted}<br/>{}", html(line));
    }
    for link in &text.links {
        let url = text::address(&link.url);
        body = format!("{body}\n{}: {url}", link.words);
        formatted = format!("{formatted}<br/><a href=\"{}\">{}</a>", html(&url), html(&link.words));
    }
    json!({
        "msgtype": "m.notice",
        "body": body,
        "format": "org.matrix.custom.html",
        "formatted_body": formatted,
        "m.mentions": {},
    })
}

#[async_trait]
impl Notifier for Matrix {
    fn abilities(&self) -> Abilities {
        Abilities { edits: true, threads: true, after_doubt: AfterDoubt::Repeat }
    }

    async fn post(&self, message: &Message<'_>) -> Result<String, NotifyError> {
        self.send(message.id, &content(&text::of(&message.content))).await
    }

    async fn edit(&self, id: &str, message: &Message<'_>) -> Result<(), NotifyError> {
        let new = content(&text::of(&message.content));
        let mut body = new.clone();
        body["m.new_content"] = new;
        body["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": id });
        self.send(message.id, &body).await.map(drop)
    }

    async fn reply(&self, id: &str, message: &Message<'_>) -> Result<(), NotifyError> {
        let mut body = content(&text::of(&message.content));
        body["m.relates_to"] = json!({
            "rel_type": "m.thread",
            "event_id": id,
            "is_falling_back": true,
            "m.in_reply_to": { "event_id": id },
        });
        self.send(message.id, &body).await.map(drop)
    }

    async fn inspect(&self) -> Result<Option<String>, NotifyError> {
        let url = format!("{}/_matrix/client/v3/account/whoami", self.api_url);
        let request = self.client.request(reqwest::Method::GET, &url).bearer_auth(self.token.expose_secret());
        let answer = self.client.expect(request).await?;
        let who = serde_json::from_slice::<Who>(&answer.body);
        let who = who.map_err(|_| NotifyError::Permanent("the answer is not a homeserver's".to_owned()))?;
        Ok(Some(format!("writes as {}", plain(&who.user_id))))
    }
}
