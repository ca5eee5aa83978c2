//! Selection of pull requests that may change the policy file.

use phasebot_core::{
    domain::{
        event::Event,
        fact::{
            RepoFacts,
            item::PolicyInPull,
            policy::Proposal::{self, Group, Pull},
        },
        id::Sha,
        policy::Policy,
    },
    engine::proposal::{brought, head_changes, is_untouched},
    ingest::{Us, observe},
};

use crate::scenario::{forge::repo, script::read};

fn sha(name: &str) -> Sha {
    format!("{:0<40}", hex::encode(name)).parse().unwrap()
}

/// Returns the facts after the steps, and the last event.
fn known(steps: &str) -> (RepoFacts, Event) {
    let mut facts = RepoFacts::new(repo().key);
    let acts = read(steps);
    for event in &acts.events {
        observe(&mut facts, event, &crate::policy_of(None), &Us::default());
    }
    (facts, acts.events.last().unwrap().clone())
}

/// Returns the proposals from the last event. `looked`: the earlier result for #2.
fn proposals(steps: &str, looked: Option<(&str, &str, bool)>, policy: &Policy) -> Vec<Proposal> {
    let (mut facts, event) = known(steps);
    if let Some((head, base, changes)) = looked {
        let pull = facts.items.get_mut(&2).and_then(|item| item.pull.as_mut()).unwrap();
        pull.policy = Some(PolicyInPull { head: sha(head), base: base.into(), changes });
    }
    brought(&facts, &event, &[1, 2].into(), policy)
}

const OPENED: &str = "09:10 pull 2 opened by bob head topic\n";

#[test]
fn only_what_may_change_the_file_is_looked_at() {
    let usual = crate::policy_of(None);
    let required = crate::policy_of(Some("mode: act\npolicy_check: required\n"));
    let new = "08:00 push main c1\n08:10 issue 1 opened by ann\n09:00 push topic h2 from c1\n";
    let touching = "08:00 push main c1\n09:00 push topic h2 policy from c1\n";
    let other = "08:00 push main c1\n08:30 push other x1 policy from c1\n09:00 push topic h2 from c1\n";
    for (steps, expected, why) in [
        (format!("{new}{OPENED}"), vec![], "its pushes prove that it leaves the file alone"),
        (format!("{touching}{OPENED}"), vec![Pull(2)], "a push changed it"),
        (format!("08:00 push main c1\n{OPENED}"), vec![Pull(2)], "its pushes are not known"),
        (format!("{new}09:10 pull 2 opened by bob head topic fork\n"), vec![Pull(2)], "a fork's pushes tell nobody"),
        (format!("{other}{OPENED}"), vec![Pull(2)], "it may come from a branch that changed it"),
        (format!("{other}09:05 branch other deleted\n{OPENED}"), vec![], "a branch that is gone hides nothing"),
        (format!("{touching}{OPENED}10:00 pull 2 closed by bob\n"), vec![], "it is closed"),
        (format!("{touching}{OPENED}10:00 pull 2 deleted by bob\n"), vec![], "it is gone"),
        (format!("{touching}{OPENED}10:00 issue 1 opened by ann\n"), vec![], "an issue changes no file"),
        (format!("{new}{OPENED}10:00 group g1 on c1 pull 2\n"), vec![], "nobody wants to know"),
    ] {
        assert_eq!(proposals(&steps, None, &usual), expected, "{why}");
    }
    assert_eq!(proposals(&format!("{new}{OPENED}"), None, &required), [Pull(2)]);
    let group = format!("{new}{OPENED}10:00 group g1 on c1 pull 2\n");
    assert_eq!(proposals(&group, None, &required), [Group(sha("g1"))]);
}

#[test]
fn what_was_looked_at_counts_for_what_follows() {
    let usual = crate::policy_of(None);
    let first = format!("08:00 push main c1\n09:00 push topic h2 from c1\n{OPENED}");
    // One commit changes the file and another restores it: only reading the file shows this.
    let unknown = format!("08:00 push main c1\n{OPENED}09:20 push topic t0 t1 policy from c1\n");
    let next = "09:30 push topic t2\n09:30 pull 2 synchronize as t2\n";
    assert_eq!(proposals(&first, Some(("h2", "main", true)), &usual), [], "it was looked at");
    assert_eq!(proposals(&first, Some(("t1", "main", false)), &usual), [], "its pushes tell");
    assert_eq!(proposals(&first, Some(("t1", "main", true)), &usual), [Pull(2)], "what was said is to be said anew");
    let followed = format!("{unknown}{next}");
    assert_eq!(proposals(&followed, None, &usual), [Pull(2)]);
    assert_eq!(proposals(&followed, Some(("t1", "main", false)), &usual), [], "it was clean, and no push changed it");
    assert_eq!(proposals(&followed, Some(("t1", "other", false)), &usual), [Pull(2)], "compared with another branch");
    assert_eq!(proposals(&followed, Some(("zz", "main", false)), &usual), [Pull(2)], "another head");
}

#[test]
fn a_commit_that_changes_the_file_does_so_for_every_pull_request() {
    let (mut facts, _) = known(OPENED);
    assert!(!head_changes(&facts, &sha("h2")));
    for (head, changes, expected) in [("h2", true, true), ("h2", false, false), ("zz", true, false)] {
        let pull = facts.items.get_mut(&2).and_then(|item| item.pull.as_mut()).unwrap();
        pull.policy = Some(PolicyInPull { head: sha(head), base: "main".into(), changes });
        assert_eq!(head_changes(&facts, &sha("h2")), expected);
    }
}

#[test]
fn only_an_unbroken_row_of_pushes_proves_that_nothing_was_touched() {
    let whole = "08:00 push main c1\n09:00 push topic a from c1\n09:01 push topic b\n09:02 push topic c\n";
    assert!(is_untouched(&known(whole).0, "topic", &sha("c")));
    assert!(!is_untouched(&known(whole).0, "other", &sha("c")));
    assert!(!is_untouched(&known(whole).0, "topic", &sha("d")));
    let touched = whole.replace("topic b", "topic b policy");
    assert!(!is_untouched(&known(&touched).0, "topic", &sha("c")));
    assert!(is_untouched(&known(&touched).0, "topic", &sha("a")));
}
