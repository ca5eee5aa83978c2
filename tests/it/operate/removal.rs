//! A repository is taken from the App.

use phasebot::{
    app::{BotSettings, OnRemoval},
    port::store::{DeliveryFilter, DeliveryState},
};

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
    let key = phasebot::domain::id::RepoKey { forge: phasebot::domain::id::ForgeName::github(), id };
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
    // A redelivery is known, and brings nothing back.
    for delivery in world.forge.deliveries().into_iter().filter(|delivery| delivery.event == "issues") {
        assert_eq!(world.forge.send(&delivery).await, 200);
    }
}
