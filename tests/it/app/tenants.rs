//! Installations that the bot acts for: its own map decides, never a payload alone.

use jiff::SignedDuration;
use phasebot::{
    domain::{
        event::{ConnectionSeen, RepositoryChange, Seen},
        id::ConnectionId,
    },
    port::{
        forge::{Applied, ForgeError},
        store::{EffectState, Store},
    },
};

use super::{INSTALLATION, World, event, issue, repo};

async fn place(world: &World, id: u64) -> phasebot::port::store::RepositoryRow {
    world.store.repository(&repo(id)).await.unwrap().unwrap()
}

async fn named_another(says: Result<Option<ConnectionId>, ForgeError>) -> World {
    let world = World::new();
    world.take_in(&issue("a", 1, 1)).await;
    world.bot.idle().await;
    *world.forge.installation.lock().unwrap() = says;
    let mut wrong = issue("b", 1, 2);
    wrong.connection = Some(666);
    let seq = world.take_in(&wrong).await;
    world.bot.idle().await;
    assert!(world.delivery(seq).await.note.contains("the payload names installation 666"));
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_moves_no_repository_to_another_tenant() {
    for says in [Ok(Some(INSTALLATION)), Err(ForgeError::Transient("502".to_owned()))] {
        let world = named_another(says).await;
        assert_eq!(place(&world, 1).await.installation, Some(INSTALLATION));
        let sent = world.forge.sent();
        assert_eq!(sent.len(), 2);
        assert!(sent.iter().all(|s| s.target.installation == INSTALLATION));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_forge_can_move_it() {
    let world = named_another(Ok(Some(8))).await;
    assert_eq!(place(&world, 1).await.installation, Some(8));
    assert_eq!(world.forge.sent()[1].target.installation, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_none_serves_gets_no_writes() {
    let world = named_another(Ok(None)).await;
    assert!(!place(&world, 1).await.active);
    assert_eq!(world.forge.sent().len(), 1);
}

fn installation(name: &str, seen: ConnectionSeen) -> phasebot::domain::event::Event {
    let mut event = event(name, 1, Seen::Connection(seen));
    event.repo = None;
    event
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn installing_writes_nothing_and_uninstalling_drops_what_waits() {
    let world = World::new();
    let added = vec![(repo(1), "acme/shop-1".to_owned()), (repo(2), "acme/shop-2".to_owned())];
    let come = ConnectionSeen { active: true, added, removed: Vec::new() };
    let seq = world.take_in(&installation("come", come)).await;
    world.bot.idle().await;
    assert!(world.delivery(seq).await.note.contains("2 repositories changed"));
    assert!(place(&world, 2).await.active);
    assert!(world.forge.sent().is_empty());

    world.bot.pause();
    world.take_in(&issue("a", 1, 1)).await;
    world.take_in(&issue("b", 2, 2)).await;
    world.bot.idle().await;
    let gone = ConnectionSeen { active: false, added: Vec::new(), removed: Vec::new() };
    world.take_in(&installation("gone", gone)).await;
    world.bot.idle().await;
    assert!(!place(&world, 1).await.active && !place(&world, 2).await.active);
    world.bot.resume();
    world.bot.idle().await;
    assert!(world.forge.sent().is_empty());
    assert_eq!(world.effect("phase/1").await.state, EffectState::Dropped);

    // Installed again under another id: events of the repository count again.
    let added = vec![(repo(1), "acme/shop-1".to_owned())];
    let mut again = installation("again", ConnectionSeen { active: true, added, removed: Vec::new() });
    again.connection = Some(8);
    world.take_in(&again).await;
    world.bot.idle().await;
    assert_eq!(place(&world, 1).await.installation, Some(8));
    assert!(place(&world, 1).await.active);
}

/// Sends an event about the whole installation.
async fn whole(world: &World, name: &str, active: bool) {
    let seen = ConnectionSeen { active, added: Vec::new(), removed: Vec::new() };
    world.take_in(&installation(name, seen)).await;
    world.bot.idle().await;
}

/// Creates four repositories: the first is served, the second archived, the third removed from the
/// App, and the fourth deleted.
async fn one_of_four_is_served() -> World {
    let world = World::new();
    let added = (1..=4).map(|id| (repo(id), format!("acme/shop-{id}"))).collect();
    let gone = ConnectionSeen { active: true, added: Vec::new(), removed: vec![repo(3)] };
    for event in [
        installation("come", ConnectionSeen { active: true, added, removed: Vec::new() }),
        event("archived", 2, Seen::Repository(RepositoryChange::Archived)),
        installation("gone", gone),
        event("deleted", 4, Seen::Repository(RepositoryChange::Deleted)),
    ] {
        world.take_in(&event).await;
        world.bot.idle().await;
    }
    assert_eq!(served(&world).await, [1]);
    world
}

async fn served(world: &World) -> Vec<u64> {
    let rows = world.store.repositories(&repo(1).forge, INSTALLATION).await.unwrap();
    let mut served: Vec<u64> = rows.into_iter().filter(|row| row.active).map(|row| row.repo.id).collect();
    served.sort_unstable();
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepted_permissions_bring_nothing_back() {
    let world = one_of_four_is_served().await;
    whole(&world, "new_permissions_accepted", true).await;
    assert_eq!(served(&world).await, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_suspension_brings_back_what_it_took() {
    let world = one_of_four_is_served().await;
    for round in 0..2 {
        // Reported twice, also in other events; one repository is added and another removed in
        // between.
        whole(&world, &format!("suspend-{round}"), false).await;
        whole(&world, &format!("suspend-again-{round}"), false).await;
        let added = vec![(repo(5), "acme/shop-5".to_owned()), (repo(6), "acme/shop-6".to_owned())];
        let come = ConnectionSeen { active: false, added, removed: Vec::new() };
        world.take_in(&installation(&format!("come-{round}"), come)).await;
        world.bot.idle().await;
        let gone = ConnectionSeen { active: false, added: Vec::new(), removed: vec![repo(6)] };
        world.take_in(&installation(&format!("gone-{round}"), gone)).await;
        world.bot.idle().await;
        assert_eq!(served(&world).await, Vec::<u64>::new());
        whole(&world, &format!("unsuspend-{round}"), true).await;
        assert_eq!(served(&world).await, [1, 5]);
    }
    // The end of a suspension that did not exist adds nothing.
    world.take_in(&event("archived-5", 5, Seen::Repository(RepositoryChange::Archived))).await;
    world.bot.idle().await;
    whole(&world, "accepted", true).await;
    assert_eq!(served(&world).await, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_or_archived_repository_gets_no_writes() {
    for change in [RepositoryChange::Deleted, RepositoryChange::Archived] {
        let world = World::new();
        world.take_in(&event("gone", 1, Seen::Repository(change))).await;
        world.take_in(&issue("a", 1, 1)).await;
        world.bot.idle().await;
        assert!(world.forge.sent().is_empty());
        world.take_in(&event("back", 1, Seen::Repository(RepositoryChange::Unarchived))).await;
        world.take_in(&issue("b", 1, 1)).await;
        world.bot.idle().await;
        assert_eq!(world.forge.sent().len(), 1);
    }
}

/// For an archived repository, the forge names the installation as for any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_event_from_before_it_was_archived_opens_nothing() {
    let world = World::new();
    *world.forge.installation.lock().unwrap() = Ok(Some(INSTALLATION));
    let mut archived = event("archived", 1, Seen::Repository(RepositoryChange::Archived));
    archived.at += SignedDuration::from_mins(1);
    world.take_in(&archived).await;
    world.take_in(&issue("late", 1, 1)).await;
    world.bot.idle().await;
    assert!(!place(&world, 1).await.active && world.forge.sent().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_name_comes_from_the_event_or_from_a_redirect() {
    let world = World::new();
    world.take_in(&issue("a", 1, 1)).await;
    world.bot.idle().await;
    let mut renamed = event("renamed", 1, Seen::Repository(RepositoryChange::Described));
    renamed.repo.as_mut().unwrap().full_name = "acme/store".to_owned();
    world.take_in(&renamed).await;
    world.bot.idle().await;
    assert_eq!(place(&world, 1).await.full_name, "acme/store");

    world.forge.apply_with(|_, _, _| Ok(Applied { renamed_to: Some("acme/bazaar".to_owned()), ..Applied::default() }));
    world.take_in(&issue("b", 1, 2)).await;
    world.bot.idle().await;
    assert_eq!(world.forge.sent()[1].target.full_name, "acme/store");
    assert_eq!(place(&world, 1).await.full_name, "acme/bazaar");
}
