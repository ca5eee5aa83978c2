//! Pushes, refs, merge groups.

use phasebot::domain::event::{CommitSeen, GroupEnd, MergeGroupSeen, NewCommits, PushSeen, RefName, RefSeen, Seen};
use serde_json::{Value, json};

use super::fixture::{Fixture, bot, fixture, person, received_at, sha, shop, time};

fn push(fixture: &Fixture) -> PushSeen {
    match fixture.seen() {
        Seen::Push(push) => *push,
        seen => panic!("no push: {seen:?}"),
    }
}

fn commit(digit: &str, message: &str) -> CommitSeen {
    CommitSeen { sha: sha(digit), message: message.to_owned(), parents: None }
}

#[test]
fn a_push_to_a_branch() {
    let event = fixture("push").event();
    assert_eq!(event.name, "push");
    assert_eq!(event.repo, Some(shop()));
    assert_eq!(event.at, time("2026-11-02T12:00:00Z"), "seconds since 1970 are read");
    let expected = PushSeen {
        name: RefName::Branch("main".to_owned()),
        before: sha("b"),
        after: sha("c"),
        forced: false,
        commits: vec![commit("1", "Remember the cart\n\nCloses #12"), commit("c", "Merge pull request #34")],
        paths: ["1", "c"].into_iter().map(|digit| (sha(digit), vec!["src/cart.rs".to_owned()])).collect(),
        new: NewCommits { count: 2, first_at: Some(time("2026-11-02T10:59:00Z")) },
        truncated: false,
        made_from: None,
        policy_file: Some(false),
        pusher: Some(person("bob")),
    };
    assert_eq!(event.seen, Seen::Push(Box::new(expected)));
    assert!(push(&fixture("push").with("/forced", true)).forced);
}

/// Commits that another branch had already do not count for the beginning of a change.
#[test]
fn only_commits_that_no_branch_had_are_new() {
    let merged = fixture("push").with("/commits/0/distinct", false);
    assert_eq!(push(&merged).new.count, 1);
    let older = fixture("push").with("/commits/1/timestamp", "2026-10-30T08:00:00+01:00");
    assert_eq!(push(&older).new.first_at, Some(time("2026-10-30T07:00:00Z")));
    let told = fixture("push").with("/commits/0/distinct", "yes").with("/commits/1/timestamp", "soon");
    assert_eq!(push(&told).new, NewCommits { count: 1, first_at: None });
}

#[test]
fn an_annotated_tag_names_its_commit() {
    let seen = push(&fixture("push.annotated-tag"));
    assert_eq!(seen.name, RefName::Tag("v1.2.0".to_owned()));
    assert_eq!(seen.after, sha("c"), "not the tag object ddd…");
    assert!(seen.before.is_zero());
    let bob = phasebot::domain::id::Actor { id: None, ..person("bob") };
    assert_eq!(seen.pusher, Some(bob), "from the pusher, as there is no sender");
    assert!(!seen.truncated);
}

#[test]
fn a_removed_tag_has_no_commit() {
    let removed = fixture("push.annotated-tag").with("/after", "0".repeat(40)).with("/head_commit", Value::Null);
    assert!(push(&removed).after.is_zero());
}

#[test]
fn a_list_that_may_be_cut_short_says_so() {
    let list = |commits: usize| {
        let mut list = vec![json!({"id": "a".repeat(40), "message": "x"}); commits];
        if let Some(last) = list.last_mut() {
            last["id"] = "c".repeat(40).into();
        }
        json!(list)
    };
    assert!(!push(&fixture("push").with("/commits", list(2047))).truncated);
    let without_end = json!([{"id": "a".repeat(40), "message": "x"}]);
    assert!(push(&fixture("push").with("/commits", without_end)).truncated, "the end is not listed");
    assert!(push(&fixture("push").with("/commits", list(2048))).truncated);
    assert!(push(&fixture("push").with("/commits", list(0))).truncated, "fewer than what came");
    assert!(push(&fixture("push").without("/commits")).truncated);
    let unreadable = push(&fixture("push").with("/commits", json!([{"id": "a".repeat(40)}, {"id": "main"}])));
    assert!(unreadable.truncated);
    assert_eq!(unreadable.commits, vec![commit("a", "")]);
}

#[test]
fn a_branch_made_from_another_says_so() {
    let made = || fixture("push").with("/created", true).with("/before", "0".repeat(40)).with("/commits", json!([]));
    let seen = push(&made().with("/base_ref", "refs/heads/develop"));
    assert_eq!((seen.made_from.as_deref(), seen.truncated), (Some("develop"), false));
    assert_eq!(push(&made()).made_from, None, "it may hold anything");
    let moved = fixture("push").with("/base_ref", "refs/heads/develop");
    assert_eq!(push(&moved).made_from, None, "it was there before");
    let rewound = push(&fixture("push").with("/forced", true).with("/commits", json!([])));
    assert!(!rewound.truncated, "a branch that is set back brings nothing");
}

