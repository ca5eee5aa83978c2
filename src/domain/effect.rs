//! Things to do on a forge, as data.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::id::{ItemNumber, Sha};

/// How a label looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelLook {
    /// Name.
    pub name: String,
    /// Six hex digits, without `#`.
    pub color: String,
    /// One line.
    pub description: String,
}

/// Which writes go first, per installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Deploy, cancel, protection answers, rollback.
    Safety,
    /// Comments, reactions, checks, issues.
    Conversation,
    /// Labels: desired state, the newest replaces a queued one.
    Labels,
}

/// What may be done again after a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Doing it twice changes nothing.
    Natural,
    /// It makes something: look it up by our marker before sending again.
    MarkedCreate,
    /// Nobody can tell whether it was done: never sent again unproven.
    Unverifiable,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Make the item carry exactly this phase label, or none.
    SetPhase {
        /// The item.
        item: ItemNumber,
        /// The label to put on; `None`: none.
        label: Option<LabelLook>,
        /// Every label that shows a phase in the policy: others of them come off.
        phase_labels: BTreeSet<String>,
    },
    /// A comment, made once and found again by its marker; edited in place when it exists.
    UpsertComment {
        /// The item.
        item: ItemNumber,
        /// Hidden text that identifies it, without the HTML comment around it.
        marker: String,
        /// The text for people; the marker is added by the adapter.
        body: String,
        /// Make a new one, or keep one up to date.
        sticky: bool,
    },
    /// A reaction to a comment.
    React {
        /// The comment.
        comment: u64,
        /// The forge's name for it: `eyes`, `rocket`, `-1`, `confused`.
        content: String,
    },
    /// A new issue.
    OpenIssue {
        /// Hidden text that identifies it.
        marker: String,
        /// Title.
        title: String,
        /// Text; the marker is added by the adapter.
        body: String,
        /// Labels.
        labels: Vec<LabelLook>,
    },
    /// Start a workflow.
    Dispatch {
        /// Workflow file.
        workflow: String,
        /// Branch or tag to run it from.
        reference: String,
        /// The commit it must run at.
        sha: Sha,
        /// Our id for it, sent as an input where the workflow declares it.
        request: String,
    },
}

impl Effect {
    /// The lane it goes in.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Dispatch { .. } => Lane::Safety,
            Self::UpsertComment { .. } | Self::React { .. } | Self::OpenIssue { .. } => Lane::Conversation,
            Self::SetPhase { .. } => Lane::Labels,
        }
    }

    /// What to do after a doubt.
    pub fn repeat(&self) -> Repeat {
        match self {
            Self::SetPhase { .. } | Self::React { .. } => Repeat::Natural,
            Self::UpsertComment { .. } | Self::OpenIssue { .. } => Repeat::MarkedCreate,
            Self::Dispatch { .. } => Repeat::Unverifiable,
        }
    }

    /// A name for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SetPhase { .. } => "set_phase",
            Self::UpsertComment { .. } => "upsert_comment",
            Self::React { .. } => "react",
            Self::OpenIssue { .. } => "open_issue",
            Self::Dispatch { .. } => "dispatch",
        }
    }
}
