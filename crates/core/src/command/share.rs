//! What one person may cause us to write.
//!
//! Anyone may comment, GitHub lets one account write 80 comments a minute, and
//! we may write 60 times: who comments much is answered less. All of it follows
//! from the records of commands, so that it is the same after a restart.

use std::collections::BTreeSet;

use crate::{
    command::{Row, extract::Request, messages, permissions::CallerPermissions, reaction::Reaction},
    domain::fact::{
        RepoFacts,
        command::{MOST_LASTING, Recent},
    },
};

/// Commands of one person without any right in an hour that get a reaction.
const REACTIONS_IN_HOUR: usize = 10;
/// After so many refused commands in a minute the forge is not asked about the
/// person: there is no right a moment later either.
const ASKED_IN_MINUTE: usize = 5;
/// Commands of one person in a minute that are answered in full.
const ANSWERED_IN_MINUTE: usize = 10;
/// Commands of one person in a minute that get a reaction.
const REACTIONS_IN_MINUTE: usize = 20;

/// What is left of a person's share as a comment's commands are decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    /// The person has no right beyond reading, as far as the forge told.
    pub(super) is_strangers: bool,
    recent: Recent,
}

impl Share {
    pub(super) fn of(facts: &RepoFacts, request: &Request, standing: &CallerPermissions) -> Self {
        let is_strangers = !standing.evidence().gives_rights();
        Self { is_strangers, recent: facts.said_lately(&request.by, request.at) }
    }

    /// The reactions that the comment gets, of those that its commands would have.
    pub(super) fn moods(self, mut moods: BTreeSet<Reaction>) -> BTreeSet<Reaction> {
        let Recent { noise_in_hour, in_minute, .. } = self.recent;
        let one = self.is_strangers || in_minute >= ANSWERED_IN_MINUTE;
        if (self.is_strangers && noise_in_hour >= REACTIONS_IN_HOUR) || in_minute >= REACTIONS_IN_MINUTE {
            moods.clear();
        } else if one && moods.len() > 1 {
            // How it ended says that it was taken in.
            moods.remove(&Reaction::Taken);
            moods = moods.pop_first().into_iter().collect();
        }
        moods
    }

    /// Whether words may go into a comment of their own.
    pub(super) fn may_be_answered(self) -> bool {
        let Recent { answered, refused_in_minute, in_minute, .. } = self.recent;
        if self.is_strangers {
            !answered && refused_in_minute < ASKED_IN_MINUTE
        } else {
            in_minute < ANSWERED_IN_MINUTE
        }
    }

    /// Whether a command may still change anything.
    pub(super) fn has_room(self, facts: &RepoFacts, request: &Request, row: &Row) -> Result<(), String> {
        if self.is_strangers && self.recent.noise_in_hour >= REACTIONS_IN_HOUR {
            return Err(String::new());
        }
        let most = if row.is_safety() { 2 * MOST_LASTING } else { MOST_LASTING };
        if facts.lasting_commands(request.item, &request.by) >= most {
            return Err(messages::too_many_here(most));
        }
        Ok(())
    }
}

/// Whether a comment's commands are refused without asking the forge once more.
pub(super) fn is_refused_unasked(facts: &RepoFacts, request: &Request) -> bool {
    facts.said_lately(&request.by, request.at).refused_in_minute >= ASKED_IN_MINUTE
}
