//! Things to do on a forge, as data.

mod about;
mod forge_result;
mod part;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    decision::GateName,
    event::DeployState,
    fact::command::CommandId,
    id::{ItemNumber, Sha},
};

pub use crate::domain::effect::forge_result::ForgeResult;
pub use crate::domain::effect::part::{Annotation, CheckVerdict, LabelSpec, RefGuard};

/// The marker of our issue about an invalid policy file, and of the comment
/// on a pull request that changes it.
pub const POLICY_MARKER: &str = "policy";

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

impl Lane {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Safety, Self::Conversation, Self::Labels];
}

/// What may be done again after a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetrySafety {
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
        label: Option<LabelSpec>,
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
    /// A reaction to something that only its global id names, such as a review.
    ReactTo {
        /// The forge's global id.
        node: String,
        /// As in [`Effect::React`].
        content: String,
    },
    /// Fold one of our comments away: something newer is said.
    FoldComment {
        /// The item.
        item: ItemNumber,
        /// The comment's marker.
        marker: String,
        /// When it was written, at the earliest.
        since: Timestamp,
    },
    /// Assign people, beside those who are.
    Assign {
        /// The item.
        item: ItemNumber,
        /// Account names.
        logins: Vec<String>,
        /// The command that asks for it, if one does.
        command: Option<CommandId>,
    },
    /// Put an item into an open milestone, or take it out of its own.
    SetMilestone {
        /// The item.
        item: ItemNumber,
        /// Title; compared without case.
        milestone: Option<String>,
        /// The command that asks for it.
        command: CommandId,
    },
    /// Run what failed on a pull request's head again, if it is still this commit.
    RerunFailed {
        /// The pull request.
        pull: ItemNumber,
        /// The head commit that was meant.
        sha: Sha,
        /// The command that asks for it.
        command: CommandId,
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
        labels: Vec<LabelSpec>,
        /// The gate whose breach it reports, if it does.
        #[serde(default)]
        gate: Option<String>,
    },
    /// Another title and text for an issue of ours.
    EditIssue {
        /// The issue.
        item: ItemNumber,
        /// Hidden text that identifies it.
        marker: String,
        /// Title.
        title: String,
        /// Text; the marker is added by the adapter.
        body: String,
    },
    /// Close an issue as done, or open it again.
    SetIssueState {
        /// The issue.
        item: ItemNumber,
        /// Open, or closed.
        open: bool,
    },
    /// Put labels on an item and take others off; the rest stays as it is.
    SetLabels {
        /// The item.
        item: ItemNumber,
        /// To put on; made if they are missing.
        add: Vec<LabelSpec>,
        /// To take off.
        remove: BTreeSet<String>,
    },
    /// An issue of ours that is kept up to date: made if it should be open and
    /// is not there, else brought to this title, text and state.
    UpsertIssue {
        /// Hidden text that identifies it.
        marker: String,
        /// Title.
        title: String,
        /// Text; the marker is added by the adapter.
        body: String,
        /// Open, or closed.
        open: bool,
    },
    /// A check run on a commit; brought up to date when it is there.
    SetCheck {
        /// Its name, such as `phasebot/policy`.
        name: String,
        /// The commit.
        sha: Sha,
        /// The gate whose decision it shows, if it does.
        #[serde(default)]
        gate: Option<GateName>,
        /// Our id for it: tells it from another of ours with this name.
        external_id: String,
        /// What it says.
        verdict: CheckVerdict,
        /// One line.
        title: String,
        /// Markdown.
        summary: String,
        /// Words on lines of files; the adapter sends no more than the forge takes.
        annotations: Vec<Annotation>,
        /// Where we may not write checks: the same in a comment here, which
        /// is found again by `external_id`.
        or_comment: Option<ItemNumber>,
    },
    /// A deployment of a commit, found again by our id in its payload.
    CreateDeployment {
        /// Our id for it.
        request: String,
        /// Environment.
        environment: String,
        /// Whether it is production, if the policy says so.
        production: Option<bool>,
        /// The commit.
        sha: Sha,
        /// What must not have moved meanwhile.
        watched: RefGuard,
        /// Inputs, which go into the payload.
        inputs: BTreeMap<String, String>,
        /// One line.
        description: String,
    },
    /// A status of a deployment that we made.
    SetDeployment {
        /// The deployment.
        deployment: u64,
        /// How it stands.
        state: DeployState,
        /// One line.
        description: String,
        /// Where to read more.
        log: Option<String>,
    },
    /// Start a workflow.
    Dispatch {
        /// Workflow file.
        workflow: String,
        /// Branch or tag to run it from.
        reference: String,
        /// The commit that is to be deployed.
        sha: Sha,
        /// What must not have moved meanwhile.
        watched: RefGuard,
        /// Environment.
        environment: String,
        /// Our id for it, sent as an input where the workflow declares it.
        request: String,
        /// Inputs that the policy declares.
        inputs: BTreeMap<String, String>,
        /// Only a workflow that can be told the commit; else the branch must
        /// stand at it.
        strict: bool,
    },
    /// Cancel a workflow run, if it has not ended.
    CancelRun {
        /// The run.
        run: u64,
    },
    /// Answer a job that waits for our word, or tell it how things stand.
    AnswerProtection {
        /// The workflow run.
        run: u64,
        /// Environment, as written.
        environment: String,
        /// Let it go on, or not; `None`: only words.
        approve: Option<bool>,
        /// Words; the adapter sends no more than the forge takes.
        comment: String,
    },
    /// Publish a draft release at a commit, and nowhere else.
    PublishRelease {
        /// The release.
        release: u64,
        /// Its tag.
        tag: String,
        /// The gate of the policy under which it is published.
        #[serde(default)]
        gate: String,
        /// The commit that passed the gate.
        sha: Sha,
        /// The branch that it was to be made from, if it names one.
        branch: Option<String>,
        /// The command that asks for it, if one does.
        command: Option<CommandId>,
    },
}

