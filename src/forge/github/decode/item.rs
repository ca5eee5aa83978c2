//! Decodes issues, pull requests, their comments and reviews.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    domain::event::{
        App, Association, CloseReason, CommentSeen, ItemChange, ItemSeen, PullSeen, ReviewSeen, Seen, StackPlace,
        StackSeen, Verdict,
    },
    forge::github::{
        decode::{Delivery, Understood, Useless, actor, needed},
        payload::{Comment, Field, Issue, Label, Maybe, Pull, PullEnd, Review, Stack},
    },
};

pub(super) fn issue(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    delivery.repo()?;
    let issue: Issue = needed(delivery.payload.get("issue"), "issue")?;
    let at = issue.updated_at.0;
    let change = match delivery.action {
        "deleted" | "transferred" => ItemChange::Gone,
        _ => item_change(delivery),
    };
    let item = item(issue, change, delivery).ok_or(Useless::Lacks("issue.number"))?;
    Ok(Understood { seen: Seen::Issue(Box::new(item)), at })
}

pub(super) fn comment(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    delivery.repo()?;
    let issue: Issue = needed(delivery.payload.get("issue"), "issue")?;
    let comment: Comment = needed(delivery.payload.get("comment"), "comment")?;
    let item_at = issue.updated_at.0;
    let written_at = comment.created_at.0;
    let at = match delivery.action {
        "created" => written_at,
        "edited" => comment.updated_at.0,
        // The payload has no time of the deletion; the item's last change is the closest.
        _ => item_at,
    };
    let item = item(issue, ItemChange::Other, delivery).ok_or(Useless::Lacks("issue.number"))?;
    let seen = CommentSeen {
        item,
        id: needed(comment.id.0, "comment.id")?,
        author: comment.user.0.and_then(actor),
        body: comment.body.0.unwrap_or_default(),
        created_at: written_at.or(item_at).unwrap_or(delivery.received_at),
        created: delivery.action == "created",
        via: comment
            .performed_via_github_app
            .0
            .map(|app| App { slug: app.slug.0.unwrap_or_default().to_ascii_lowercase() }),
    };
    Ok(Understood { seen: Seen::Comment(Box::new(seen)), at: at.or(written_at).or(item_at) })
}

pub(super) fn pull_request(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    let (seen, at) = pull(delivery, item_change(delivery))?;
    Ok(Understood { seen: Seen::Pull(Box::new(seen)), at })
}

pub(super) fn review(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    let (pull, pull_at) = pull(delivery, ItemChange::Other)?;
    let review: Review = needed(delivery.payload.get("review"), "review")?;
    let submitted = delivery.action == "submitted";
    let submitted_at = review.submitted_at.0;
    // An edit or dismissal leaves `submitted_at` unchanged.
    let at = if submitted { submitted_at.or(pull_at) } else { review.updated_at.0.or(pull_at.max(submitted_at)) };
    let seen = ReviewSeen {
        pull,
        id: needed(review.id.0, "review.id")?,
        reviewer: review.user.0.and_then(actor),
        association: association(review.author_association.0.as_deref()),
        verdict: match delivery.action {
            "dismissed" => Verdict::Dismissed,
            _ => review_verdict(&review.state.0.unwrap_or_default()),
        },
        commit: review.commit_id.0,
        submitted_at: submitted_at.or(at).unwrap_or(delivery.received_at),
        body: review.body.0.unwrap_or_default(),
        node: review.node_id.0,
        submitted,
    };
    Ok(Understood { seen: Seen::Review(Box::new(seen)), at })
}

/// Returns the payload's pull request and the time of its last change.
fn pull(delivery: &Delivery<'_>, change: ItemChange) -> Result<(PullSeen, Option<Timestamp>), Useless> {
    let repo = delivery.repo()?.key.id;
    let shared: Issue = needed(delivery.payload.get("pull_request"), "pull_request")?;
    let own: Pull = delivery.payload.get("pull_request").unwrap_or_default();
    let changed_at = shared.updated_at.0;
    let mut item = item(shared, change, delivery).ok_or(Useless::Lacks("pull_request.number"))?;
    item.is_pull = true;
    // Only issues have a `state_reason`.
    item.close_reason = None;
    let head = own.head.0.unwrap_or_default();
    let base = own.base.0.unwrap_or_default();
    let merged = own.merged_at.0.is_some() || own.merged.0 == Some(true);
    let pull = PullSeen {
        draft: own.draft.0.unwrap_or(false),
        from_fork: from_fork(&head, base.repo.0.as_ref().and_then(|repo| repo.id.0).unwrap_or(repo)),
        head_ref: needed(head.branch.0, "pull_request.head.ref")?,
        head_sha: needed(head.sha.0, "pull_request.head.sha")?,
        base_ref: needed(base.branch.0, "pull_request.base.ref")?,
        merged_at: merged.then(|| own.merged_at.0.or(item.closed_at).unwrap_or(item.updated_at)),
        merge_sha: own.merge_commit_sha.0.filter(|_| merged),
        merged_by: own.merged_by.0.and_then(actor).filter(|_| merged),
        pusher: delivery.sender.clone().filter(|_| delivery.action == "synchronize"),
        stack: stack(own.stack),
        queued: match delivery.action {
            "enqueued" => Some(true),
            "dequeued" => Some(false),
            _ => None,
        },
        item,
    };
    Ok((pull, changed_at))
}

