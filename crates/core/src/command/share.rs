//! Limits on what one person may cause phasebot to write.
//!
//! Anyone may comment; GitHub allows one account 80 comments a minute, and phasebot 60 writes.
//! People who comment a lot are therefore answered less. All limits follow from the records of
//! commands, so they survive a restart.

use std::collections::BTreeSet;

use crate::{
    command::{Row, caller::CallerPermissions, extract::Request, messages, reaction::Reaction},
    domain::fact::{
        RepoFacts,
        command::{MOST_LASTING, Recent},
    },
    text::headline::Headline,
};

/// Limit on the commands per hour that get a reaction, for one person without permissions.
const REACTIONS_IN_HOUR: usize = 10;
/// Number of refused commands per minute after which the forge is not asked about the person: their
/// permissions will not change within a moment.
const ASKED_IN_MINUTE: usize = 5;
/// Limit on the commands per minute that are answered in full, for one person.
const ANSWERED_IN_MINUTE: usize = 10;
/// Limit on the commands per minute that get a reaction, for one person.
const REACTIONS_IN_MINUTE: usize = 20;

/// Remaining share of a person while a comment's commands are decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    /// The person has no permission beyond reading, as far as the forge has answered.
    pub(super) is_strangers: bool,
    recent: Recent,
}

impl Share {
    pub(super) fn of(facts: &RepoFacts, request: &Request, standing: &CallerPermissions) -> Self {
        let is_strangers = !standing.evidence().gives_rights();
        Self { is_strangers, recent: facts.said_lately(&request.by, request.at) }
    }

    /// Returns the reactions that the comment gets, of those that its commands call for.
    pub(super) fn moods(self, mut moods: BTreeSet<Reaction>) -> BTreeSet<Reaction> {
        let Recent { noise_in_hour, in_minute, .. } = self.recent;
        let one = self.is_strangers || in_minute >= ANSWERED_IN_MINUTE;
        if (self.is_strangers && noise_in_hour >= REACTIONS_IN_HOUR) || in_minute >= REACTIONS_IN_MINUTE {
            moods.clear();
        } else if one && moods.len() > 1 {
            // The reaction to the ending implies that the command was received.
            moods.remove(&Reaction::Taken);
            moods = moods.pop_first().into_iter().collect();
        }
        moods
    }

    /// Returns whether a reply may go into a separate comment.
    pub(super) fn may_be_answered(self) -> bool {
        let Recent { answered, refused_in_minute, in_minute, .. } = self.recent;
        if self.is_strangers {
            !answered && refused_in_minute < ASKED_IN_MINUTE
        } else {
            in_minute < ANSWERED_IN_MINUTE
        }
    }

    /// Checks whether a command may still change anything. `Err`: the reason.
    pub(super) fn has_room(self, facts: &RepoFacts, request: &Request, row: &Row) -> Result<(), Headline> {
        if self.is_strangers && self.recent.noise_in_hour >= REACTIONS_IN_HOUR {
            return Err(Headline::untold());
        }
        let most = if row.is_safety() { 2 * MOST_LASTING } else { MOST_LASTING };
        if facts.lasting_commands(request.item, &request.by) >= most {
            return Err(messages::too_many_here(most));
        }
        Ok(())
    }
}

/// Returns whether a comment's commands are refused without asking the forge again.
pub(super) fn is_refused_unasked(facts: &RepoFacts, request: &Request) -> bool {
    facts.said_lately(&request.by, request.at).refused_in_minute >= ASKED_IN_MINUTE
}
