//! Slash commands: form and permissions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::file::{condition::Team, text::Login, time::Zone};

/// The form of commands and who may use them.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Commands")]
pub struct CommandsFile {
    /// If `true`, `/deploy` works in addition to `/phasebot deploy`. Default: `true`.
    pub bare: Option<bool>,
    /// Permission that a command needs, by the command's name. Default: as `/help` lists it.
    pub permissions: Option<BTreeMap<CommandName, Permission>>,
    /// GitHub Apps that may give commands in people's names, by the name in the App's URL. A
    /// comment that any other App writes for a person counts as the App's own, and runs nothing.
    /// Default: none.
    pub apps: Option<Vec<Login>>,
    /// Time zone of the times in commands and in answers. Default: `UTC`.
    pub tz: Option<Zone>,
}

/// The people who may use a command: those with at least this permission on the repository, or
/// members of teams.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// May read.
    Read,
    /// May manage issues.
    Triage,
    /// May push.
    Write,
    /// May manage the repository.
    Maintain,
    /// May do everything.
    Admin,
    /// Members of one of these teams.
    Teams(Vec<Team>),
}

/// The name of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the command of that name")]
pub enum CommandName {
    Help,
    Status,
    Why,
    Phase,
    Assign,
    Milestone,
    Hold,
    Unhold,
    Retest,
    Diff,
    Where,
    Metrics,
    Deploy,
    Promote,
    Rollback,
    Approve,
    Override,
    Lock,
    Unlock,
    Locks,
    Freeze,
    Unfreeze,
    Release,
    Ack,
    Mute,
    Unmute,
    Resolve,
    Cause,
    Audit,
}

impl CommandName {
    /// Returns the name as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Help => "help",
            Self::Status => "status",
            Self::Why => "why",
            Self::Phase => "phase",
            Self::Assign => "assign",
            Self::Milestone => "milestone",
            Self::Hold => "hold",
            Self::Unhold => "unhold",
            Self::Retest => "retest",
            Self::Diff => "diff",
            Self::Where => "where",
            Self::Metrics => "metrics",
            Self::Deploy => "deploy",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Approve => "approve",
            Self::Override => "override",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Locks => "locks",
            Self::Freeze => "freeze",
            Self::Unfreeze => "unfreeze",
            Self::Release => "release",
            Self::Ack => "ack",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Resolve => "resolve",
            Self::Cause => "cause",
            Self::Audit => "audit",
        }
    }
}
