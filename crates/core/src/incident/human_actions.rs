//! What people said of an incident: by commands on its issue, and by closing it.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    event::CloseReason,
    fact::{RepoFacts, command::CommandAction, incident::IssueFacts},
    id::ItemNumber,
};

/// What commands on an issue come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HumanActions<'a> {
    /// Who looks after it, since when.
    pub(super) acked: Option<(&'a str, Timestamp)>,
    /// Until when it is muted.
    pub(super) muted_until: Option<Timestamp>,
    /// What caused it, and who says so: `Some(None)` is «no change».
    pub(super) cause: Option<(Option<&'a str>, &'a str)>,
    /// When it was said to be over.
    pub(super) over: Vec<Timestamp>,
}

/// What was said on an issue.
pub(super) fn word(facts: &RepoFacts, issue: ItemNumber, now: Timestamp) -> HumanActions<'_> {
    let mut word = HumanActions::default();
    for (_, command) in facts.commands_on(issue) {
        match &command.action {
            Some(CommandAction::Ack) => word.acked = Some((&command.by.login, command.at)),
            Some(CommandAction::Mute { until, .. }) => word.muted_until = Some(*until),
            Some(CommandAction::Unmute) => word.muted_until = None,
            Some(CommandAction::Resolve) => word.over.push(command.at),
            Some(CommandAction::Cause { change }) => word.cause = Some((change.as_deref(), &command.by.login)),
            _ => {}
        }
    }
    word.muted_until = word.muted_until.filter(|until| *until > now);
    word
}

/// What somebody else did to an issue of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IssueClosing {
    /// Closed it as done, or deleted or moved it.
    Ended(Timestamp),
    /// Closed it as nothing to be done.
    NotPlanned(Timestamp),
}

/// What somebody else did last to an issue that should be open.
pub(super) fn hand(facts: &RepoFacts, issue: &IssueFacts) -> Option<IssueClosing> {
    let item = facts.items.get(&issue.number?)?;
    if let Some(at) = item.gone {
        return Some(IssueClosing::Ended(at));
    }
    // Forges count whole seconds, and their clock is not ours: the newest word counts.
    let (at, reason) = item.closed(Timestamp::MAX)?;
    let since = issue.open_since.checked_sub(SignedDuration::from_secs(1)).unwrap_or(issue.open_since);
    if !issue.open || at < since {
        return None;
    }
    Some(match reason {
        CloseReason::Completed => IssueClosing::Ended(at),
        CloseReason::NotPlanned | CloseReason::Duplicate => IssueClosing::NotPlanned(at),
    })
}
