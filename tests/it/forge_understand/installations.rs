//! Installations, repositories, labels, and unused events.

use phasebot::domain::event::{ConnectionSeen, RepoSeen, RepositoryChange, Seen};
use serde_json::{Value, json};

use super::fixture::{fixture, key, person, received_at, shop, time};

fn named(id: u64, name: &str) -> (phasebot::domain::id::RepoKey, String) {
    (key(id), name.to_owned())
}

#[test]
fn the_app_is_installed() {
    let event = fixture("installation.created").event();
    assert_eq!(event.name, "installation.created");
    assert_eq!(event.connection, Some(99));
    assert_eq!(event.repo, None);
    assert_eq!(event.sender, Some(person("alice")));
    assert_eq!(event.at, time("2026-11-01T09:00:00Z"));
    let added = vec![named(4711, "acme/shop"), named(4712, "acme/warehouse")];
    assert_eq!(event.seen, Seen::Connection(ConnectionSeen { active: true, added, removed: vec![] }));
}

#[test]
fn the_app_is_removed() {
    let deleted = fixture("installation.created").with("/action", "deleted");
    let removed = vec![key(4711), key(4712)];
    assert_eq!(deleted.seen(), Seen::Connection(ConnectionSeen { active: false, added: vec![], removed }));
    assert_eq!(deleted.event().at, received_at());
}

#[test]
fn a_suspension_comes_and_goes() {
    let suspended = fixture("installation.suspend");
    let inactive = ConnectionSeen { active: false, added: vec![], removed: vec![] };
    assert_eq!(suspended.seen(), Seen::Connection(inactive.clone()));
    assert_eq!(suspended.event().at, time("2026-11-04T08:00:00Z"));
    let active = ConnectionSeen { active: true, ..inactive.clone() };
    assert_eq!(suspended.clone().with("/action", "unsuspend").seen(), Seen::Connection(active.clone()));
    let accepted = suspended.with("/action", "new_permissions_accepted");
    assert_eq!(accepted.seen(), Seen::Connection(inactive));
    assert_eq!(accepted.with("/installation/suspended_at", Value::Null).seen(), Seen::Connection(active));
}

#[test]
fn an_unknown_change_to_an_installation_changes_nothing() {
    let unknown = fixture("installation.created").with("/action", "merged");
    assert_eq!(unknown.reason(), "this change to the installation is not used");
    let anonymous = fixture("installation.created").without("/installation/id");
    assert_eq!(anonymous.reason(), "installation payload without installation.id");
}

#[test]
fn repositories_join_and_leave() {
    let added = vec![named(4713, "acme/site")];
    let expected = ConnectionSeen { active: true, added, removed: vec![key(4712)] };
    assert_eq!(fixture("installation_repositories.added").seen(), Seen::Connection(expected));
    let odd = json!([1, null, {"id": 5}, {"id": 6, "full_name": "a/b/c"}, {"id": 7, "full_name": "a/b"}]);
    let odd = fixture("installation_repositories.added").with("/repositories_added", odd);
    let Seen::Connection(seen) = odd.seen() else { panic!("an installation") };
    assert_eq!(seen.added, vec![named(7, "a/b")]);
}

#[test]
fn a_repository_changes() {
    let renamed = fixture("repository.renamed");
    assert_eq!(renamed.event().repo, Some(RepoSeen { full_name: "acme/store".to_owned(), ..shop() }));
    assert_eq!(renamed.event().at, time("2026-11-02T09:59:00Z"));
    for (action, change) in [
        ("renamed", RepositoryChange::Described),
        ("transferred", RepositoryChange::Described),
        ("publicized", RepositoryChange::Described),
        ("a new one", RepositoryChange::Described),
        ("archived", RepositoryChange::Archived),
        ("unarchived", RepositoryChange::Unarchived),
        ("deleted", RepositoryChange::Deleted),
    ] {
        assert_eq!(renamed.clone().with("/action", action).seen(), Seen::Repository(change));
    }
}

#[test]
fn a_label_is_renamed_or_deleted() {
    let label = |gone: Option<&str>| Seen::Label { name: "phase/planning".to_owned(), gone: gone.map(str::to_owned) };
    let edited = fixture("label.edited");
    assert_eq!(edited.seen(), label(Some("phase/plan")));
    assert_eq!(edited.event().at, received_at());
    assert_eq!(edited.clone().with("/changes", json!({"color": {"from": "000000"}})).seen(), label(None));
    assert_eq!(edited.clone().with("/action", "created").seen(), label(None));
    assert_eq!(edited.with("/action", "deleted").seen(), label(Some("phase/planning")));
}

#[test]
fn what_we_do_not_use_says_why() {
    assert_eq!(fixture("ping").reason(), "ping");
    let team = fixture("team.created");
    assert_eq!(team.reason(), "event `team` is not used");
    assert_eq!(team.event().name, "team.created");
    assert_eq!(team.event().repo, None);
}
