//! Issues and comments, and the parts that pull requests share with them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::{
    SimError,
    model::{Closer, Closing, Comment, Item, Pull, Reaction},
    shape,
    state::State,
};

/// Changes of an issue or pull request.
#[derive(Debug, Clone, Default)]
pub(crate) struct ItemEdit {
    pub(crate) title: Option<String>,
    pub(crate) body: Option<String>,
    /// Whether it is open; if closed, `reason` holds the reason.
    pub(crate) open: Option<bool>,
    pub(crate) reason: Option<String>,
}

impl State {
    /// Sends an `issues` or `pull_request` webhook about an item.
    pub(super) fn emit_item(&mut self, repo: u64, number: u64, action: &str, by: &str, more: Value) {
        let Ok(place) = self.repo(repo) else { return };
        let Some(item) = place.items.get(&number) else { return };
        let mut own = match more {
            Value::Object(own) => own,
            _ => Map::new(),
        };
        let event = if let Some(pull) = &item.pull {
            own.insert("number".into(), number.into());
            own.insert("pull_request".into(), shape::pull(self, place, item, pull));
            "pull_request"
        } else {
            own.insert("issue".into(), shape::issue(self, place, item));
            "issues"
        };
        self.emit(repo, event, Some(action), by, Value::Object(own));
    }

    /// Creates an item; returns its number. Sends no webhook.
    pub(super) fn make_item(
        &mut self,
        repo: u64,
        by: &str,
        title: &str,
        body: &str,
        pull: Option<Pull>,
    ) -> Result<u64, SimError> {
        self.user(by, "User");
        let (id, now) = (self.id(), self.now());
        let place = self.repo_mut(repo)?;
        let number = place.next_number;
        place.next_number += 1;
        let item = Item {
            id,
            number,
            title: title.to_owned(),
            body: body.to_owned(),
            author: by.to_owned(),
            created_at: now,
            updated_at: now,
            open: true,
            state_reason: None,
            closed_at: None,
            closed_by: None,
            locked: false,
            labels: Vec::new(),
            assignees: Vec::new(),
            milestone: None,
            gone: false,
            pull,
            linked_branches: BTreeSet::new(),
            closings: Vec::new(),
            history: Vec::new(),
        };
        place.items.insert(number, item);
        Ok(number)
    }

    /// Opens an issue; returns its number. The labels are added at once, each with its own webhook.
    pub(crate) fn open_issue(
        &mut self,
        repo: u64,
        by: &str,
        title: &str,
        body: &str,
        labels: &[String],
    ) -> Result<u64, SimError> {
        let number = self.make_item(repo, by, title, body, None)?;
        let added = self.attach_labels(repo, number, by, labels)?;
        self.emit_item(repo, number, "opened", by, Value::Null);
        self.emit_labeled(repo, number, by, &added);
        Ok(number)
    }

    /// Changes an item. Unchanged fields send no webhook.
    pub(crate) fn edit_item(&mut self, repo: u64, number: u64, by: &str, edit: &ItemEdit) -> Result<(), SimError> {
        let now = self.now();
        let item = self.item_mut(repo, number)?;
        let mut changes = Map::new();
        if let Some(title) = edit.title.as_ref().filter(|t| **t != item.title) {
            changes.insert("title".into(), json!({ "from": item.title }));
            item.title.clone_from(title);
        }
        if let Some(body) = edit.body.as_ref().filter(|b| **b != item.body) {
            changes.insert("body".into(), json!({ "from": item.body }));
            item.body.clone_from(body);
        }
        if !changes.is_empty() {
            item.updated_at = now;
            self.emit_item(repo, number, "edited", by, json!({ "changes": changes }));
        }
        match edit.open {
            Some(false) => self.close_item(repo, number, by, edit.reason.as_deref().unwrap_or("completed")),
            Some(true) => self.reopen_item(repo, number, by),
            None => Ok(()),
        }
    }

    /// Closes an item, if it is open. Pull requests have no reason.
    pub(crate) fn close_item(&mut self, repo: u64, number: u64, by: &str, reason: &str) -> Result<(), SimError> {
        self.close(repo, number, by, reason, None)
    }

