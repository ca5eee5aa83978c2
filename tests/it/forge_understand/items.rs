//! Issues, pull requests, comments, reviews.

use std::collections::BTreeSet;

use phasebot::domain::event::{
    Association, CloseReason, CommentSeen, ItemChange, ItemSeen, PullSeen, ReviewSeen, Seen, StackPlace, StackSeen,
    Verdict,
};
use serde_json::{Value, json};

use super::fixture::{Fixture, bot, fixture, person, received_at, sha, shop, time};

fn labels(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn issue_12() -> ItemSeen {
    ItemSeen {
        number: 12,
        is_pull: false,
        title: "Checkout forgets the cart".to_owned(),
        body: "Steps:\n1. fill the cart\n2. wait".to_owned(),
        author: Some(person("bob")),
        association: Association::Other,
        created_at: time("2026-11-02T09:00:00Z"),
        updated_at: time("2026-11-02T09:30:00Z"),
        open: true,
        closed_at: None,
        close_reason: None,
        labels: Some(labels(&["bug", "phase/plan"])),
        locked: false,
        change: ItemChange::Other,
    }
}

fn pull_34() -> PullSeen {
    PullSeen {
        item: ItemSeen {
            number: 34,
            is_pull: true,
            title: "Keep the cart".to_owned(),
            body: "Closes #12".to_owned(),
            author: Some(person("alice")),
            association: Association::Member,
            created_at: time("2026-11-02T10:05:00Z"),
            updated_at: time("2026-11-02T10:05:00Z"),
            open: true,
            closed_at: None,
            close_reason: None,
            labels: Some(labels(&["phase/code"])),
            locked: false,
            change: ItemChange::Other,
        },
        draft: true,
        head_ref: "feature/12-cart".to_owned(),
        head_sha: sha("a"),
        from_fork: false,
        base_ref: "main".to_owned(),
        merged_at: None,
        merge_sha: None,
        merged_by: None,
        pusher: None,
        stack: StackSeen::Unsaid,
        queued: None,
    }
}

fn item(fixture: &Fixture) -> ItemSeen {
    match fixture.seen() {
        Seen::Issue(item) => *item,
        Seen::Comment(comment) => comment.item,
        Seen::Pull(pull) => pull.item,
        seen => panic!("no item: {seen:?}"),
    }
}

fn pull(fixture: &Fixture) -> PullSeen {
    match fixture.seen() {
        Seen::Pull(pull) => *pull,
        seen => panic!("no pull request: {seen:?}"),
    }
}

fn review(fixture: &Fixture) -> ReviewSeen {
    match fixture.seen() {
        Seen::Review(review) => *review,
        seen => panic!("no review: {seen:?}"),
    }
}

#[test]
fn an_issue_is_opened() {
    let event = fixture("issues.opened").event();
    assert_eq!(event.name, "issues.opened");
    assert_eq!(event.connection, Some(99));
    assert_eq!(event.repo, Some(shop()));
    assert_eq!(event.sender, Some(person("bob")));
    assert_eq!(event.at, time("2026-11-02T09:00:00Z"));
    let expected = ItemSeen { updated_at: event.at, change: ItemChange::Opened, ..issue_12() };
    assert_eq!(event.seen, Seen::Issue(Box::new(expected)));
}

#[test]
fn labels_that_come_and_go_are_named() {
    let labeled = fixture("issues.labeled");
    assert_eq!(labeled.event().sender, Some(bot("phasebot[bot]")));
    assert_eq!(item(&labeled), ItemSeen { change: ItemChange::Labeled("phase/plan".to_owned()), ..issue_12() });
    let unlabeled = labeled.clone().with("/action", "unlabeled");
    assert_eq!(item(&unlabeled).change, ItemChange::Unlabeled("phase/plan".to_owned()));
    assert_eq!(item(&labeled.without("/label")).change, ItemChange::Other);
    let on_a_pull = fixture("pull_request.opened").with("/action", "labeled").with("/label", json!({"name": "x"}));
    assert_eq!(item(&on_a_pull).change, ItemChange::Labeled("x".to_owned()));
}

#[test]
fn a_label_set_with_an_unreadable_label_is_unknown() {
    let labeled = fixture("issues.labeled");
    assert_eq!(item(&labeled.clone().with("/issue/labels", json!([]))).labels, Some(labels(&[])));
    for odd in [json!([{"name": "bug"}, {"name": 3}]), json!([{"name": "bug"}, null]), json!({}), Value::Null] {
        assert_eq!(item(&labeled.clone().with("/issue/labels", odd)).labels, None);
    }
    assert_eq!(item(&labeled.without("/issue/labels")).labels, None);
}

#[test]
fn an_issue_is_closed_for_a_reason() {
    let closed = fixture("issues.closed");
    let at = time("2026-11-02T11:00:00Z");
    let expected = ItemSeen {
        updated_at: at,
        open: false,
        closed_at: Some(at),
        close_reason: Some(CloseReason::NotPlanned),
        change: ItemChange::Closed,
        ..issue_12()
    };
    assert_eq!(item(&closed), expected);
    assert_eq!(closed.event().at, at);
    let reasons = [
        (json!("completed"), CloseReason::Completed),
        (json!("duplicate"), CloseReason::Duplicate),
        (json!("a new one"), CloseReason::Completed),
        (Value::Null, CloseReason::Completed),
    ];
    for (reason, expected) in reasons {
        assert_eq!(item(&closed.clone().with("/issue/state_reason", reason)).close_reason, Some(expected));
    }
}

#[test]
fn a_reopened_issue_is_open_without_a_reason() {
    let reopened = fixture("issues.opened").with("/action", "reopened").with("/issue/state_reason", "reopened");
    let item = item(&reopened);
    assert_eq!((item.open, item.closed_at, item.close_reason), (true, None, None));
    assert_eq!(item.change, ItemChange::Reopened);
}

#[test]
fn without_a_state_the_action_and_then_the_closing_time_tell() {
    let stateless = |name: &str, action: &str| item(&fixture(name).with("/action", action).without("/issue/state"));
    assert!(stateless("issues.opened", "pinned").open);
    assert!(!stateless("issues.closed", "unpinned").open);
    assert!(stateless("issues.closed", "reopened").open);
    assert!(!stateless("issues.opened", "closed").open);
}

#[test]
fn a_transferred_or_deleted_issue_is_gone() {
    let transferred = fixture("issues.transferred");
    assert_eq!(item(&transferred), ItemSeen { change: ItemChange::Gone, ..issue_12() });
    assert_eq!(item(&transferred.with("/action", "deleted")).change, ItemChange::Gone);
}

#[test]
fn an_unknown_action_shows_the_item_all_the_same() {
    let typed = fixture("issues.labeled").with("/action", "typed");
    assert_eq!(typed.event().name, "issues.typed");
    assert_eq!(item(&typed), issue_12());
}

#[test]
fn associations_that_we_do_not_know_are_other() {
    for (text, expected) in [
        ("OWNER", Association::Owner),
        ("MEMBER", Association::Member),
        ("COLLABORATOR", Association::Collaborator),
        ("FIRST_TIMER", Association::Other),
        ("owner", Association::Other),
    ] {
        assert_eq!(item(&fixture("issues.opened").with("/issue/author_association", text)).association, expected);
    }
}

#[test]
fn a_deleted_account_is_no_author() {
    assert_eq!(item(&fixture("issues.opened").with("/issue/user", Value::Null)).author, None);
    let event = fixture("issues.opened").without("/sender").event();
    assert_eq!(event.sender, None);
}

#[test]
fn times_fall_back_to_the_nearest_ones() {
    let labeled = fixture("issues.labeled").without("/issue/updated_at");
    assert_eq!(item(&labeled).updated_at, time("2026-11-02T09:00:00Z"));
    let timeless = labeled.with("/issue/created_at", "soon");
    assert_eq!((item(&timeless).created_at, timeless.event().at), (received_at(), received_at()));
}

#[test]
fn what_we_cannot_do_without_is_named() {
    let reasons = [
        (fixture("issues.opened").without("/issue/number"), "issues payload without issue.number"),
        (fixture("issues.opened").with("/issue", 7), "issues payload without issue"),
        (fixture("issues.opened").with("/issue/number", -1), "issues payload without issue.number"),
        (
            fixture("issues.opened").without("/repository/id"),
            "issues payload without repository.id or repository.full_name",
        ),
        (fixture("issue_comment.created").without("/comment/id"), "issue_comment payload without comment.id"),
        (
            fixture("pull_request.opened").without("/pull_request/head/sha"),
            "pull_request payload without pull_request.head.sha",
        ),
        (
            fixture("pull_request.opened").with("/pull_request/base/ref", json!({})),
            "pull_request payload without pull_request.base.ref",
        ),
        (
            fixture("pull_request_review.submitted").with("/review/id", "x"),
            "pull_request_review payload without review.id",
        ),
    ];
    for (fixture, reason) in reasons {
        assert_eq!(fixture.reason(), reason);
    }
}

#[test]
fn a_repository_without_its_full_name_is_put_together() {
    let event = fixture("issues.opened").without("/repository/full_name").event();
    assert_eq!(event.repo, Some(shop()));
    let hostile = fixture("issues.opened").with("/repository/full_name", "acme/../../user").event();
    assert_eq!(hostile.repo, Some(shop()));
    let nameless = fixture("issues.opened").with("/repository/full_name", "acme/..").without("/repository/name");
    assert_eq!(nameless.event().repo, None);
}

#[test]
fn a_comment_on_a_pull_request() {
    let created = fixture("issue_comment.created");
    let at = time("2026-11-02T10:20:00Z");
    // The fields of a pull request that issues have too: the same item, without its branches.
    let item = ItemSeen {
        body: issue_12().body,
        created_at: issue_12().created_at,
        updated_at: at,
        labels: Some(labels(&[])),
        ..pull_34().item
    };
    let expected = CommentSeen {
        item,
        id: 900_001,
        author: Some(person("bob")),
        body: "/status".to_owned(),
        created_at: at,
        created: true,
        via: None,
    };
    assert_eq!(created.seen(), Seen::Comment(Box::new(expected)));
    assert_eq!(created.event().at, at);
    assert!(!self::item(&created.without("/issue/pull_request")).is_pull);
}

#[test]
fn only_a_new_comment_is_new() {
    let edited =
        fixture("issue_comment.created").with("/action", "edited").with("/comment/updated_at", "2026-11-02T10:40:00Z");
    let Seen::Comment(seen) = edited.seen() else { panic!("a comment") };
    assert!(!seen.created);
    assert_eq!(seen.created_at, time("2026-11-02T10:20:00Z"));
    assert_eq!(edited.event().at, time("2026-11-02T10:40:00Z"));
    let Seen::Comment(seen) = edited.with("/action", "deleted").seen() else { panic!("a comment") };
    assert!(!seen.created);
}

#[test]
fn a_pull_request_is_opened() {
    let opened = fixture("pull_request.opened");
    let expected = PullSeen { item: ItemSeen { change: ItemChange::Opened, ..pull_34().item }, ..pull_34() };
    assert_eq!(pull(&opened), expected);
    assert_eq!(opened.event().at, time("2026-11-02T10:05:00Z"));
}

#[test]
fn a_merge_tells_its_commit_and_an_open_pull_request_does_not() {
    let merged = fixture("pull_request.closed");
    let seen = pull(&merged);
    assert_eq!(seen.merged_at, Some(time("2026-11-02T12:00:00Z")));
    assert_eq!(seen.merge_sha, Some(sha("c")));
    assert_eq!(seen.merged_by, Some(person("bob")));
    assert!(!seen.item.open);
    assert_eq!(seen.item.closed_at, Some(time("2026-11-02T12:00:00Z")));
    assert_eq!(seen.item.close_reason, None);
    assert_eq!(merged.event().at, time("2026-11-02T12:00:01Z"));

    let unmerged = merged.clone().with("/pull_request/merged", false).with("/pull_request/merged_at", Value::Null);
    let seen = pull(&unmerged);
    assert_eq!((seen.merged_at, seen.merge_sha, seen.merged_by), (None, None, None));
    assert!(!seen.item.open);

    let timeless = merged.without("/pull_request/merged_at");
    assert_eq!(pull(&timeless).merged_at, Some(time("2026-11-02T12:00:00Z")));
}

#[test]
fn a_head_in_another_repository_is_a_fork() {
    let opened = fixture("pull_request.opened");
    assert!(pull(&opened.clone().with("/pull_request/head/repo/id", 9999)).from_fork);
    assert!(pull(&opened.clone().with("/pull_request/head/repo", Value::Null)).from_fork);
    assert!(pull(&opened.clone().without("/pull_request/head/repo")).from_fork);
    assert!(!pull(&opened.without("/pull_request/base/repo")).from_fork);
}

#[test]
fn a_review_is_submitted() {
    let submitted = fixture("pull_request_review.submitted");
    let at = time("2026-11-02T11:30:00Z");
    let expected = ReviewSeen {
        pull: PullSeen { item: ItemSeen { updated_at: at, ..pull_34().item }, ..pull_34() },
        id: 600_001,
        reviewer: Some(person("bob")),
        association: Association::Collaborator,
        verdict: Verdict::Approved,
        commit: Some(sha("a")),
        submitted_at: at,
        body: "Fine.\n\n/phase test".to_owned(),
        node: None,
        submitted: true,
    };
    assert_eq!(review(&submitted), expected);
    assert_eq!(submitted.event().at, at);
}

#[test]
fn a_review_says_what_it_says_now() {
    let submitted = fixture("pull_request_review.submitted");
    for (state, verdict) in [
        ("APPROVED", Verdict::Approved),
        ("changes_requested", Verdict::ChangesRequested),
        ("commented", Verdict::Commented),
        ("a new one", Verdict::Commented),
        ("dismissed", Verdict::Dismissed),
    ] {
        assert_eq!(review(&submitted.clone().with("/review/state", state)).verdict, verdict);
    }
    let dismissed = submitted.with("/action", "dismissed").with("/review/updated_at", "2026-11-02T13:00:00Z");
    assert_eq!(review(&dismissed).verdict, Verdict::Dismissed);
    assert!(!review(&dismissed).submitted);
    assert_eq!(review(&dismissed).submitted_at, time("2026-11-02T11:30:00Z"));
    assert_eq!(dismissed.event().at, time("2026-11-02T13:00:00Z"));
}

#[test]
fn a_stack_is_read_leniently() {
    let opened = fixture("pull_request.opened");
    let with = |stack: Value| pull(&opened.clone().with("/pull_request/stack", stack)).stack;
    let place = |number, size, position| StackSeen::In(StackPlace { base: "main".to_owned(), number, size, position });
    let whole = json!({ "id": 9, "number": 50, "size": 5, "position": 2, "base": { "ref": "main", "sha": "abc" } });
    assert_eq!(with(whole), place(Some(50), Some(5), Some(2)));
    assert_eq!(with(json!({ "base": { "ref": "main" } })), place(None, None, None), "an earlier form");
    assert_eq!(with(Value::Null), StackSeen::Alone);
    assert_eq!(pull(&opened.clone()).stack, StackSeen::Unsaid);
    for odd in [
        json!({}),
        json!([]),
        json!("main"),
        json!(7),
        json!({ "base": null }),
        json!({ "base": "main" }),
        json!({ "base": { "ref": "" } }),
        json!({ "base": { "ref": ["main"] }, "size": -1 }),
    ] {
        assert_eq!(with(odd.clone()), StackSeen::Unsaid, "{odd}");
    }
    let stacked =
        opened.clone().with("/action", "stacked").with("/pull_request/stack", json!({ "base": { "ref": "main" } }));
    assert_eq!(pull(&stacked).stack, place(None, None, None));
}

#[test]
fn a_merge_queue_takes_a_pull_request_and_gives_it_back() {
    let opened = fixture("pull_request.opened");
    let queued = |action: &str| pull(&opened.clone().with("/action", action)).queued;
    assert_eq!([queued("enqueued"), queued("dequeued"), queued("opened")], [Some(true), Some(false), None]);
}
