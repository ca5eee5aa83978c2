//! Extraction of commands, and of their sender, from an event.

use jiff::{SignedDuration, Timestamp};

use crate::{
    command::parse::{self, Line},
    domain::{
        event::{Event, Seen},
        fact::{
            RepoFacts,
            command::{CommandId, Source},
        },
        id::{Account, Actor, ItemId, Sha},
        policy::Policy,
    },
    ingest::Us,
};

/// A text that contains commands.
#[derive(Debug, Clone)]
pub struct Request {
    /// Item on which it was written.
    pub item: ItemId,
    /// Comment or review that contains it.
    pub source: Source,
    /// Author, who also sent it.
    pub by: Account,
    /// Time at which it was written.
    pub at: Timestamp,
    /// GitHub's global id of a review.
    pub node: Option<String>,
    /// Commit that a review examined.
    pub reviewed: Option<Sha>,
    /// Pull request's head commit when the text was first read, if it has waited since.
    pub head: Option<Sha>,
    /// Lines with commands, in order.
    pub lines: Vec<Line>,
    /// Its lines were stored before and wait for their sender's permissions.
    pub waited: bool,
}

impl Request {
    /// Returns the lines that were neither decided nor stored before.
    pub fn undecided<'a>(&'a self, facts: &'a RepoFacts) -> impl Iterator<Item = (CommandId, &'a Line)> {
        let id = |line: &Line| CommandId { item: self.item, source: self.source, index: line.index };
        let item = facts.items.get(&self.item).filter(|_| !self.waited);
        let over = item.is_some_and(|item| item.command_marks.covers(&self.by, self.at));
        let known = move |id: &CommandId| {
            over || facts.commands.contains_key(id) || facts.waiting.contains_key(id) != self.waited
        };
        self.lines.iter().map(move |line| (id(line), line)).filter(move |(id, _)| !known(id))
    }

    /// Returns when a line was said: the text's time, plus a millisecond for each line before it.
    pub fn said_at(&self, index: u32) -> Timestamp {
        self.at.checked_add(SignedDuration::from_millis(i64::from(index))).unwrap_or(self.at)
    }

    /// Returns the commit that the text refers to on a pull request: the reviewed one, or the head
    /// as known at the time.
    pub fn commit<'a>(&'a self, facts: &'a RepoFacts) -> Option<&'a Sha> {
        self.reviewed.as_ref().or(self.head.as_ref()).or_else(|| facts.head_at(self.item, self.at))
    }
}

/// Reads the commands of a new comment or a submitted review. Edits and deletions never count, nor
/// does anything from bots, Apps and phasebot itself. Text that an App wrote in a person's name is
/// the App's: it counts if the policy lists the App.
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
        Seen::Issue(_)
        | Seen::Pull(_)
        | Seen::Review(_)
        | Seen::Comment(_)
        | Seen::Push(_)
        | Seen::Ref(_)
        | Seen::Check(_)
        | Seen::ChecksRerequested { .. }
        | Seen::Status(_)
        | Seen::Workflow(_)
        | Seen::Release(_)
        | Seen::Deployment(_)
        | Seen::External(_)
        | Seen::Verdict(_)
        | Seen::MergeGroup(_)
        | Seen::Protection(_)
        | Seen::Repository(_)
        | Seen::Label { .. }
        | Seen::Connection(_)
        | Seen::Revoked { .. }
        | Seen::Alert(_)
        | Seen::Nothing { .. } => return None,
    };
    (!request.lines.is_empty()).then_some(request)
}
