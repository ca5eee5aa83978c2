//! A repository is removed from the App.

use phasebot::{
    app::{BotSettings, OnRemoval},
    domain::id::{ForgeName, RepoKey},
    port::{
        clock::Clock,
        store::{DeliveryFilter, DeliveryState},
    },
};
use phasebot_forge_sim::{Fault, FaultKind, Matcher};

use crate::flow::{REPO, Setup, World};

async fn removed(on_removal: OnRemoval) -> (World, usize) {
    let world =
        World::with(Setup { bot: Some(BotSettings { on_removal, ..BotSettings::default() }), ..Setup::default() })
            .await;
    world.person("bob").open_issue("Cart", "", &[]).unwrap();
    world.minute().await;
    let id = world.person("bob").repo();
    world.forge.change_installation(world.installation, "alice", &[], &[REPO]).unwrap();
    world.minute().await;
    let key = RepoKey { forge: ForgeName::github(), id };
    assert!(!world.store.repository(&key).await.unwrap().unwrap().active);
    let facts = world.store.facts(&key).await.unwrap().len() + world.store.items(&key).await.unwrap().len();
    (world, facts)
}

#[tokio::test]
async fn what_is_kept_of_it_stays_unless_the_setting_says_otherwise() {
    let (_, facts) = removed(OnRemoval::Keep).await;
    assert!(facts > 0);
}

#[tokio::test]
async fn what_is_kept_of_it_is_deleted_if_the_setting_says_so() {
    let (world, facts) = removed(OnRemoval::Delete).await;
    assert_eq!(facts, 0);
    let done = DeliveryFilter { event: Some("issues".to_owned()), ..DeliveryFilter::default() };
    for row in world.store.deliveries(&done).await.unwrap() {
        assert_eq!(row.state, DeliveryState::Done);
        assert_eq!(world.store.delivery(row.seq).await.unwrap().unwrap().body.as_ref(), b"{}");
    }
    // A redelivery is recognised, and restores nothing.
    for delivery in world.forge.deliveries().into_iter().filter(|delivery| delivery.event == "issues") {
        assert_eq!(world.forge.send(&delivery).await, 200);
    }
}

/// Removed and added again, with the events in reverse order: nothing is deleted.
async fn late(on_removal: OnRemoval) {
    let world =
        World::with(Setup { bot: Some(BotSettings { on_removal, ..BotSettings::default() }), ..Setup::default() })
            .await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    world.forge.change_installation(world.installation, "alice", &[], &[REPO]).unwrap();
    let mut late = world.forge.take_pending();
    world.forge.change_installation(world.installation, "alice", &[REPO], &[]).unwrap();
    world.minute().await;
    let mut suspended = late[0].clone();
    suspended.guid = format!("{}-suspended", suspended.guid);
    "installation".clone_into(&mut suspended.event);
    suspended.action = Some("suspend".to_owned());
    suspended.payload["action"] = "suspend".into();
    suspended.payload["installation"]["suspended_at"] = world.clock.now().to_string().into();
    late.push(suspended);
    for delivery in &late {
        assert_eq!(world.forge.send(delivery).await, 202);
        world.minute().await;
        let key = RepoKey { forge: ForgeName::github(), id: bob.repo() };
        assert!(world.store.repository(&key).await.unwrap().unwrap().active, "{:?}", delivery.action);
        assert!(!world.store.facts(&key).await.unwrap().is_empty());
    }
    world.in_phase(issue, "plan");
    bob.close(issue, "not_planned").unwrap();
    world.minute().await;
    world.in_phase(issue, "");
    world.check().await;
}

#[tokio::test]
async fn a_removal_that_is_heard_of_late_takes_nothing_away() {
    late(OnRemoval::Keep).await;
}

#[tokio::test]
async fn a_removal_that_is_heard_of_late_deletes_nothing() {
    late(OnRemoval::Delete).await;
}

#[tokio::test]
async fn nothing_is_deleted_before_the_forge_says_so() {
    let on_removal = OnRemoval::Delete;
    let world =
        World::with(Setup { bot: Some(BotSettings { on_removal, ..BotSettings::default() }), ..Setup::default() })
            .await;
    let bob = world.person("bob");
    bob.open_issue("Cart", "", &[]).unwrap();
    world.minute().await;
    let key = RepoKey { forge: ForgeName::github(), id: bob.repo() };
    for route in ["/repos/{owner}/{repo}/installation", "/app/installations"] {
        let matcher = Matcher::of("GET", route);
        world.forge.inject(Fault { matcher, kind: FaultKind::Status502Before }, 100_000);
    }
    world.forge.uninstall(world.installation, "alice").unwrap();
    world.forge.deliver_pending().await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!world.store.facts(&key).await.unwrap().is_empty());
    world.forge.clear_faults();
    world.minute().await;
    assert!(world.store.facts(&key).await.unwrap().is_empty());
    assert!(!world.store.repository(&key).await.unwrap().unwrap().active);
}