/// Returns the place in a stack. A stack without a branch to land on is of a shape that is not known.
fn stack(seen: Field<Stack>) -> StackSeen {
    let stack = match seen {
        Field::Absent => return StackSeen::Unsaid,
        Field::Null => return StackSeen::Alone,
        Field::Value(stack) => stack,
    };
    let Some(base) = stack.base.0.and_then(|base| base.branch.0).filter(|base| !base.is_empty()) else {
        return StackSeen::Unsaid;
    };
    StackSeen::In(StackPlace { base, number: stack.number.0, size: stack.size.0, position: stack.position.0 })
}

/// Returns whether the source branch is in another repository. A missing source repository was
/// deleted, so it is not the target repository, which exists.
fn from_fork(head: &PullEnd, base_repo: u64) -> bool {
    head.repo.0.as_ref().and_then(|repo| repo.id.0) != Some(base_repo)
}

/// Converts the fields that issues and pull requests share; `None` without a number.
fn item(issue: Issue, change: ItemChange, delivery: &Delivery<'_>) -> Option<ItemSeen> {
    let updated_at = issue.updated_at.0.or(issue.closed_at.0).or(issue.created_at.0).unwrap_or(delivery.received_at);
    let open = match issue.state.0.as_deref() {
        Some("open") => true,
        Some("closed") => false,
        _ => match change {
            ItemChange::Opened | ItemChange::Reopened => true,
            ItemChange::Closed => false,
            _ => issue.closed_at.0.is_none(),
        },
    };
    let is_pull = issue.pull_request.0.is_some();
    Some(ItemSeen {
        number: issue.number.0?,
        is_pull,
        title: issue.title.0.unwrap_or_default(),
        body: issue.body.0.unwrap_or_default(),
        author: issue.user.0.and_then(actor),
        association: association(issue.author_association.0.as_deref()),
        created_at: issue.created_at.0.unwrap_or(updated_at),
        updated_at,
        open,
        closed_at: (!open).then(|| issue.closed_at.0.unwrap_or(updated_at)),
        close_reason: (!open && !is_pull).then(|| close_reason(issue.state_reason.0.as_deref())),
        labels: issue.labels.0.and_then(names),
        locked: issue.locked.0.unwrap_or(false),
        change,
    })
}

fn item_change(delivery: &Delivery<'_>) -> ItemChange {
    let label = || delivery.payload.get("label").and_then(|label: Label| label.name.0);
    match delivery.action {
        "opened" => ItemChange::Opened,
        "closed" => ItemChange::Closed,
        "reopened" => ItemChange::Reopened,
        "labeled" => label().map_or(ItemChange::Other, ItemChange::Labeled),
        "unlabeled" => label().map_or(ItemChange::Other, ItemChange::Unlabeled),
        _ => ItemChange::Other,
    }
}

/// Returns the labels' names; `None` if one is unreadable, because the set is then unknown.
fn names(labels: Vec<Maybe<Label>>) -> Option<BTreeSet<String>> {
    labels.into_iter().map(|label| label.0?.name.0).collect()
}

fn close_reason(state_reason: Option<&str>) -> CloseReason {
    match state_reason {
        Some("not_planned") => CloseReason::NotPlanned,
        Some("duplicate") => CloseReason::Duplicate,
        _ => CloseReason::Completed,
    }
}

/// Parses a review's state.
pub(in crate::forge::github) fn review_verdict(state: &str) -> Verdict {
    match state.to_ascii_lowercase().as_str() {
        "dismissed" => Verdict::Dismissed,
        "approved" => Verdict::Approved,
        "changes_requested" => Verdict::ChangesRequested,
        // An unknown verdict neither approves nor blocks.
        _ => Verdict::Commented,
    }
}

pub(in crate::forge::github) fn association(text: Option<&str>) -> Association {
    match text {
        Some("OWNER") => Association::Owner,
        Some("MEMBER") => Association::Member,
        Some("COLLABORATOR") => Association::Collaborator,
        _ => Association::Other,
    }
}
