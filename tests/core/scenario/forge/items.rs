//! Issues, pull requests and reviews.

use jiff::Timestamp;
use phasebot_core::domain::event::*;

use super::{
    Forge,
    words::{after, has, time},
};

impl Forge {
    pub(super) fn item(&mut self, at: Timestamp, w: &[String], is_pull: bool) -> Option<ItemSeen> {
        let number: u64 = w[1].parse().ok()?;
        let author = after(w, "by").map(|login| self.accounts.actor(login));
        let association = match author.as_ref().map(|a| a.login.as_str()) {
            Some("acme") => Association::Owner,
            _ if has(w, "member") => Association::Member,
            _ => Association::Other,
        };
        let item = self.items.entry(number).or_insert_with(|| {
            let opened = ItemSeen::opened(number, is_pull, format!("Item {number}"), author, at);
            ItemSeen { association, ..opened }
        });
        item.updated_at = at;
        if let Some(body) = after(w, "body") {
            body.clone_into(&mut item.body);
        }
        if let Some(title) = after(w, "title") {
            title.clone_into(&mut item.title);
        }
        if let Some(since) = after(w, "since") {
            item.created_at = time(since)?;
        }
        let labels = item.labels.get_or_insert_default();
        labels.extend(after(w, "labels").into_iter().flat_map(|names| names.split(',')).map(str::to_owned));
        item.change = match w[2].as_str() {
            "opened" => ItemChange::Opened,
            "closed" | "merged" => {
                item.open = false;
                item.closed_at = Some(at);
                item.close_reason = Some(match after(w, "as") {
                    Some("not_planned") => CloseReason::NotPlanned,
                    Some("duplicate") => CloseReason::Duplicate,
                    _ => CloseReason::Completed,
                });
                ItemChange::Closed
            }
            "reopened" => {
                item.open = true;
                item.closed_at = None;
                item.close_reason = None;
                ItemChange::Reopened
            }
            "labeled" => {
                labels.insert(w[3].clone());
                ItemChange::Labeled(w[3].clone())
            }
            "unlabeled" => {
                labels.remove(&w[3]);
                ItemChange::Unlabeled(w[3].clone())
            }
            "deleted" | "transferred" => ItemChange::Gone,
            _ => ItemChange::Other,
        };
        if w[2] == "locked" {
            item.locked = true;
        }
        Some(item.clone())
    }

    pub(super) fn pull(&mut self, at: Timestamp, w: &[String]) -> Option<PullSeen> {
        let item = self.item(at, w, true)?;
        let number = item.number;
        // `at c1`: its head is an existing commit.
        let head = after(w, "at").map_or_else(|| format!("h{number}"), str::to_owned);
        let head = self.sha(&head);
        let merge = after(w, "as").map(str::to_owned).map(|name| self.sha(&name));
        let pull = self.pulls.entry(number).or_insert_with(|| PullSeen {
            item: item.clone(),
            draft: has(w, "draft"),
            head_ref: after(w, "head").unwrap_or("topic").to_owned(),
            head_sha: head,
            from_fork: has(w, "fork"),
            base_ref: after(w, "base").unwrap_or("main").to_owned(),
            merged_at: None,
            merge_sha: None,
            merged_by: None,
            pusher: None,
            stack: StackSeen::Unsaid,
            queued: None,
        });
        // `stack 2/3 onto main`: the second of three; `stack none`: in none any more.
        if let Some(place) = after(w, "stack") {
            pull.stack = place.split_once('/').map_or(StackSeen::Alone, |(position, size)| {
                StackSeen::In(StackPlace {
                    base: after(w, "onto").unwrap_or("main").to_owned(),
                    number: Some(50),
                    size: size.parse().ok(),
                    position: position.parse().ok(),
                })
            });
        }
        pull.queued = match w[2].as_str() {
            "enqueued" => Some(true),
            "dequeued" => Some(false),
            _ => None,
        };
        // Account that pushed a new head: `synchronize … by bob`.
        pull.pusher = after(w, "by").filter(|_| w[2] == "synchronize").map(|login| self.accounts.actor(login));
        if pull.from_fork {
            // Forges find a fork's commits under every repository's name.
            let base = self.tips.get(&RefName::Branch(pull.base_ref.clone())).cloned();
            self.parents.entry(pull.head_sha.clone()).or_insert_with(|| base.into_iter().collect());
        }
        pull.item = item;
        match w[2].as_str() {
            "merged" => {
                pull.merged_at = Some(at);
                pull.merge_sha = merge;
                pull.merged_by = after(w, "by").map(|login| self.accounts.actor(login));
            }
            "ready_for_review" => pull.draft = false,
            "synchronize" => pull.head_sha = merge.unwrap_or_else(|| pull.head_sha.clone()),
            _ => {}
        }
        Some(pull.clone())
    }

    pub(super) fn review(&mut self, at: Timestamp, w: &[String], body: &str) -> Option<ReviewSeen> {
        let number: u64 = w[1].parse().ok()?;
        let id = self.id();
        let pull = self.pulls.get_mut(&number)?;
        pull.item.updated_at = at;
        pull.item.change = ItemChange::Other;
        let verdict = match w[2].as_str() {
            "approved" => Verdict::Approved,
            "rejected" => Verdict::ChangesRequested,
            _ => Verdict::Commented,
        };
        Some(ReviewSeen {
            pull: PullSeen { pusher: None, stack: StackSeen::Unsaid, queued: None, ..pull.clone() },
            id,
            reviewer: after(w, "by").map(|login| self.accounts.actor(login)),
            association: if has(w, "member") { Association::Member } else { Association::Other },
            verdict,
            commit: Some(pull.head_sha.clone()),
            submitted_at: at,
            body: body.to_owned(),
            node: Some(format!("node-{id}")),
            submitted: true,
        })
    }

    /// `comment on 1 by alice [via codebot]`: with `via`, that App wrote it on behalf of its author.
    pub(super) fn comment(&mut self, at: Timestamp, w: &[String], body: &str) -> Option<CommentSeen> {
        let author = after(w, "by").map(|login| self.accounts.actor(login));
        let id = self.id();
        let item = self.items.get_mut(&w[2].parse().ok()?)?;
        item.updated_at = at;
        item.change = ItemChange::Other;
        Some(CommentSeen {
            item: item.clone(),
            via: after(w, "via").map(|slug| App { slug: slug.to_owned() }),
            id,
            author,
            body: body.to_owned(),
            created_at: at,
            created: !has(w, "edited"),
        })
    }
}
