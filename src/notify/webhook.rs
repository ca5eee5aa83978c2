//! Webhooks as the Standard Webhooks specification 1.0.0 describes them
//! (standard-webhooks/standard-webhooks, `spec/standard-webhooks.md`).
//!
//! JSON needs no escaping: whoever receives it decides how to show it.

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::header;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::Sha256;

use crate::{
    domain::notice::Notice,
    notify::http::Client,
    port::notify::{Abilities, AfterDoubt, Content, Message, Notifier, NotifyError},
};

/// Prefix of a secret in Base64.
const ENCODED_SECRET: &str = "whsec_";

/// A webhook.
pub struct Webhook {
    client: Client,
    url: SecretString,
    secrets: Vec<SecretString>,
}

/// Body of a message.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    /// Time at which it happened.
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Notice(Said<'a>),
    Digest { notices: Vec<Said<'a>>, more: usize },
    Test { text: &'static str },
}

#[derive(Serialize)]
struct Said<'a> {
    repository: &'a str,
    thread: &'a str,
    kind: &'static str,
    environment: Option<&'a str>,
    headline: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    lines: &'a [String],
    links: Vec<Link<'a>>,
    needs_person: bool,
}

#[derive(Serialize)]
struct Link<'a> {
    text: &'a str,
    url: &'a str,
}

/// Most notices of a digest: a body should have fewer than 20 KB.
const MOST_LISTED: usize = 20;

impl Webhook {
    /// Creates a webhook. Each message is signed with every secret: one, or two while one replaces the
    /// other.
    pub fn new(client: Client, url: SecretString, secrets: Vec<SecretString>) -> Self {
        Self { client, url, secrets }
    }

    /// Returns the signatures of a message, separated by spaces.
    fn signatures(&self, id: &str, seconds: i64, body: &str) -> String {
        let one = |secret: &SecretString| {
            let key = key(secret.expose_secret());
            // A MAC of this kind takes a key of any length.
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
            mac.update(format!("{id}.{seconds}.{body}").as_bytes());
            Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
        };
        self.secrets.iter().filter_map(one).collect::<Vec<_>>().join(" ")
    }
}

/// Returns the key that a secret stands for: a secret in Base64 begins with `whsec_`.
fn key(secret: &str) -> Vec<u8> {
    let decoded = secret.strip_prefix(ENCODED_SECRET).and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
    decoded.filter(|key| !key.is_empty()).unwrap_or_else(|| secret.as_bytes().to_vec())
}

fn said(notice: &Notice) -> Said<'_> {
    Said {
        repository: &notice.repository,
        thread: &notice.thread,
        kind: notice.kind.name(),
        environment: notice.environment.as_deref(),
        headline: &notice.headline,
        lines: &notice.lines,
        links: notice.links.iter().map(|link| Link { text: &link.words, url: &link.url }).collect(),
        needs_person: notice.needs_person,
    }
}

fn body(message: &Message<'_>) -> String {
    let (r#type, at, data) = match message.content {
        Content::Notice(notice) => (format!("notice.{}", notice.kind.name()), notice.at, Data::Notice(said(notice))),
        Content::Digest(notices) => {
            // In short, so that the body stays small.
            let short = |notice: &&&Notice| !notice.needs_person;
            let mut sorted: Vec<&&Notice> = notices.iter().collect();
            sorted.sort_by_key(short);
            let listed = sorted.iter().take(MOST_LISTED).map(|notice| Said { lines: &[], ..said(notice) });
            let more = notices.len().saturating_sub(MOST_LISTED);
            ("notice.digest".to_owned(), message.now, Data::Digest { notices: listed.collect(), more })
        }
        Content::Test => {
            ("notice.test".to_owned(), message.now, Data::Test { text: "A test by phasebot: notices arrive here" })
        }
    };
    let body = Body { r#type, timestamp: at.to_string(), data };
    // It has no map with keys that are not strings.
    serde_json::to_string(&body).unwrap_or_default()
}

#[async_trait]
impl Notifier for Webhook {
    fn abilities(&self) -> Abilities {
        Abilities { edits: false, threads: false, after_doubt: AfterDoubt::Repeat }
    }

    async fn post(&self, message: &Message<'_>) -> Result<String, NotifyError> {
        let body = body(message);
        let seconds = message.now.as_second();
        let request = self
            .client
            .request(reqwest::Method::POST, self.url.expose_secret())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", self.signatures(message.id, seconds, &body))
            .body(body);
        match self.client.expect(request).await {
            Ok(_) => Ok(String::new()),
            // Whatever it is, the receiver may mend it; only 410 says that it never will.
            Err(NotifyError::Permanent(why)) => Err(NotifyError::Transient(why)),
            Err(error) => Err(error),
        }
    }

    async fn edit(&self, _: &str, _: &Message<'_>) -> Result<(), NotifyError> {
        Err(NotifyError::Permanent("a webhook can't edit".to_owned()))
    }

    async fn reply(&self, _: &str, _: &Message<'_>) -> Result<(), NotifyError> {
        Err(NotifyError::Permanent("a webhook has no threads".to_owned()))
    }

    async fn inspect(&self) -> Result<Option<String>, NotifyError> {
        Ok(None)
    }
}
