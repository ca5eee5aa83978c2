//! Whether an event brings commands, and from whom.

use jiff::Timestamp;

use super::parse::{self, Line};
use crate::{
    decide::Us,
    domain::{
        event::{Event, Seen},
        fact::{
            RepoFacts,
            command::{CommandId, Source},
        },
        id::{Actor, ItemNumber, Sha},
        policy::Policy,
    },
};

/// A text with commands in it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The item that it stands on.
    pub item: ItemNumber,
    /// The comment or review.
    pub source: Source,
    /// Its author, who also sent it.
    pub by: String,
    /// When it was written.
    pub at: Timestamp,
    /// The forge's global id of a review.
    pub node: Option<String>,
    /// The commit that a review looked at.
    pub reviewed: Option<Sha>,
    /// What it asks for, in order.
    pub lines: Vec<Line>,
}

impl Request {
    /// The lines that were not decided before.
    pub fn undecided<'a>(&'a self, facts: &'a RepoFacts) -> impl Iterator<Item = (CommandId, &'a Line)> {
        let ids = (0..).map(|index| CommandId { item: self.item, source: self.source, index });
        ids.zip(&self.lines).filter(|(id, _)| !facts.commands.contains_key(id))
    }
}

/// Reads the commands of a new comment or a submitted review. Edits and
/// deletions say nothing, nor do bots, Apps and we ourselves.
pub fn hear(event: &Event, policy: &Policy, us: &Us) -> Option<Request> {
    let sender = event.sender.as_ref().filter(|sender| !sender.bot && !us.are(sender))?;
    let wrote = |author: &Option<Actor>| author.as_ref().is_some_and(|author| !author.bot && author.is(&sender.login));
    let request = match &event.seen {
        Seen::Comment(comment) if comment.created && wrote(&comment.author) => Request {
            item: comment.item.number,
            source: Source::Comment(comment.id),
            by: sender.login.clone(),
            at: comment.created_at,
            node: None,
            reviewed: None,
            lines: parse::read(&comment.body, &policy.commands, comment.created_at),
        },
        Seen::Review(review) if review.submitted && wrote(&review.reviewer) => Request {
            item: review.pull.item.number,
            source: Source::Review(review.id),
            by: sender.login.clone(),
            at: review.submitted_at,
            node: review.node.clone(),
            reviewed: review.commit.clone(),
            lines: parse::read(&review.body, &policy.commands, review.submitted_at),
        },
        _ => return None,
    };
    (!request.lines.is_empty()).then_some(request)
}
