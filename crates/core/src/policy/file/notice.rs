//! Notices.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    domain::notice::NoticeKind,
    policy::file::text::{Globs, TargetName},
};

/// What is sent to one target, such as a channel of a chat.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Notice")]
pub struct NoticeFile {
    /// The target: `[notices.NAME]` of the operator's settings, which also say which repositories may
    /// use it.
    pub to: TargetName,
    /// What is worth a message. Default: `person_needed`, `deploy_failed`, `rolled_back`,
    /// `incident_opened`, `incident_over`, `storm` and `released`.
    #[schemars(length(min = 1, max = 20))]
    pub on: Option<Vec<NoticeKind>>,
    /// Environments; globs, compared without case. Default: production. Notices that are about no
    /// environment are sent whatever this says.
    pub environments: Option<Globs>,
}
