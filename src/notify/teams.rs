//! Microsoft Teams, by the address of a workflow that posts to a channel.
//!
//! The text of an adaptive card takes some Markdown: every mark is escaped. Links are buttons. The card
//! has no `msteams.entities`, without which nothing mentions anybody.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    notify::{
        http::Client,
        text::{self, Text, cut, markdown},
    },
    port::notify::{Abilities, AfterDoubt, Message, Notifier, NotifyError},
};

/// Longest lines together in characters: a message may have 28 KB.
const LONGEST: usize = 5000;

/// Microsoft Teams, by a workflow.
pub struct Teams {
    client: Client,
    url: SecretString,
}

impl Teams {
    /// Creates a target for the workflow's channel.
    pub fn new(client: Client, url: SecretString) -> Self {
        Self { client, url }
    }
}

pub(super) fn body(text: &Text) -> Value {
    let mut card = vec![json!({
        "type": "TextBlock", "text": markdown(&text.title), "weight": "Bolder", "wrap": true,
    })];
    let lines = cut(&text.lines.join("\n"), LONGEST);
    card.extend(lines.lines().map(|line| json!({ "type": "TextBlock", "text": markdown(line), "wrap": true })));
    let open = |link: &crate::domain::notice::NoticeLink| json!({ "type": "Action.OpenUrl", "title": link.words, "url": text::address(&link.url) });
    let actions: Vec<Value> = text.links.iter().map(open).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": card,
                "actions": actions,
            },
        }],
    })
}

#[async_trait]
impl Notifier for Teams {
    fn abilities(&self) -> Abilities {
        Abilities { edits: false, threads: false, after_doubt: AfterDoubt::GiveUp }
    }

    /// A workflow that accepts a message may still fail to show it: its owner sees that in its runs.
    async fn post(&self, message: &Message<'_>) -> Result<String, NotifyError> {
        let request = self.client.request(reqwest::Method::POST, self.url.expose_secret());
        self.client.expect(request.json(&body(&text::of(&message.content)))).await?;
        Ok(String::new())
    }

    async fn edit(&self, _: &str, _: &Message<'_>) -> Result<(), NotifyError> {
        Err(NotifyError::Permanent("a workflow can't edit".to_owned()))
    }

    async fn reply(&self, _: &str, _: &Message<'_>) -> Result<(), NotifyError> {
        Err(NotifyError::Permanent("a workflow answers no message".to_owned()))
    }

    async fn inspect(&self) -> Result<Option<String>, NotifyError> {
        Ok(None)
    }
}
