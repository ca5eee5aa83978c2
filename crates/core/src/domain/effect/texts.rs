//! Texts of an effect.

use crate::domain::effect::Effect;

impl Effect {
    /// Returns the text in Markdown that people read, if the effect has one.
    pub(crate) fn markdown(&mut self) -> Option<&mut String> {
        match self {
            Self::UpsertComment { body, .. }
            | Self::OpenIssue { body, .. }
            | Self::EditIssue { body, .. }
            | Self::UpsertIssue { body, .. } => Some(body),
            Self::Report { summary, .. } => Some(summary),
            Self::AnswerProtection { comment, .. } => Some(comment),
            Self::SetPhase { .. }
            | Self::React { .. }
            | Self::FoldComment { .. }
            | Self::Assign { .. }
            | Self::SetMilestone { .. }
            | Self::RerunFailed { .. }
            | Self::SetIssueState { .. }
            | Self::SetLabels { .. }
            | Self::CreateDeployment { .. }
            | Self::SetDeployment { .. }
            | Self::MirrorDeployment { .. }
            | Self::Dispatch { .. }
            | Self::TearDown { .. }
            | Self::CancelRun { .. }
            | Self::PublishRelease { .. }
            | Self::SetReleaseNotes { .. }
            | Self::ActOnSchema { .. } => None,
        }
    }

    /// Returns whether both report the same verdict with the same title.
    pub(crate) fn says(&self, other: &Self) -> bool {
        let (Self::Report { verdict, title, .. }, Self::Report { verdict: said, title: titled, .. }) = (self, other)
        else {
            return false;
        };
        (verdict, title) == (said, titled)
    }

    /// Returns the title of a verdict: plain text.
    pub(crate) fn verdict_title(&mut self) -> Option<&mut String> {
        if let Self::Report { title, .. } = self { Some(title) } else { None }
    }
}
