//! Human actions on an incident: commands on its issue, and closing the issue.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    event::CloseReason,
    fact::{RepoFacts, command::CommandAction, incident::IssueFacts},
    id::ItemId,
};

/// State that the commands on an issue add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HumanActions<'a> {
    /// The account that acknowledged the incident, and when.
    pub(super) acked: Option<(&'a str, Timestamp)>,
    /// End of the mute, if it is still in the future.
    pub(super) muted_until: Option<Timestamp>,
    /// The cause, and the account that named it. `Some((None, _))` means that no change caused it.
    pub(super) cause: Option<(Option<&'a str>, &'a str)>,
    /// Times at which someone ran `/resolve`.
    pub(super) over: Vec<Timestamp>,
}

/// Returns the state that the commands on an issue add up to at `now`.
pub(super) fn word(facts: &RepoFacts, issue: ItemId, now: Timestamp) -> HumanActions<'_> {
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

/// Returns the changes that people named on an issue as the cause, in the order of the commands;
/// `None`: no change.
pub(super) fn causes(facts: &RepoFacts, issue: ItemId) -> impl Iterator<Item = Option<String>> {
    facts.commands_on(issue).into_iter().filter_map(|(_, command)| match &command.action {
        Some(CommandAction::Cause { change }) => Some(change.clone()),
        _ => None,
    })
}

impl HumanActions<'_> {
    /// Returns all of it as one text, to tell whether something was said since.
    pub(super) fn digest(&self) -> String {
        let acked = self.acked.map_or_else(String::new, |(by, at)| format!("acked {by} {at}"));
        let muted = self.muted_until.map_or_else(String::new, |until| format!("muted {until}"));
        let cause = self.cause.map_or_else(String::new, |(change, by)| format!("cause {change:?} {by}"));
        [acked, muted, cause].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

/// A closing of one of our issues by someone else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IssueClosing {
    /// Closed as completed, deleted, or moved to another repository.
    Ended(Timestamp),
    /// Closed as not planned or as a duplicate.
    NotPlanned(Timestamp),
}

/// Returns how someone else closed an issue that should be open, and when.
pub(super) fn hand(facts: &RepoFacts, issue: &IssueFacts) -> Option<IssueClosing> {
    let item = facts.items.get(&issue.number?)?;
    if let Some(at) = item.gone {
        return Some(IssueClosing::Ended(at));
    }
    // Forges count whole seconds, and their clock differs from ours: only the latest closing
    // counts, with a second to spare.
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