impl Effect {
    /// The lane it goes in.
    pub fn lane(&self) -> Lane {
        match self {
            Self::CreateDeployment { .. }
            | Self::SetDeployment { .. }
            | Self::Dispatch { .. }
            | Self::CancelRun { .. }
            | Self::AnswerProtection { .. }
            | Self::PublishRelease { .. } => Lane::Safety,
            Self::UpsertComment { .. }
            | Self::React { .. }
            | Self::ReactTo { .. }
            | Self::FoldComment { .. }
            | Self::Assign { .. }
            | Self::SetMilestone { .. }
            | Self::RerunFailed { .. }
            | Self::OpenIssue { .. }
            | Self::UpsertIssue { .. }
            | Self::SetCheck { .. } => Lane::Conversation,
            // What is there can wait for what is not.
            Self::EditIssue { .. } | Self::SetIssueState { .. } | Self::SetLabels { .. } | Self::SetPhase { .. } => {
                Lane::Labels
            }
        }
    }

    /// What to do after a doubt.
    pub fn repeat(&self) -> RetrySafety {
        match self {
            // What failed is looked up anew: a run that was started again has not failed.
            Self::RerunFailed { .. }
            | Self::SetPhase { .. }
            | Self::React { .. }
            | Self::ReactTo { .. }
            | Self::FoldComment { .. }
            | Self::Assign { .. }
            | Self::EditIssue { .. }
            | Self::SetIssueState { .. }
            | Self::SetLabels { .. }
            | Self::SetMilestone { .. }
            // A second status of the same kind, a second «yes» and a second
            // «stop» say nothing new; a release that is published stays so.
            | Self::SetDeployment { .. }
            | Self::CancelRun { .. }
            | Self::AnswerProtection { approve: Some(_), .. }
            | Self::PublishRelease { .. } => RetrySafety::Natural,
            Self::CreateDeployment { .. } | Self::UpsertComment { .. } | Self::OpenIssue { .. } | Self::UpsertIssue { .. } | Self::SetCheck { .. } => {
                RetrySafety::MarkedCreate
            }
            Self::Dispatch { .. } | Self::AnswerProtection { approve: None, .. } => RetrySafety::Unverifiable,
        }
    }

    /// A name for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SetPhase { .. } => "set_phase",
            Self::UpsertComment { .. } => "upsert_comment",
            Self::React { .. } => "react",
            Self::ReactTo { .. } => "react_to",
            Self::FoldComment { .. } => "fold_comment",
            Self::Assign { .. } => "assign",
            Self::SetMilestone { .. } => "set_milestone",
            Self::RerunFailed { .. } => "rerun_failed",
            Self::OpenIssue { .. } => "open_issue",
            Self::EditIssue { .. } => "edit_issue",
            Self::SetIssueState { .. } => "set_issue_state",
            Self::SetLabels { .. } => "set_labels",
            Self::UpsertIssue { .. } => "upsert_issue",
            Self::SetCheck { .. } => "set_check",
            Self::CreateDeployment { .. } => "create_deployment",
            Self::SetDeployment { .. } => "set_deployment",
            Self::Dispatch { .. } => "dispatch",
            Self::CancelRun { .. } => "cancel_run",
            Self::AnswerProtection { .. } => "answer_protection",
            Self::PublishRelease { .. } => "publish_release",
        }
    }
}
