//! Mattermost, by an incoming webhook.
//!
//! Text is Markdown with every mark escaped, and what Mattermost recognises without marks (names,
//! channels, hashtags, addresses) is split by a zero-width space.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    notify::{
        http::Client,
        text::{self, Text, markdown, markdown_links},
    },
    port::notify::{Abilities, AfterDoubt, Message, Notifier, NotifyError},
};

/// Mattermost, by an incoming webhook.
pub struct Mattermost {
    client: Client,
    url: SecretString,
}

impl Mattermost {
    /// Creates a target for the webhook's channel.
    pub fn new(client: Client, url: SecretString) -> Self {
        Self { client, url }
    }
}

pub(super) fn body(text: &Text) -> Value {
    let lines = text.lines.iter().map(|line| markdown(line));
    let links = Some(markdown_links(&text.links)).filter(|links| !links.is_empty());
    let all: Vec<String> = [format!("**{}**", markdown(&text.title))].into_iter().chain(lines).chain(links).collect();
    // An empty line, so that each is a paragraph.
    json!({ "text": all.join("\n\n") })
}

#[async_trait]
impl Notifier for Mattermost {
    fn abilities(&self) -> Abilities {
        Abilities { edits: false, threads: false, after_doubt: AfterDoubt::RepeatIfPersonNeeded }
    }

    async fn post(&self, message: &Message<'_>) -> Result<String, NotifyError> {
        let request = self.client.request(reqwest::Method::POST, self.url.expose_secret());
        self.client.expect(request.json(&body(&text::of(&message.content)))).await?;
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
