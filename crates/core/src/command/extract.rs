//! Whether an event brings commands, and from whom.

use jiff::{SignedDuration, Timestamp};

use crate::{
    command::parse::{self, Line},
    domain::{
        event::{Event, Seen},
        fact::{
            RepoFacts,
            command::{CommandId, Source},
        },
        id::{Account, Actor, ItemNumber, Sha},
        policy::Policy,
    },
    ingest::Us,
};

/// A text with commands in it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The item that it stands on.
    pub item: ItemNumber,
    /// The comment or review.
    pub source: Source,
    /// Its author, who also sent it.
    pub by: Account,
    /// When it was written.
    pub at: Timestamp,
    /// The forge's global id of a review.
    pub node: Option<String>,
    /// The commit that a review looked at.
    pub reviewed: Option<Sha>,
    /// The pull request's head commit when the text was first read, if it had to wait since.
    pub head: Option<Sha>,
    /// What it asks for, in order.
    pub lines: Vec<Line>,
    /// Its lines were kept before, until their sender's rights are known.
    pub waited: bool,
}

impl Request {
    /// The lines that were neither decided nor kept before.
    pub fn undecided<'a>(&'a self, facts: &'a RepoFacts) -> impl Iterator<Item = (CommandId, &'a Line)> {
        let id = |line: &Line| CommandId { item: self.item, source: self.source, index: line.index };
        let item = facts.items.get(&self.item).filter(|_| !self.waited);
        let over = item.is_some_and(|item| item.command_marks.covers(&self.by, self.at));
        let known = move |id: &CommandId| {
            over || facts.commands.contains_key(id) || facts.waiting.contains_key(id) != self.waited
        };
        self.lines.iter().map(move |line| (id(line), line)).filter(move |(id, _)| !known(id))
    }

    /// When a line was said: the text's time, a millisecond later for each line before it.
    pub fn said_at(&self, index: u32) -> Timestamp {
        self.at.checked_add(SignedDuration::from_millis(i64::from(index))).unwrap_or(self.at)
    }

    /// The commit that the text speaks of on a pull request: the reviewed one,
    /// or the head as it was known then.
    pub fn commit<'a>(&'a self, facts: &'a RepoFacts) -> Option<&'a Sha> {
        self.reviewed.as_ref().or(self.head.as_ref()).or_else(|| facts.head_at(self.item, self.at))
    }
}

/// Reads the commands of a new comment or a submitted review. Edits and
/// deletions say nothing, nor do bots, Apps and we ourselves. What an App wrote
/// in somebody's name is the App's: it counts where the policy lists the App.
pub fn hear(event: &Event, policy: &Policy, us: &Us) -> Option<Request> {
    let sender = event.sender.as_ref().filter(|sender| !sender.bot && !us.are(sender))?;
    let sent_by = sender.account();
    let wrote = |author: &Option<Actor>| {
        author.as_ref().is_some_and(|author| !author.bot && author.account().same_as(&sent_by) == Some(true))
    };
    let request = match &event.seen {
        Seen::Comment(comment)
            if comment.created && wrote(&comment.author) && policy.commands.hears(comment.via.as_ref()) =>
        {
            Request {
                item: comment.item.number,
                source: Source::Comment(comment.id),
                by: sender.account(),
                at: comment.created_at,
                node: None,
                reviewed: None,
                head: None,
                lines: parse::read(&comment.body, &policy.commands, comment.created_at),
                waited: false,
            }
        }
        Seen::Review(review) if review.submitted && wrote(&review.reviewer) => Request {
            item: review.pull.item.number,
            source: Source::Review(review.id),
            by: sender.account(),
            at: review.submitted_at,
            node: review.node.clone(),
            reviewed: review.commit.clone(),
            head: None,
            lines: parse::read(&review.body, &policy.commands, review.submitted_at),
            waited: false,
        },
        _ => return None,
    };
    (!request.lines.is_empty()).then_some(request)
}
