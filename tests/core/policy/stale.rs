//! Pushes after which the policy file must be read again.

use jiff::Timestamp;
use phasebot_core::{
    domain::{
        event::{Event, NewCommits, PushSeen, RefName, Seen},
        fact::RepoFacts,
        id::{ForgeName, RepoKey},
    },
    ingest::{Us, observe},
};

/// Returns whether the policy is stale after a push of `before` to `after`.
fn stale(branch: &str, before: &str, after: &str, forced: bool, touched: Option<bool>) -> bool {
    let key = RepoKey { forge: ForgeName::github(), id: 7 };
    let mut facts = RepoFacts::new(key);
    let sha = |digit: &str| digit.repeat(40).parse().unwrap();
    let push = PushSeen {
        name: RefName::Branch(branch.into()),
        before: sha(before),
        after: sha(after),
        forced,
        commits: Vec::new(),
        paths: std::collections::BTreeMap::new(),
        new: NewCommits::default(),
        truncated: false,
        made_from: None,
        policy_file: touched,
        pusher: None,
    };
    let event = Event {
        name: "push".into(),
        connection: Some(1),
        repo: None,
        sender: None,
        at: Timestamp::UNIX_EPOCH,
        seen: Seen::Push(Box::new(push)),
    };
    observe(&mut facts, &event, &crate::policy_of(None), &Us::default());
    facts.policy_files.own.stale
}

#[test]
fn what_may_have_changed_the_file_has_it_read_anew() {
    assert!(stale("main", "1", "2", false, Some(true)));
    assert!(stale("main", "1", "2", false, None), "nobody says what the push changed");
    assert!(stale("main", "1", "2", true, Some(false)), "what was rewritten is not listed");
    assert!(stale("main", "0", "2", false, Some(false)), "a new branch lists nothing");
    assert!(stale("main", "1", "0", false, Some(false)));
    assert!(!stale("main", "1", "2", false, Some(false)));
    assert!(!stale("topic", "1", "2", true, Some(true)), "only the default branch counts");
}
