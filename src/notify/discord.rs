//! Discord, by a channel's webhook.
//!
//! Text is Markdown with every mark escaped, and no mention is allowed whatever the text says
//! (`allowed_mentions`). Addresses are not looked at (the flag that suppresses embeds).

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    notify::{
        http::{Client, plain},
        text::{self, Text, markdown, markdown_links},
    },
    port::notify::{Abilities, AfterDoubt, Message, Notifier, NotifyError},
};

/// Longest message in characters.
const LONGEST: usize = 2000;
/// Flag of a message that shows no previews of addresses.
const SUPPRESS_EMBEDS: u32 = 4;

/// Discord, by a channel's webhook.
pub struct Discord {
    client: Client,
    url: SecretString,
}

/// A message or a webhook, as Discord describes it.
#[derive(Deserialize)]
struct Object {
    id: String,
    #[serde(default)]
    name: Option<String>,
}

impl Discord {
    /// Creates a target for the webhook's channel.
    pub fn new(client: Client, url: SecretString) -> Self {
        Self { client, url }
    }

    /// Returns the webhook's address with a path after it, and a parameter.
    fn address(&self, path: &str, parameter: Option<&str>) -> String {
        let url = self.url.expose_secret();
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let query: Vec<&str> = parameter.into_iter().chain((!query.is_empty()).then_some(query)).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        format!("{}{path}{query}", base.trim_end_matches('/'))
    }
}

/// Returns the body of a message: whole lines, as many as fit.
pub(super) fn body(text: &Text) -> Value {
    let links = markdown_links(&text.links);
    let mut content = format!("**{}**", markdown(&text.title));
    let mut left = LONGEST.saturating_sub(content.chars().count() + links.chars().count() + 1);
    for line in &text.lines {
        let line = markdown(line);
        let length = line.chars().count() + 1;
        if length > left {
            break;
        }
        left -= length;
        content = format!("{content}\n{line}");
    }
    if !links.is_empty() {
        content = format!("{content}\n{links}");
    }
    json!({ "content": content, "allowed_mentions": { "parse": [] }, "flags": SUPPRESS_EMBEDS })
}

#[async_trait]
impl Notifier for Discord {
    fn abilities(&self) -> Abilities {
        Abilities { edits: true, threads: false, after_doubt: AfterDoubt::RepeatIfPersonNeeded }
    }

    async fn post(&self, message: &Message<'_>) -> Result<String, NotifyError> {
        let request = self.client.request(reqwest::Method::POST, &self.address("", Some("wait=true")));
        let answer = self.client.expect(request.json(&body(&text::of(&message.content)))).await?;
        // Without an id the message is there, and can't be edited.
        Ok(serde_json::from_slice::<Object>(&answer.body).map(|message| message.id).unwrap_or_default())
    }

    async fn edit(&self, id: &str, message: &Message<'_>) -> Result<(), NotifyError> {
        let digits: String = id.chars().filter(char::is_ascii_digit).collect();
        let request = self.client.request(reqwest::Method::PATCH, &self.address(&format!("/messages/{digits}"), None));
        let answer = self.client.send(request.json(&body(&text::of(&message.content)))).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(()),
            404 => Err(NotifyError::MessageGone("404".to_owned())),
            _ => Err(self.client.refused(&answer)),
        }
    }

    async fn reply(&self, _: &str, _: &Message<'_>) -> Result<(), NotifyError> {
        Err(NotifyError::Permanent("a webhook of Discord answers no message".to_owned()))
    }

    async fn inspect(&self) -> Result<Option<String>, NotifyError> {
        let request = self.client.request(reqwest::Method::GET, &self.address("", None));
        let answer = self.client.expect(request).await?;
        let webhook = serde_json::from_slice::<Object>(&answer.body);
        let webhook = webhook.map_err(|_| NotifyError::Permanent("the answer is not a webhook".to_owned()))?;
        Ok(Some(format!("writes by the webhook {}", plain(&webhook.name.unwrap_or(webhook.id)))))
    }
}
