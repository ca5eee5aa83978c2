//! Preview of a proposed policy's changes, from recorded facts alone.

use jiff::Timestamp;
use phasebot_core::{
    domain::{
        event::{Association, Event, ItemChange, ItemSeen, RepoSeen, Seen},
        fact::RepoFacts,
        id::{Account, AccountId, Actor, ForgeName, ItemId, RepoKey},
        policy::Policy,
    },
    engine::preview::{Preview, preview},
    ingest::{self, Us},
};

use crate::{
    policy_of,
    scenario::{forge::repo, script::read},
};

fn start() -> Timestamp {
    "2026-03-02T10:00:00Z".parse().unwrap()
}

fn key() -> RepoKey {
    RepoKey { forge: ForgeName::github(), id: 1 }
}

pub fn issue(number: ItemId, open: bool, labels: &[&str]) -> Event {
    let ada = Actor { id: Some(AccountId(1)), login: "ada".to_owned(), bot: false };
    let item = ItemSeen {
        number,
        is_pull: false,
        title: "A wish".to_owned(),
        body: String::new(),
        author: Some(ada.clone()),
        association: Association::Owner,
        created_at: start(),
        updated_at: start(),
        open,
        closed_at: (!open).then(start),
        close_reason: None,
        labels: Some(labels.iter().map(|label| (*label).to_owned()).collect()),
        locked: false,
        change: ItemChange::Opened,
    };
    Event {
        name: "issues.opened".to_owned(),
        connection: Some(1),
        repo: Some(RepoSeen {
            key: key(),
            full_name: "acme/shop".to_owned(),
            default_branch: Some("main".to_owned()),
            owner: Account::login_only("acme"),
            private: None,
            web_host: Some("github.com".into()),
        }),
        sender: Some(ada),
        at: start(),
        seen: Seen::Issue(Box::new(item)),
    }
}

pub fn facts(events: impl IntoIterator<Item = Event>) -> RepoFacts {
    let mut facts = RepoFacts::new(key());
    for event in events {
        ingest::observe(&mut facts, &event, &policy_of(None), &Us::default());
    }
    facts
}

/// Returns the preview, with every item shown as the built-in policy has it.
fn under(facts: &RepoFacts, proposed: &Policy) -> Preview {
    preview(facts, |_| None, &policy_of(None), proposed, start(), || true)
}

#[test]
fn the_same_policy_changes_nothing() {
    let facts = facts((1..=5).map(|n| issue(n, true, &[])));
    assert_eq!(under(&facts, &policy_of(None)), Preview { open: 5, looked_at: 5, ..Preview::default() });
}

#[test]
fn a_renamed_label_shows_on_every_open_item() {
    let facts = facts((1..=30).map(|n| issue(n, n != 7, &[])));
    let proposed = policy_of(Some("phases: [{ name: plan, label: todo }]"));
    let preview = under(&facts, &proposed);
    assert_eq!((preview.open, preview.changed, preview.first.len()), (29, 29, 20));
    let first = &preview.first[0];
    assert_eq!(first.item, 30, "newest first");
    assert_eq!((first.now.as_deref(), first.then.as_deref()), (Some("phase/plan"), Some("todo")));
    assert_eq!(first.why, "the issue is open");
    assert!(preview.first.iter().all(|row| row.item != 7), "closed");
}

#[test]
fn case_alone_is_no_other_label() {
    let facts = facts([issue(1, true, &[])]);
    let proposed = policy_of(Some("phases: [{ name: PLAN, label: Phase/PLAN }]"));
    assert_eq!(under(&facts, &proposed).changed, 0);
}

#[test]
fn a_phase_that_goes_leaves_no_label() {
    let facts = facts([issue(1, true, &[])]);
    let proposed = policy_of(Some("phases: [{ name: code }]"));
    let preview = under(&facts, &proposed);
    assert_eq!((preview.changed, preview.first[0].then.clone()), (1, None));
}

#[test]
fn what_the_proposed_policy_ignores_keeps_its_label() {
    let facts = facts([issue(1, true, &["wontfix"]), issue(2, true, &[])]);
    let proposed = policy_of(Some("ignore: { labels: [wontfix] }\nphases: [{ name: plan, label: todo }]"));
    let preview = under(&facts, &proposed);
    assert_eq!(preview.first.iter().map(|row| row.item).collect::<Vec<_>>(), [2]);
}

#[test]
fn what_is_shown_counts_not_what_would_be_derived_now() {
    let facts = facts([issue(1, true, &[])]);
    let shown = |_| Some(None);
    let preview = preview(&facts, shown, &policy_of(None), &policy_of(None), start(), || true);
    assert_eq!((preview.changed, preview.first[0].now.clone()), (1, None));
}

#[test]
fn only_the_newest_of_very_many_are_looked_at() {
    let facts = facts((1..=2100).map(|n| issue(n, true, &[])));
    let preview = under(&facts, &policy_of(Some("phases: [{ name: plan, label: todo }]")));
    assert_eq!((preview.open, preview.looked_at, preview.changed), (2100, 2000, 2000));
}

#[test]
fn a_preview_ends_between_two_slices_once_its_time_is_up() {
    let facts = facts((1..=200).map(|n| issue(n, true, &[])));
    let proposed = policy_of(Some("phases: [{ name: plan, label: todo }]"));
    let mut slices = 0;
    let goes_on = || {
        slices += 1;
        slices <= 2
    };
    let preview = preview(&facts, |_| None, &policy_of(None), &proposed, start(), goes_on);
    assert_eq!((preview.open, preview.looked_at, preview.changed, preview.out_of_time), (200, 100, 100, true));
    assert_eq!(preview.first[0].item, 200, "the newest were looked at");
}

#[test]
fn a_proposal_that_gives_files_to_another_service_shows_what_moves() {
    let history = read(
        "08:00 push main b0\n08:01 issue 1 opened by ann\n08:02 pull 2 opened by ann head web body \"Fixes #1\"\n\
         08:03 pull 2 merged by ann as m2\n08:03 push main m2 touches web/a\n08:10 tag api-v1.0.0 at m2\n",
    );
    let current = policy_of(Some("services: { web: { paths: 'web/**' }, api: { paths: 'api/**', tags: 'api-v*' } }"));
    let proposed = policy_of(Some("services: { web: { paths: 'www/**' }, api: { paths: '**', tags: 'api-v*' } }"));
    let mut facts = RepoFacts::new(repo().key);
    for event in &history.events {
        ingest::observe(&mut facts, event, &current, &Us::default());
    }
    let preview = preview(&facts, |_| None, &current, &proposed, history.end, || true);
    let moved: Vec<_> = preview.first.iter().map(|row| (row.item, row.now.as_deref(), row.then.as_deref())).collect();
    assert_eq!(moved, [(1, Some("phase/build"), Some("phase/release"))]);
}
