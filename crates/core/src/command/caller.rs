//! What the forge is asked about the sender of a command, and what it said.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::{fact::command::Evidence, needs::PullHead, permission::Role};

/// Questions for the forge before a request can be decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asks {
    /// Something has to be asked; then the sender's role is.
    pub role: bool,
    /// Teams whose membership is to be asked.
    pub teams: BTreeSet<String>,
    /// The pull request's head has to be asked for: its commit, or whether it is a fork's, is
    /// unknown.
    pub head: bool,
}

/// Reason why a question about a sender has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The forge's reason, or phasebot's.
    pub why: String,
    /// Time from which the forge may answer; `None`: it refused for good.
    pub again_at: Option<Timestamp>,
    /// Reason why it is not asked again, as a sentence by phasebot.
    pub given_up: Option<String>,
}

impl Unanswered {
    /// Returns the state in which the forge refuses to answer, and will refuse again.
    pub fn refused(why: impl Into<String>) -> Self {
        Self { why: why.into(), again_at: None, given_up: None }
    }

    /// Returns the state in which the forge may answer from `again_at` on.
    pub fn until(again_at: Timestamp, why: impl Into<String>) -> Self {
        Self { why: why.into(), again_at: Some(again_at), given_up: None }
    }
}

/// The forge's answers about a caller.
#[derive(Debug, Clone)]
pub struct CallerPermissions {
    /// Role of the sender.
    pub role: Result<Role, Unanswered>,
    /// Membership of the sender, by team.
    pub teams: BTreeMap<String, Result<bool, Unanswered>>,
    /// Head of the pull request, if it was asked for.
    pub head: Option<Result<PullHead, Unanswered>>,
    /// Time at which the forge was asked.
    pub asked_at: Timestamp,
}

impl CallerPermissions {
    /// Returns the answers for the record.
    pub(super) fn evidence(&self) -> Evidence {
        Evidence {
            role: self.role.as_ref().ok().copied(),
            teams: self.teams.iter().map(|(team, member)| (team.clone(), member.as_ref().ok().copied())).collect(),
            asked_at: self.asked_at,
        }
    }
}