    /// Closes an issue because a change for it is on the default branch.
    pub(super) fn close_for(&mut self, repo: u64, number: u64, by: &str, closer: Closer) -> Result<(), SimError> {
        self.close(repo, number, by, "completed", Some(closer))
    }

    fn close(
        &mut self,
        repo: u64,
        number: u64,
        by: &str,
        reason: &str,
        closer: Option<Closer>,
    ) -> Result<(), SimError> {
        let now = self.now();
        let item = self.item_mut(repo, number)?;
        if !item.open {
            return Ok(());
        }
        item.open = false;
        item.closed_at = Some(now);
        item.updated_at = now;
        item.closed_by = Some(by.to_owned());
        item.closings.push(Closing { at: now, closer });
        item.state_reason = item.pull.is_none().then(|| reason.to_owned());
        self.emit_item(repo, number, "closed", by, Value::Null);
        Ok(())
    }

    /// Reopens a closed item.
    pub(crate) fn reopen_item(&mut self, repo: u64, number: u64, by: &str) -> Result<(), SimError> {
        let now = self.now();
        let item = self.item_mut(repo, number)?;
        if item.open {
            return Ok(());
        }
        if item.pull.as_ref().is_some_and(|p| p.merged.is_some()) {
            return Err(SimError::Refused("a merged pull request can't be reopened".to_owned()));
        }
        item.open = true;
        item.closed_at = None;
        item.closed_by = None;
        item.updated_at = now;
        item.state_reason = item.pull.is_none().then(|| "reopened".to_owned());
        self.emit_item(repo, number, "reopened", by, Value::Null);
        Ok(())
    }

    /// Locks or unlocks an item's conversation.
    pub(crate) fn lock_item(&mut self, repo: u64, number: u64, by: &str, locked: bool) -> Result<(), SimError> {
        self.item_mut(repo, number)?.locked = locked;
        self.emit_item(repo, number, if locked { "locked" } else { "unlocked" }, by, Value::Null);
        Ok(())
    }

    /// Deletes an issue, which then answers 410.
    pub(crate) fn delete_issue(&mut self, repo: u64, number: u64, by: &str) -> Result<(), SimError> {
        if self.item(repo, number)?.pull.is_some() {
            return Err(SimError::Refused("pull requests can't be deleted".to_owned()));
        }
        self.emit_item(repo, number, "deleted", by, Value::Null);
        self.item_mut(repo, number)?.gone = true;
        Ok(())
    }

    /// Assigns those accounts that have a role of their own in the repository.
    pub(crate) fn assign(&mut self, repo: u64, number: u64, by: &str, logins: &[String]) -> Result<(), SimError> {
        let now = self.now();
        for login in logins {
            let assignable = self.repo(repo)?.role(login).is_some_and(|role| role != "none");
            let item = self.item_mut(repo, number)?;
            if !assignable || item.assignees.iter().any(|a| a.eq_ignore_ascii_case(login)) {
                continue;
            }
            item.assignees.push(login.clone());
            item.updated_at = now;
            let assignee = shape::user(self, login);
            self.emit_item(repo, number, "assigned", by, json!({ "assignee": assignee }));
        }
        Ok(())
    }

    /// Adds an item to a milestone, or removes it.
    pub(crate) fn set_milestone(
        &mut self,
        repo: u64,
        number: u64,
        by: &str,
        milestone: Option<u64>,
    ) -> Result<(), SimError> {
        let now = self.now();
        if let Some(number) = milestone.filter(|n| !self.repo(repo).is_ok_and(|r| r.milestones.contains_key(n))) {
            return Err(SimError::Refused(format!("there is no milestone {number}")));
        }
        let item = self.item_mut(repo, number)?;
        let was = std::mem::replace(&mut item.milestone, milestone);
        if was == milestone {
            return Ok(());
        }
        item.updated_at = now;
        if let Some(milestone) = milestone.or(was) {
            let shown = shape::milestone(self, self.repo(repo)?, milestone);
            let into = self.item(repo, number)?.milestone.is_some();
            let action = if into { "milestoned" } else { "demilestoned" };
            self.emit_item(repo, number, action, by, json!({ "milestone": shown }));
        }
        Ok(())
    }