#[test]
fn other_refs_say_nothing() {
    for name in ["refs/notes/commits", "refs/heads/", "main"] {
        let reason = fixture("push").with("/ref", name).reason();
        assert_eq!(reason, "a push to a ref that is neither branch nor tag");
    }
    assert_eq!(fixture("push").with("/after", "abc").reason(), "push payload without after");
}

#[test]
fn refs_are_made_and_removed() {
    let created = fixture("create").event();
    assert_eq!(created.name, "create");
    assert_eq!(created.at, time("2026-11-02T10:00:00Z"));
    let branch = RefName::Branch("feature/12-cart".to_owned());
    assert_eq!(created.seen, Seen::Ref(RefSeen { name: branch, exists: true }));
    let tag = RefName::Tag("v1.1.9".to_owned());
    assert_eq!(fixture("delete").seen(), Seen::Ref(RefSeen { name: tag, exists: false }));
    assert_eq!(fixture("create").with("/ref_type", "repository").reason(), "neither a branch nor a tag");
}

#[test]
fn a_merge_group_names_its_pull_request() {
    let event = fixture("merge_group.checks_requested").event();
    let expected = MergeGroupSeen {
        head_sha: sha("8"),
        base_sha: sha("b"),
        base_ref: "release/1.x".to_owned(),
        pull: Some(34),
        end: None,
    };
    assert_eq!(event.seen, Seen::MergeGroup(expected));
    assert_eq!(event.at, time("2026-11-02T11:45:00Z"));
    assert_eq!(event.sender, Some(bot("github-merge-queue[bot]")));
}

#[test]
fn a_merge_group_of_another_shape_names_none() {
    for head_ref in ["refs/heads/pr-34-abc", "refs/heads/gh-readonly-queue/main/group-1", "pr-1-2", ""] {
        let group = fixture("merge_group.checks_requested").with("/merge_group/head_ref", head_ref);
        let Seen::MergeGroup(seen) = group.seen() else { panic!("a merge group") };
        assert_eq!(seen.pull, None, "{head_ref}");
    }
    let timeless = fixture("merge_group.checks_requested").without("/merge_group/head_commit");
    assert_eq!(timeless.event().at, received_at());
}

#[test]
fn a_merge_group_tells_how_it_ended() {
    let reasons = [
        ("merged", GroupEnd::Merged),
        ("invalidated", GroupEnd::Dissolved),
        ("dequeued", GroupEnd::Dissolved),
        ("a reason of tomorrow", GroupEnd::Dissolved),
    ];
    for (reason, end) in reasons {
        let event =
            fixture("merge_group.checks_requested").with("/action", "destroyed").with("/reason", reason).event();
        let Seen::MergeGroup(seen) = event.seen else { panic!("{reason}: a merge group") };
        assert_eq!((seen.head_sha, seen.end), (sha("8"), Some(end)), "{reason}");
        assert_eq!(event.at, received_at(), "{reason}: the group's own time is that of its making");
    }
}

#[test]
fn commits_tell_whether_they_change_the_policy_file() {
    let seen = |commits: Value| push(&fixture("push").with("/commits", commits)).policy_file;
    let commit = |added: &[&str], modified: &[&str], removed: &[&str]| json!({"id": "c".repeat(40), "message": "x", "added": added, "modified": modified, "removed": removed});
    let file = ".github/phasebot.yml";
    assert_eq!(seen(json!([commit(&["a"], &["b"], &["c"])])), Some(false));
    assert_eq!(seen(json!([])), None, "the branch moved, and the list does not tell by what");
    for touching in [commit(&[file], &[], &[]), commit(&[], &[file], &[]), commit(&[], &[], &[file])] {
        assert_eq!(seen(json!([commit(&["a"], &[], &[]), touching])), Some(true));
    }
    assert_eq!(seen(json!([commit(&["phasebot.yml", ".GITHUB/phasebot.yml"], &[], &[])])), Some(false));
    // An incomplete list may hide the file; one list that contains it is enough.
    let silent = json!({"id": "c".repeat(40), "message": "x"});
    assert_eq!(seen(json!([silent])), None);
    assert_eq!(seen(json!([silent, commit(&[file], &[], &[])])), Some(true));
    assert_eq!(seen(json!([commit(&vec!["a"; 3000], &[], &[])])), None);
    assert_eq!(push(&fixture("push").without("/commits")).policy_file, None);
    assert_eq!(seen(json!(vec![commit(&["a"], &[], &[]); 2048])), None);
}
