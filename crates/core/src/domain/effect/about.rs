//! The name of an effect, and its command, item, request and database.

use crate::domain::{effect::Effect, fact::command::CommandId, id::ItemId};

impl Effect {
    /// Returns the command that waits for its outcome.
    pub fn command(&self) -> Option<CommandId> {
        match self {
            Self::Assign { command, .. } | Self::PublishRelease { command, .. } => *command,
            Self::SetMilestone { command, .. } | Self::RerunFailed { command, .. } => Some(*command),
            Self::SetPhase { .. }
            | Self::UpsertComment { .. }
            | Self::React { .. }
            | Self::FoldComment { .. }
            | Self::OpenIssue { .. }
            | Self::EditIssue { .. }
            | Self::SetIssueState { .. }
            | Self::SetLabels { .. }
            | Self::UpsertIssue { .. }
            | Self::Report { .. }
            | Self::CreateDeployment { .. }
            | Self::SetDeployment { .. }
            | Self::MirrorDeployment { .. }
            | Self::TearDown { .. }
            | Self::Dispatch { .. }
            | Self::CancelRun { .. }
            | Self::AnswerProtection { .. }
            | Self::SetReleaseNotes { .. }
            | Self::ActOnSchema { .. } => None,
        }
    }

    /// Returns the issue or pull request that it concerns.
    pub fn item(&self) -> Option<ItemId> {
        match self {
            Self::SetPhase { item, .. }
            | Self::UpsertComment { item, .. }
            | Self::React { item, .. }
            | Self::FoldComment { item, .. }
            | Self::Assign { item, .. }
            | Self::SetMilestone { item, .. }
            | Self::EditIssue { item, .. }
            | Self::SetIssueState { item, .. }
            | Self::SetLabels { item, .. } => Some(*item),
            Self::RerunFailed { pull, .. } => Some(*pull),
            Self::OpenIssue { .. }
            | Self::UpsertIssue { .. }
            | Self::Report { .. }
            | Self::CreateDeployment { .. }
            | Self::SetDeployment { .. }
            | Self::MirrorDeployment { .. }
            | Self::TearDown { .. }
            | Self::Dispatch { .. }
            | Self::CancelRun { .. }
            | Self::AnswerProtection { .. }
            | Self::PublishRelease { .. }
            | Self::SetReleaseNotes { .. }
            | Self::ActOnSchema { .. } => None,
        }
    }

    /// Returns the id of the deployment request that it starts.
    pub fn request(&self) -> Option<&str> {
        match self {
            Self::CreateDeployment { request, .. } | Self::Dispatch { request, .. } => Some(request),
            Self::SetPhase { .. }
            | Self::UpsertComment { .. }
            | Self::React { .. }
            | Self::FoldComment { .. }
            | Self::Assign { .. }
            | Self::SetMilestone { .. }
            | Self::RerunFailed { .. }
            | Self::OpenIssue { .. }
            | Self::EditIssue { .. }
            | Self::SetIssueState { .. }
            | Self::SetLabels { .. }
            | Self::UpsertIssue { .. }
            | Self::Report { .. }
            | Self::SetDeployment { .. }
            | Self::MirrorDeployment { .. }
            | Self::TearDown { .. }
            | Self::CancelRun { .. }
            | Self::AnswerProtection { .. }
            | Self::PublishRelease { .. }
            | Self::SetReleaseNotes { .. }
            | Self::ActOnSchema { .. } => None,
        }
    }

    /// Returns the connection whose database carries it out; `None`: the forge does.
    pub fn database(&self) -> Option<&str> {
        if let Self::ActOnSchema { pin, .. } = self { Some(&pin.connection) } else { None }
    }

    /// Returns true if something waits for its outcome.
    pub fn is_awaited(&self) -> bool {
        self.command().is_some()
            || self.request().is_some()
            || matches!(
                self,
                Self::OpenIssue { .. }
                    | Self::AnswerProtection { .. }
                    | Self::PublishRelease { .. }
                    | Self::MirrorDeployment { .. }
                    | Self::TearDown { .. }
                    | Self::ActOnSchema { .. }
            )
    }

    /// Returns true if its failure can be ignored, because its content is also shown elsewhere.
    pub fn is_courtesy(&self) -> bool {
        matches!(self, Self::React { .. } | Self::FoldComment { .. } | Self::AnswerProtection { approve: None, .. })
    }

    /// Returns the name for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SetPhase { .. } => "set_phase",
            Self::UpsertComment { .. } => "upsert_comment",
            Self::React { .. } => "react",
            Self::FoldComment { .. } => "fold_comment",
            Self::Assign { .. } => "assign",
            Self::SetMilestone { .. } => "set_milestone",
            Self::RerunFailed { .. } => "rerun_failed",
            Self::OpenIssue { .. } => "open_issue",
            Self::EditIssue { .. } => "edit_issue",
            Self::SetIssueState { .. } => "set_issue_state",
            Self::SetLabels { .. } => "set_labels",
            Self::UpsertIssue { .. } => "upsert_issue",
            Self::Report { .. } => "report",
            Self::CreateDeployment { .. } => "create_deployment",
            Self::SetDeployment { .. } => "set_deployment",
            Self::MirrorDeployment { .. } => "mirror_deployment",
            Self::Dispatch { .. } => "dispatch",
            Self::TearDown { .. } => "tear_down",
            Self::CancelRun { .. } => "cancel_run",
            Self::AnswerProtection { .. } => "answer_protection",
            Self::PublishRelease { .. } => "publish_release",
            Self::SetReleaseNotes { .. } => "set_release_notes",
            Self::ActOnSchema { .. } => "act_on_schema",
        }
    }
}
