//! Effects: writes to a forge, as data.

mod about;
mod forge_result;
mod part;
mod texts;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    decision::GateName,
    event::DeployState,
    fact::command::{CommandId, Source},
    id::{ItemId, Sha},
    schema::SchemaPin,
};

pub use crate::domain::effect::forge_result::ForgeResult;
pub use crate::domain::effect::part::{
    Annotation, CheckVerdict, LabelSpec, Lane, Reaction, RefGuard, RetrySafety, SchemaAct,
};

/// The marker of our issue about an invalid policy file, and of the comment on a pull request that
/// changes the policy file.
pub const POLICY_MARKER: &str = "policy";
/// Beginning of the marker of a weekly retrospective's issue.
pub const RETRO_MARKER: &str = "retro:";

/// A write to a forge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Sets an item's phase label to exactly this one, or to none.
    SetPhase {
        /// The item.
        item: ItemId,
        /// The label to add; `None`: none.
        label: Option<LabelSpec>,
        /// Every label that shows a phase in the policy. All of them but `label` are removed.
        phase_labels: BTreeSet<String>,
    },
    /// Creates a comment, or edits the existing one that has the same marker.
    UpsertComment {
        /// The item.
        item: ItemId,
        /// Hidden text that identifies the comment, without the HTML comment around it.
        marker: String,
        /// The visible text. The adapter adds the marker.
        body: String,
        /// True to edit the existing comment; false to create a new one. After a send whose result
        /// is unknown, a new one is looked up, too.
        sticky: bool,
    },
    /// Adds a reaction to a comment or review.
    React {
        /// The item on which it was written.
        item: ItemId,
        /// The comment or review.
        source: Source,
        /// The forge's global id of the review, where only that identifies it.
        node: Option<String>,
        /// The reaction.
        reaction: Reaction,
    },
    /// Minimizes one of our comments because a newer one replaces it.
    FoldComment {
        /// The item.
        item: ItemId,
        /// The comment's marker.
        marker: String,
        /// Earliest time at which it was written.
        since: Timestamp,
    },
    /// Assigns people, in addition to those already assigned.
    Assign {
        /// The item.
        item: ItemId,
        /// Account names.
        logins: Vec<String>,
        /// The command that requested it, if any.
        command: Option<CommandId>,
    },
    /// Sets an item's milestone to an open one, or removes it.
    SetMilestone {
        /// The item.
        item: ItemId,
        /// Title of the milestone, compared without case; `None`: remove it.
        milestone: Option<String>,
        /// The command that requested it.
        command: CommandId,
    },
    /// Re-runs what failed on a pull request's head, if the head is still this commit.
    RerunFailed {
        /// The pull request.
        pull: ItemId,
        /// The expected head commit.
        sha: Sha,
        /// The command that requested it.
        command: CommandId,
    },
    /// Opens a new issue.
    OpenIssue {
        /// Hidden text that identifies the issue.
        marker: String,
        /// Title.
        title: String,
        /// Text. The adapter adds the marker.
        body: String,
        /// Labels.
        labels: Vec<LabelSpec>,
        /// The gate whose violation the issue reports, if any.
        #[serde(default)]
        gate: Option<String>,
    },
    /// Changes the title and text of one of our issues.
    EditIssue {
        /// The issue.
        item: ItemId,
        /// Hidden text that identifies the issue.
        marker: String,
        /// Title.
        title: String,
        /// Text. The adapter adds the marker.
        body: String,
    },
    /// Closes an issue as completed, or reopens it.
    SetIssueState {
        /// The issue.
        item: ItemId,
        /// True to open it, false to close it.
        open: bool,
    },
    /// Adds labels to an item and removes others. Other labels stay unchanged.
    SetLabels {
        /// The item.
        item: ItemId,
        /// Labels to add. Missing ones are created.
        add: Vec<LabelSpec>,
        /// Labels to remove.
        remove: BTreeSet<String>,
    },
    /// Keeps one of our issues up to date. It is created if it should be open and does not exist;
    /// otherwise its title, text and state are updated.
    UpsertIssue {
        /// Hidden text that identifies the issue.
        marker: String,
        /// Title.
        title: String,
        /// Text. The adapter adds the marker.
        body: String,
        /// True for an open issue, false for a closed one.
        open: bool,
    },
    /// Reports a verdict on a commit: creates a check run, or updates the existing one. A forge
    /// without check runs shows a commit status, and the text in a comment on `or_comment`.
    Report {
        /// Name of the check run, or context of the commit status, such as `phasebot/policy`.
        name: String,
        /// The commit.
        sha: Sha,
        /// The gate whose decision it shows, if any.
        #[serde(default)]
        gate: Option<GateName>,
        /// Our id for it. It distinguishes our check runs with the same name.
        external_id: String,
        /// Verdict.
        verdict: CheckVerdict,
        /// Title, one line.
        title: String,
        /// Summary, Markdown.
        summary: String,
        /// Annotations on lines of files. The adapter sends no more than the forge accepts.
        annotations: Vec<Annotation>,
        /// The item on which to post the same content as a comment if we may not write checks, or if
        /// the forge has none. The comment is found again by `external_id`.
        or_comment: Option<ItemId>,
    },
    /// Creates a deployment of a commit. It is found again by our id in its payload.
    CreateDeployment {
        /// Our id for the request.
        request: String,
        /// Environment.
        environment: String,
        /// True if the environment is production; `None` if the policy doesn't say.
        production: Option<bool>,
        /// True if the environment is made for a pull request.
        #[serde(default)]
        transient: bool,
        /// The commit.
        sha: Sha,
        /// The ref that must not have moved in the meantime.
        watched: RefGuard,
        /// Inputs, which become part of the payload.
        inputs: BTreeMap<String, String>,
        /// Description, one line.
        description: String,
    },
    /// Adds a status to a deployment that we created.
    SetDeployment {
        /// The deployment.
        deployment: u64,
        /// State.
        state: DeployState,
        /// Description, one line.
        description: String,
        /// URL of the details.
        log: Option<String>,
    },
    /// Shows a deployment that another system reported as one of the forge's own: creates the copy
    /// without a state, or sets the state of the copy. It is found again by the id in its payload.
    MirrorDeployment {
        /// Our id of the reported deployment.
        external: u64,
        /// The forge's id of the copy; `None`: create it.
        made: Option<u64>,
        /// True if an earlier attempt may have created it.
        #[serde(default)]
        look_first: bool,
        /// Environment, as written.
        environment: String,
        /// True if the environment is production; `None` if nothing says so.
        production: Option<bool>,
        /// The commit.
        sha: Sha,
        /// State to show.
        state: DeployState,
        /// The reported state that this is about.
        reported: DeployState,
        /// Description, one line.
        description: String,
    },
    /// Starts a workflow.
    Dispatch {
        /// Workflow file.
        workflow: String,
        /// Branch or tag to run the workflow from.
        reference: String,
        /// The commit to deploy.
        sha: Sha,
        /// The ref that must not have moved in the meantime.
        watched: RefGuard,
        /// Environment.
        environment: String,
        /// Our id for the request, sent as an input if the workflow declares it.
        request: String,
        /// Inputs that the policy declares.
        inputs: BTreeMap<String, String>,
        /// True to start only a workflow that takes the commit as an input. False also allows
        /// another workflow, if the head of the branch is the commit.
        strict: bool,
    },
    /// Starts the workflow that tears down the environment of a pull request. It may run twice.
    TearDown {
        /// Our id for it, sent as an input if the workflow declares it.
        request: String,
        /// Environment.
        environment: String,
        /// The pull request.
        pull: ItemId,
        /// Workflow file.
        workflow: String,
        /// Branch to run the workflow from.
        reference: String,
    },
    /// Cancels a workflow run, if it has not ended.
    CancelRun {
        /// The run.
        run: u64,
    },
    /// Answers a job that waits for our deployment protection rule, or reports the current state to
    /// it.
    AnswerProtection {
        /// The workflow run.
        run: u64,
        /// Environment, as written.
        environment: String,
        /// True to approve the job, false to reject it; `None` to send the comment only.
        approve: Option<bool>,
        /// Comment. The adapter sends no more than the forge accepts.
        comment: String,
    },
    /// Publishes a draft release at exactly this commit.
    PublishRelease {
        /// The release.
        release: u64,
        /// The release's tag.
        tag: String,
        /// The gate of the policy under which it is published.
        #[serde(default)]
        gate: String,
        /// The commit that passed the gate.
        sha: Sha,
        /// The branch that the release names as its target, if it names one.
        branch: Option<String>,
        /// The command that requested it, if any.
        command: Option<CommandId>,
    },
    /// Sets our block of a draft release's text. The rest of the text stays as it is.
    SetReleaseNotes {
        /// The release.
        release: u64,
        /// The release's tag.
        tag: String,
        /// The gate of the policy that wants the notes.
        gate: String,
        /// The block. The adapter adds the markers around it.
        text: String,
    },
    /// Moves a schema change on at its database, if it is in the state for that and has this
    /// content. The database is asked first, so that nothing is sent that was done already.
    ActOnSchema {
        /// Our id for the deployment request.
        request: String,
        /// The schema change.
        pin: SchemaPin,
        /// What to do.
        act: SchemaAct,
    },
}

