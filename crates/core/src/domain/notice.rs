//! Notices: messages to people who do not look at the forge, such as a chat's channel.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::pattern::Pattern;

/// Time after which something is no news any more: no notice about it is begun or tried again.
pub const NEWS_FOR: SignedDuration = SignedDuration::from_hours(1);

/// The things that a notice can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A deploy waits for an approval, or a gate has waited for a person for 10 minutes.
    PersonNeeded,
    /// A deployment failed.
    DeployFailed,
    /// A rollback succeeded.
    RolledBack,
    /// An incident opened, or opened again.
    IncidentOpened,
    /// An incident is over.
    IncidentOver,
    /// Several incidents at once, shown in one issue; or their end.
    Storm,
    /// A published release runs in production.
    Released,
    /// A deployment that phasebot runs began.
    DeployStarted,
    /// A deployment succeeded.
    DeploySucceeded,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::PersonNeeded,
        Self::DeployFailed,
        Self::RolledBack,
        Self::IncidentOpened,
        Self::IncidentOver,
        Self::Storm,
        Self::Released,
        Self::DeployStarted,
        Self::DeploySucceeded,
    ];

    /// Returns the name that a policy file uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::PersonNeeded => "person_needed",
            Self::DeployFailed => "deploy_failed",
            Self::RolledBack => "rolled_back",
            Self::IncidentOpened => "incident_opened",
            Self::IncidentOver => "incident_over",
            Self::Storm => "storm",
            Self::Released => "released",
            Self::DeployStarted => "deploy_started",
            Self::DeploySucceeded => "deploy_succeeded",
        }
    }

    /// Returns whether it is sent where the policy does not list kinds.
    pub fn is_default(self) -> bool {
        !matches!(self, Self::DeployStarted | Self::DeploySucceeded)
    }

    /// Returns whether people have to see it even if a message of the same thread is there: it is then
    /// a reply, and not only an edit.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::PersonNeeded | Self::DeployFailed | Self::RolledBack)
    }
}

/// A rule of the policy: what is sent to one target.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticeRule {
    /// The target, as in `[notices.NAME]` of the operator's settings.
    pub to: String,
    /// Kinds that are worth a message.
    pub on: Vec<NoticeKind>,
    /// Environments, in lower case; empty: production.
    pub environments: Vec<Pattern>,
}

/// A notice. Its texts are plain, in one line each, and as people wrote them: whoever sends it
/// escapes them for its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it belongs to, within its repository: `deploy/production/ID`, `release/v1.2.0`,
    /// `incident/ID`. Notices with the same thread are one message, as far as the target can edit it.
    pub thread: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// True if it is worth a message of its own; false if it only changes the one that is there.
    pub is_news: bool,
    /// `owner/name`.
    pub repository: String,
    /// The environment, if it is about one.
    pub environment: Option<String>,
    /// The first line.
    pub headline: String,
    /// Further lines.
    pub lines: Vec<String>,
    /// Links to the forge.
    pub links: Vec<NoticeLink>,
    /// True if somebody has to act.
    pub needs_person: bool,
    /// Time at which it happened.
    pub at: Timestamp,
}

/// A link of a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeLink {
    /// Its words.
    pub words: String,
    /// Its address.
    pub url: String,
}

impl Notice {
    /// Returns a short hash of what it says, with the length of each part, so that no two different
    /// notices give the same input to the hash.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        };
        add(self.kind.name());
        add(if self.needs_person { "person" } else { "" });
        add(&self.headline);
        for line in &self.lines {
            add(line);
        }
        for link in &self.links {
            add(&link.words);
            add(&link.url);
        }
        hex::encode(hash.finalize()).chars().take(32).collect()
    }
}
