//! Events that must not change an item's phase: a renamed branch, a backport, text that an edit
//! removed, facts that were forgotten, a late status.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use phasebot_core::{
    domain::{
        effect::Effect,
        event::{CommitSeen, RepoSeen, Seen},
        fact::{DocumentKey, RepoFacts},
        id::{Account, AccountId},
        needs::{Answer, Answered, Need},
    },
    ingest::{self, Us},
    phase::{self, Shown},
};

use super::{
    forge::repo,
    script::read,
    shuffle::{Items, items_after},
};

fn phase(ending: &Items, item: u64) -> Option<&str> {
    ending.get(&item).and_then(|derived| derived.phase.as_deref())
}

const EDITED: &str = r#"
08:00 push main b0
09:00 pull 2 opened by bob head fix
10:00 pull 2 merged by alice as m1
10:00 push main m1
11:00 pull 3 opened by carol head again body "Reverts acme/shop#2"
11:05 pull 3 edited by carol body "Follows up on #2"
11:10 pull 3 merged by alice as m2
11:10 push main m2
"#;

#[test]
fn a_revert_that_was_edited_out_reverts_nothing() {
    let history = read(EDITED);
    let late = items_after(&history, &[0, 1, 2, 3, 5, 4, 6, 7]);
    assert_eq!(phase(&late, 2), Some("build"), "edit first");
    let straight = items_after(&history, &[0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(phase(&straight, 2), Some("build"), "as it happened");
}

const RENAMED: &str = r#"
08:00 push main b0
09:00 issue 1 opened by alice
09:10 pull 2 opened by bob head fix body "Fixes #1"
10:00 pull 2 merged by alice as m1
10:00 push main m1
10:00 issue 1 closed by alice
11:00 deploy 1 production of m1 in_progress
11:05 deploy 1 production success
12:00 repository edited
"#;

/// GitHub renames `main` to `trunk`: nothing that runs in production goes back to code.
#[test]
fn renaming_the_default_branch_moves_nothing() {
    let mut history = read(RENAMED);
    let count = history.events.len();
    let before = items_after(&history, &(0..count).collect::<Vec<_>>());
    assert!(matches!(phase(&before, 1), Some("operate" | "monitor")), "{:?}", before.get(&1));
    let last = history.events.last_mut().unwrap();
    last.repo.as_mut().unwrap().default_branch = Some("trunk".into());
    let after = items_after(&history, &(0..count).collect::<Vec<_>>());
    assert_eq!(phase(&after, 1), phase(&before, 1), "{:?}", after.get(&1));
}

const MOVED: &str = r"
08:00 push main b0
09:10 pull 2 opened by bob head fix
10:00 pull 2 merged by alice as m1
10:00 push main m1
11:00 deploy 1 staging of m1 waiting
11:05 deploy 1 staging success
";

/// A status may name another environment than its deployment; the status counts.
#[test]
fn a_status_that_moves_its_deployment_counts_in_any_order() {
    let mut history = read(MOVED);
    let last = history.events.last_mut().unwrap();
    let Seen::Deployment(seen) = &mut last.seen else { panic!() };
    seen.environment = "production".into();
    seen.production = Some(true);
    let late = items_after(&history, &[0, 1, 2, 3, 5, 4]);
    let straight = items_after(&history, &[0, 1, 2, 3, 4, 5]);
    assert_eq!(phase(&straight, 2), phase(&late, 2));
}

const BACKPORT: &str = r#"
08:00 push main b0
08:00 push release/1.x b0
09:00 issue 1 opened by alice
09:10 pull 2 opened by bob head fix body "Fixes #1"
10:00 pull 2 merged by alice as m1
10:00 push main m1
10:00 issue 1 closed by alice
11:00 deploy 1 production of m1 in_progress
11:05 deploy 1 production success
12:00 pull 3 opened by bob head backport base release/1.x body "Fixes #1"
12:10 pull 3 merged by alice as p1
12:10 push release/1.x p1
"#;

/// A backport to an unlisted branch leads to no environment; GitHub itself links no issue to it.
#[test]
fn a_merged_backport_does_not_take_an_issue_back_to_code() {
    let history = read(BACKPORT);
    let ending = items_after(&history, &(0..history.events.len()).collect::<Vec<_>>());
    assert_eq!(phase(&ending, 1), Some("monitor"), "{:?}", ending.get(&1).map(|d| &d.reason));
}

const DIRECT: &str = r#"
08:00 push main b0
09:00 issue 1 opened by alice
10:00 push main c1 "Let me log in\n\nFixes #1"
10:00 issue 1 closed by alice
11:00 deploy 1 production of c1 in_progress
11:05 deploy 1 production success
"#;

const STACKED: &str = r"
08:00 push main b0
09:10 pull 2 opened by bob head one base develop
10:00 pull 2 merged by alice as m1
10:00 push develop m1 from b0
10:10 push main m1
11:00 deploy 1 production of m1 in_progress
11:05 deploy 1 production success
";

/// Forgetting old pushes could change derivations: a year later, the next evaluation of the item
/// (after a comment or policy change) would move its label back.
#[test]
fn forgetting_moves_nothing() {
    let us = Us { bot: None };
    let policy = crate::policy_of(None);
    for (text, item) in [(DIRECT, 1), (STACKED, 2)] {
        let history = read(text);
        let mut facts = RepoFacts::new(repo().key);
        for event in &history.events {
            ingest::observe(&mut facts, event, &policy, &us);
        }
        let later = history.end + SignedDuration::from_hours(24 * 400);
        let before = phase::derive(&facts, item, &policy, later);
        assert_eq!(before.phase.as_deref(), Some("monitor"), "{:?}", before.reason);
        ingest::forget(&mut facts, later - SignedDuration::from_hours(24 * 365));
        let after = phase::derive(&facts, item, &policy, later);
        assert_eq!(after.phase, before.phase, "{:?}", after.reason);
    }
}

/// Only the parts of a comparison that decisions need are stored: messages are many and long.
#[test]
fn a_comparison_is_kept_without_messages() {
    let policy = crate::policy_of(None);
    let mut facts = RepoFacts::new(repo().key);
    let history = read("09:00 issue 1 opened by alice");
    ingest::observe(&mut facts, &history.events[0], &policy, &Us { bot: None });
    let commit = CommitSeen {
        sha: "c".repeat(40).parse().unwrap(),
        message: format!("Let me log in\n\nFixes #1\n{}", "x".repeat(10_000)),
        parents: Some(vec!["b".repeat(40).parse().unwrap()]),
    };
    let need = Need::Commits { base: None, head: commit.sha.clone() };
    let answer = Answer::Commits { merge_base: None, commits: vec![commit.clone()], complete: true };
    let answered = Answered { need: need.clone(), answer, at: history.end };
    ingest::learn(&mut facts, &answered, &policy);
    assert_eq!(facts.commits[&commit.sha].closes, [1], "what it says is a fact");
    let kept = serde_json::to_string(&facts.answers[&need]).unwrap();
    assert!(kept.len() < 400, "{} bytes: {kept}", kept.len());
}

/// A label that once showed a phase belongs to people afterwards, except on items where phasebot
/// added it to show one.
#[test]
fn a_former_phase_label_comes_off_only_where_we_put_it() {
    let policy = crate::policy_of(None);
    let history = read("09:00 issue 1 opened by alice labels enhancement");
    let mut facts = RepoFacts::new(repo().key);
    ingest::observe(&mut facts, &history.events[0], &policy, &Us { bot: None });
    let derived = phase::derive(&facts, 1, &policy, history.end);
    let labels_off = |put: &[&str]| {
        let shown = Shown {
            phase: None,
            ours: true,
            written: true,
            label: None,
            put: put.iter().map(|l| (*l).to_owned()).collect::<BTreeSet<_>>(),
        };
        match phase::decide(&facts, &derived, Some(&shown), &policy).effect {
            Some(Effect::SetPhase { phase_labels, .. }) => phase_labels,
            other => panic!("{other:?}"),
        }
    };
    assert!(!labels_off(&[]).contains("enhancement"));
    assert!(labels_off(&["enhancement"]).contains("enhancement"));
}

/// An item that has and had no phase receives no write, whatever labels people add.
#[test]
fn what_never_had_a_phase_is_left_alone() {
    let policy = crate::policy_of(None);
    for labels in ["", " labels phase/code"] {
        let history = read(&format!("09:00 issue 1 opened by alice{labels}"));
        let mut facts = RepoFacts::new(repo().key);
        ingest::observe(&mut facts, &history.events[0], &policy, &Us { bot: None });
        let mut derived = phase::derive(&facts, 1, &policy, history.end);
        derived.phase = None;
        assert_eq!(phase::decide(&facts, &derived, None, &policy).effect, None, "{labels}");
        // Nor if it becomes ours again, or can be written to again.
        for (ours, written) in [(true, true), (true, false), (false, true)] {
            let shown = Shown { phase: None, ours, written, label: None, put: BTreeSet::new() };
            assert_eq!(
                phase::decide(&facts, &derived, Some(&shown), &policy).effect,
                None,
                "{labels} {ours} {written}"
            );
        }
    }
}

/// Removing our label is retried after a failure, although the phase did not change since.
#[test]
fn a_removal_that_was_not_written_is_tried_again() {
    let policy = crate::policy_of(None);
    let history = read("09:00 issue 1 opened by alice labels phase/code");
    let mut facts = RepoFacts::new(repo().key);
    ingest::observe(&mut facts, &history.events[0], &policy, &Us { bot: None });
    let mut derived = phase::derive(&facts, 1, &policy, history.end);
    derived.phase = None;
    let shown = Shown { phase: None, ours: true, written: false, label: None, put: ["phase/code".to_owned()].into() };
    let effect = phase::decide(&facts, &derived, Some(&shown), &policy).effect;
    assert!(matches!(effect, Some(Effect::SetPhase { label: None, .. })), "{effect:?}");
}

/// A new name is stored; the same name causes no write.
#[test]
fn a_repository_is_noted_when_it_changes() {
    let us = Us { bot: None };
    let policy = crate::policy_of(None);
    let history = read("09:00 issue 1 opened by alice\n10:00 issue 1 edited by alice\n11:00 repository edited");
    let mut facts = RepoFacts::new(repo().key);
    let about = DocumentKey::About;
    let noted: Vec<bool> = (0..2)
        .map(|n| ingest::observe(&mut facts, &history.events[n], &policy, &us).changed.contains(&about))
        .collect();
    assert_eq!(noted, [true, false]);
    for change in
        [|repo: &mut RepoSeen| repo.full_name = "acme/store".into(), |repo: &mut RepoSeen| repo.owner = umbrella()]
    {
        let mut event = history.events[2].clone();
        change(event.repo.as_mut().unwrap());
        assert!(ingest::observe(&mut facts, &event, &policy, &us).changed.contains(&about), "{:?}", event.repo);
    }
}

fn umbrella() -> Account {
    Account { id: Some(AccountId(u64::MAX >> 1)), login: "umbrella".into() }
}