    /// Writes a comment; returns its id.
    pub(crate) fn comment(&mut self, repo: u64, number: u64, by: &str, body: &str) -> Result<u64, SimError> {
        self.comment_via(repo, number, by, body, None)
    }

    /// Writes a comment; returns its id. With `via`, that App writes it in the account's name.
    pub(crate) fn comment_via(
        &mut self,
        repo: u64,
        number: u64,
        by: &str,
        body: &str,
        via: Option<&str>,
    ) -> Result<u64, SimError> {
        self.user(by, "User");
        let (id, now) = (self.id(), self.now());
        self.item_mut(repo, number)?.updated_at = now;
        let comment = Comment {
            id,
            item: number,
            author: by.to_owned(),
            body: body.to_owned(),
            created_at: now,
            updated_at: now,
            reactions: Vec::new(),
            minimized: false,
            via: via.map(str::to_owned),
        };
        self.repo_mut(repo)?.comments.insert(id, comment);
        self.emit_comment(repo, id, "created", by, Value::Null);
        Ok(id)
    }

    /// Changes a comment.
    pub(crate) fn edit_comment(&mut self, repo: u64, id: u64, by: &str, body: &str) -> Result<(), SimError> {
        let now = self.now();
        let found = self.repo_mut(repo)?.comments.get_mut(&id);
        let comment = found.ok_or_else(|| SimError::NoSuch(format!("comment {id}")))?;
        let before = std::mem::replace(&mut comment.body, body.to_owned());
        comment.updated_at = now;
        self.emit_comment(repo, id, "edited", by, json!({ "changes": { "body": { "from": before } } }));
        Ok(())
    }

    /// Adds a reaction to a comment; returns `false` if the account had already added it. Sends no
    /// webhook, like GitHub.
    pub(crate) fn react(
        &mut self,
        repo: u64,
        comment: u64,
        by: &str,
        content: &str,
    ) -> Result<(Reaction, bool), SimError> {
        let (id, now) = (self.id(), self.now());
        let found = self.repo_mut(repo)?.comments.get_mut(&comment);
        let reactions = &mut found.ok_or_else(|| SimError::NoSuch(format!("comment {comment}")))?.reactions;
        if let Some(old) = reactions.iter().find(|r| r.user == by && r.content == content) {
            return Ok((old.clone(), false));
        }
        let new = Reaction { id, user: by.to_owned(), content: content.to_owned(), at: now };
        reactions.push(new.clone());
        Ok((new, true))
    }

    /// Adds a reaction to the object with a global id; returns `false` if this repository has no
    /// such object.
    pub(crate) fn react_by_node(&mut self, repo: u64, node: &str, by: &str, content: &str) -> bool {
        let (id, now) = (self.id(), self.now());
        let Ok(place) = self.repo_mut(repo) else { return false };
        let comment = place.comments.values_mut().find(|c| shape::node("IC_kwDO", c.id) == node);
        let review = place.review_reactions.iter_mut().find(|(id, _)| shape::node("PRR_kwDO", **id) == node);
        let Some(list) = comment.map(|c| &mut c.reactions).or(review.map(|(_, list)| list)) else { return false };
        if !list.iter().any(|r| r.user == by && r.content == content) {
            list.push(Reaction { id, user: by.to_owned(), content: content.to_owned(), at: now });
        }
        true
    }

    /// Minimizes a comment; returns `false` if this repository has no such comment.
    pub(crate) fn minimize(&mut self, repo: u64, node: &str) -> bool {
        let Ok(place) = self.repo_mut(repo) else { return false };
        let found = place.comments.values_mut().find(|c| shape::node("IC_kwDO", c.id) == node);
        found.map(|comment| comment.minimized = true).is_some()
    }

    fn emit_comment(&mut self, repo: u64, id: u64, action: &str, by: &str, more: Value) {
        let Ok(place) = self.repo(repo) else { return };
        let Some(comment) = place.comments.get(&id) else { return };
        let Some(item) = place.items.get(&comment.item) else { return };
        let mut own = match more {
            Value::Object(own) => own,
            _ => Map::new(),
        };
        own.insert("issue".into(), shape::issue(self, place, item));
        own.insert("comment".into(), shape::comment(self, place, comment));
        self.emit(repo, "issue_comment", Some(action), by, Value::Object(own));
    }
}