impl Effect {
    /// Returns the effect's lane.
    pub fn lane(&self) -> Lane {
        match self {
            Self::CreateDeployment { .. }
            | Self::ActOnSchema { .. }
            | Self::SetDeployment { .. }
            | Self::Dispatch { .. }
            | Self::TearDown { .. }
            | Self::CancelRun { .. }
            | Self::AnswerProtection { .. }
            | Self::PublishRelease { .. } => Lane::Safety,
            Self::UpsertComment { .. }
            | Self::React { .. }
            | Self::FoldComment { .. }
            | Self::Assign { .. }
            | Self::SetMilestone { .. }
            | Self::RerunFailed { .. }
            | Self::OpenIssue { .. }
            | Self::UpsertIssue { .. }
            | Self::Report { .. } => Lane::Conversation,
            // Updates of existing things can wait; new things go first.
            Self::EditIssue { .. }
            | Self::MirrorDeployment { .. }
            | Self::SetIssueState { .. }
            | Self::SetLabels { .. }
            | Self::SetReleaseNotes { .. }
            | Self::SetPhase { .. } => Lane::Labels,
        }
    }

    /// Returns what may be done after a send whose result is unknown.
    pub fn repeat(&self) -> RetrySafety {
        match self {
            // It looks up anew what failed: a run that was started again has not failed.
            Self::RerunFailed { .. }
            | Self::SetPhase { .. }
            | Self::React { .. }
            | Self::FoldComment { .. }
            | Self::Assign { .. }
            | Self::EditIssue { .. }
            | Self::SetIssueState { .. }
            | Self::SetLabels { .. }
            | Self::SetMilestone { .. }
            | Self::SetReleaseNotes { .. }
            // Repeating the same status, approval or cancellation changes nothing; a published
            // release stays published.
            | Self::SetDeployment { .. }
            | Self::MirrorDeployment { made: Some(_), .. }
            | Self::TearDown { .. }
            | Self::CancelRun { .. }
            | Self::AnswerProtection { approve: Some(_), .. }
            | Self::PublishRelease { .. } => RetrySafety::Natural,
            // Acts on schemas are looked up by their state.
            Self::ActOnSchema { .. }
            | Self::CreateDeployment { .. }
            | Self::MirrorDeployment { made: None, .. }
            | Self::UpsertComment { .. }
            | Self::OpenIssue { .. }
            | Self::UpsertIssue { .. }
            | Self::Report { .. } => RetrySafety::MarkedCreate,
            Self::Dispatch { .. } | Self::AnswerProtection { approve: None, .. } => RetrySafety::Unverifiable,
        }
    }
}
