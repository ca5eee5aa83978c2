//! What an effect is about, and what waits for it.

use crate::domain::{effect::Effect, fact::command::CommandId, id::ItemNumber};

impl Effect {
    /// The command that waits for its outcome.
    pub fn command(&self) -> Option<CommandId> {
        match self {
            Self::Assign { command, .. } | Self::PublishRelease { command, .. } => *command,
            Self::SetMilestone { command, .. } | Self::RerunFailed { command, .. } => Some(*command),
            _ => None,
        }
    }

    /// The issue or pull request that it is about.
    pub fn item(&self) -> Option<ItemNumber> {
        match self {
            Self::SetPhase { item, .. }
            | Self::UpsertComment { item, .. }
            | Self::FoldComment { item, .. }
            | Self::Assign { item, .. }
            | Self::SetMilestone { item, .. }
            | Self::EditIssue { item, .. }
            | Self::SetIssueState { item, .. }
            | Self::SetLabels { item, .. } => Some(*item),
            Self::RerunFailed { pull, .. } => Some(*pull),
            Self::React { .. }
            | Self::ReactTo { .. }
            | Self::OpenIssue { .. }
            | Self::UpsertIssue { .. }
            | Self::SetCheck { .. }
            | Self::CreateDeployment { .. }
            | Self::SetDeployment { .. }
            | Self::Dispatch { .. }
            | Self::CancelRun { .. }
            | Self::AnswerProtection { .. }
            | Self::PublishRelease { .. } => None,
        }
    }

    /// The deploy that it starts.
    pub fn request(&self) -> Option<&str> {
        match self {
            Self::CreateDeployment { request, .. } | Self::Dispatch { request, .. } => Some(request),
            _ => None,
        }
    }

    /// Something waits to hear how it ends.
    pub fn is_awaited(&self) -> bool {
        self.command().is_some()
            || self.request().is_some()
            || matches!(self, Self::OpenIssue { .. } | Self::AnswerProtection { .. } | Self::PublishRelease { .. })
    }

    /// It says nothing that is not said elsewhere: its failure is nobody's trouble.
    pub fn is_courtesy(&self) -> bool {
        matches!(
            self,
            Self::React { .. }
                | Self::ReactTo { .. }
                | Self::FoldComment { .. }
                | Self::AnswerProtection { approve: None, .. }
        )
    }
}
