//! `[notices.NAME]`: one target of notices.

use std::collections::BTreeSet;

use http::Uri;
use secrecy::{ExposeSecret, SecretString};

use crate::settings::problem::{Place, Problem};

/// Root of Slack's API.
const SLACK_API: &str = "https://slack.com/api";

/// A target of notices.
#[derive(Debug, Clone)]
pub struct NoticeTarget {
    /// The system that it belongs to.
    pub kind: NoticeTargetKind,
    /// Address to which messages are sent: a secret, except for `webhook`.
    pub url: Option<SecretString>,
    /// Signing secrets (`webhook` only): one, or two while one replaces the other.
    pub secrets: Vec<SecretString>,
    /// Token of the app or account that writes (`slack`, `matrix`).
    pub token: Option<SecretString>,
    /// Id of the channel (`slack` with a token), or of the room (`matrix`).
    pub channel: String,
    /// Root of the API (`slack` with a token), or of the homeserver (`matrix`).
    pub api_url: String,
    /// `owner/name` of the repositories that may use it; empty: every public repository.
    pub repositories: Vec<String>,
}

/// Kinds of targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeTargetKind {
    /// Any system that takes signed JSON.
    Webhook,
    /// Slack, by an app's token or an incoming webhook.
    Slack,
    /// Microsoft Teams, by a workflow's address.
    Teams,
    /// Discord.
    Discord,
    /// Mattermost.
    Mattermost,
    /// Matrix.
    Matrix,
}

impl NoticeTargetKind {
    /// Every kind with its name.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Webhook, "webhook"),
        (Self::Slack, "slack"),
        (Self::Teams, "teams"),
        (Self::Discord, "discord"),
        (Self::Mattermost, "mattermost"),
        (Self::Matrix, "matrix"),
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// Returns the settings that it can have besides `kind` and `repositories`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Webhook => &["url", "secrets"],
            Self::Slack => &["url", "token", "channel", "api_url"],
            Self::Teams | Self::Discord | Self::Mattermost => &["url"],
            Self::Matrix => &["token", "channel", "api_url"],
        }
    }
}

impl NoticeTarget {
    /// Returns the secrets that it lacks, each with what to set.
    pub(super) fn missing_secrets(&self) -> Vec<(&'static str, &'static str)> {
        let url = || ("url", "use the address that the target gave you");
        let token = || ("token", "use the token of the app or account that writes");
        match self.kind {
            NoticeTargetKind::Webhook => {
                let secrets = || ("secrets", "use the secret with which the receiver verifies signatures");
                let (no_url, no_secret) = (self.url.is_none(), self.secrets.is_empty());
                no_url.then(url).into_iter().chain(no_secret.then(secrets)).collect()
            }
            NoticeTargetKind::Slack if self.url.is_some() => Vec::new(),
            NoticeTargetKind::Slack | NoticeTargetKind::Matrix => {
                self.token.is_none().then(token).into_iter().collect()
            }
            NoticeTargetKind::Teams | NoticeTargetKind::Discord | NoticeTargetKind::Mattermost => {
                self.url.is_none().then(url).into_iter().collect()
            }
        }
    }
}

/// A target while it is read, with the names of its settings that were given.
pub(super) struct Draft {
    pub(super) target: NoticeTarget,
    pub(super) given: BTreeSet<String>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            target: NoticeTarget {
                kind: NoticeTargetKind::Webhook,
                url: None,
                secrets: Vec::new(),
                token: None,
                channel: String::new(),
                api_url: SLACK_API.to_owned(),
                repositories: Vec::new(),
            },
            given: BTreeSet::new(),
        }
    }
}

impl Draft {
    /// Returns the problems of the target as a whole.
    pub(super) fn problems(&self, name: &str) -> Vec<Problem> {
        const SPECIAL: [&str; 5] = ["url", "secrets", "token", "channel", "api_url"];
        let problem = |key: &str, message: &str| {
            Problem::new(Place::Setting(format!("notices.{name}.{key}")), message.to_owned())
        };
        if !self.given.contains("kind") {
            return vec![problem("kind", "is missing")];
        }
        let kind = self.target.kind;
        let keys = kind.keys();
        let misplaced = SPECIAL.iter().filter(|key| self.given.contains(**key) && !keys.contains(key));
        let message = format!("is not for targets of kind \"{}\"", kind.name());
        let mut problems: Vec<Problem> = misplaced.map(|key| problem(key, &message)).collect();
        let target = &self.target;
        match kind {
            NoticeTargetKind::Slack => {
                if target.url.is_some() && target.token.is_some() {
                    problems.push(problem(
                        "token",
                        "can't be set together with `url`: use an app's token, or an incoming webhook",
                    ));
                }
                if target.url.is_some() && !target.channel.is_empty() {
                    problems.push(problem(
                        "channel",
                        "is only for an app's token: an incoming webhook has its own channel",
                    ));
                }
                if target.token.is_some() && target.channel.is_empty() {
                    problems.push(problem("channel", "is missing: the channel's id, such as C0123456789"));
                }
            }
            NoticeTargetKind::Matrix => {
                for (key, is_missing) in
                    [("channel", target.channel.is_empty()), ("api_url", !self.given.contains("api_url"))]
                {
                    if is_missing {
                        problems.push(problem(key, "is missing"));
                    }
                }
            }
            NoticeTargetKind::Webhook
            | NoticeTargetKind::Teams
            | NoticeTargetKind::Discord
            | NoticeTargetKind::Mattermost => {}
        }
        if is_open(&target.api_url) {
            problems.push(problem("api_url", "must begin with https://, because the token is sent there"));
        }
        if target.url.as_ref().is_some_and(|url| is_open(url.expose_secret())) {
            problems.push(problem("url", "must begin with https://: notices may be about private repositories"));
        }
        problems
    }
}

/// Returns whether an address sends in the clear to another machine.
fn is_open(url: &str) -> bool {
    let host = url.strip_prefix("http://").map(|rest| rest.split([':', '/', '?']).next().unwrap_or(""));
    host.is_some_and(|host| !matches!(host, "127.0.0.1" | "localhost"))
}

/// Parses an address that may hold a secret, such as a chat's webhook. The message never quotes it.
pub(super) fn address(text: &str) -> Result<Option<SecretString>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wanted = || "expected an address that begins with https://".to_owned();
    let uri: Uri = text.parse().map_err(|_| wanted())?;
    if !matches!(uri.scheme_str(), Some("https" | "http")) || uri.host().is_none_or(str::is_empty) {
        return Err(wanted());
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("the address may have no user name".to_owned());
    }
    Ok(Some(SecretString::from(text)))
}

/// Parses the id of a channel or room.
pub(super) fn channel(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '?' | '#' | '"' | '\\');
    let text = text.trim();
    if text.len() <= 255 && text.chars().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("expected the id of a channel or room, not its name".to_owned())
    }
}
