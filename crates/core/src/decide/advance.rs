//! What follows for a repository as a whole, beside the phases of its items:
//! incidents with their feedback issues, gates, and deploys.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    command::{reply::Wish, run::Terms, wait},
    deploy, feedback, gate,
    look::Look,
};
use crate::domain::{
    effect::{Effect, Told},
    fact::{DocumentKey, RepoFacts},
    id::ItemNumber,
    when,
};

/// What follows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Advanced {
    /// Documents to store again.
    pub changed: BTreeSet<DocumentKey>,
    /// Items to derive again.
    pub items: BTreeSet<ItemNumber>,
    /// What to do.
    pub wishes: Vec<Wish>,
    /// Keys of queued effects that are no longer wanted.
    pub cancel: Vec<String>,
    /// When something next turns by itself.
    pub wake_at: Option<Timestamp>,
    /// A sentence for each thing that moved, for the delivery's note.
    pub told: Vec<String>,
}

impl Advanced {
    /// Looks again at `at`, if nothing makes it sooner.
    pub fn wake(&mut self, at: Option<Timestamp>) {
        self.wake_at = when::earlier(self.wake_at, at);
    }
}

/// How an effect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Done.
    Done {
        /// What the forge found, where that matters.
        told: Option<&'a Told>,
        /// Id or address of what was made.
        made: Option<&'a str>,
        /// The number of the issue that was made or kept up to date.
        issue: Option<ItemNumber>,
    },
    /// Given up or not wanted, and why.
    Failed(&'a str),
    /// Not sent: at the moment of sending it was not wanted any more, and why.
    Withheld(&'a str),
}

/// Brings everything that is not an item's phase up to facts, policy and time.
/// Doing it again changes nothing.
pub fn advance(facts: &mut RepoFacts, terms: &Terms<'_>) -> Advanced {
    let mut advanced = feedback::advance(facts, terms);
    // What a deploy comes to stands in its gate's check run.
    deploy::advance(facts, terms, &mut advanced);
    gate::advance(facts, terms, &mut advanced);
    let tags_due_at = Look::new(facts, terms.policy, terms.now).tags_due_at();
    advanced.wake(tags_due_at.filter(|at| *at > terms.now));
    advanced.wake(wait::next_try(facts));
    advanced
}

/// Notes how an effect ended that something here waits for. One that was noted
/// before is left as it is: a crash may bring it again.
pub fn ended(facts: &mut RepoFacts, effect: &Effect, key: &str, outcome: Outcome<'_>, terms: &Terms<'_>) -> Advanced {
    let mut advanced = feedback::ended(facts, effect, outcome, terms);
    deploy::ended(facts, effect, key, outcome, terms, &mut advanced);
    advanced
}
