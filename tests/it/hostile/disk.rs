//! A database that cannot be written for a while, tested with the whole program: unacknowledged
//! senders receive 503, and nothing is lost or done twice.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use phasebot::{
    port::store::Store,
    store::sqlite::{SqliteOptions, SqliteStore},
};
use phasebot_forge_sim::Delivery;
use tempfile::TempDir;

use crate::{
    alert::sent::{SETTINGS, bearer, send},
    flow::{Setup, World},
    webhook::house::Peer,
};

/// Creates a file, and a world that stores everything in it.
async fn world(options: SqliteOptions) -> (TempDir, World) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_with(&folder.path().join("phasebot.db"), &options).unwrap();
    let store: Option<Arc<dyn Store>> = Some(Arc::new(store));
    (folder, World::with(Setup { store, alerts: SETTINGS, ..Setup::default() }).await)
}

async fn get(world: &World, path: &str) -> u16 {
    let mut peer = Peer::to(world.address).await;
    peer.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).await;
    peer.answer().await.status
}

/// Advances the time until nothing is left to do. Work that failed because of the store is retried
/// in real time, which the simulated clock does not advance.
async fn drained(world: &World) {
    let drained = async {
        loop {
            world.run(SignedDuration::from_mins(5)).await;
            let stats = world.store.stats().await.unwrap();
            if (stats.pending, stats.queued_effects) == (0, [0; 3]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), drained).await.unwrap();
}

/// Sends again until all are acknowledged, as the forge's operator may do.
async fn acknowledged(world: &World, refused: &[Delivery]) {
    for delivery in refused {
        assert!(matches!(world.forge.send(delivery).await, 200 | 202));
    }
}

#[tokio::test]
async fn a_store_that_is_down_for_a_minute_loses_nothing() {
    let (folder, world) =
        world(SqliteOptions { busy_timeout: Duration::from_millis(20), ..SqliteOptions::default() }).await;
    let bob = world.person("bob");
    let before = bob.open_issue("Before", "", &[]).unwrap().made;
    world.minute().await;
    world.in_phase(before, "plan");
    // Accepted, but not processed before the store fails.
    world.bot.pause();
    let caught = bob.open_issue("Caught", "", &[]).unwrap().made;
    world.settle().await;

    let other = rusqlite::Connection::open(folder.path().join("phasebot.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let lost: Vec<u64> = (0..3).map(|n| bob.open_issue(&format!("Lost {n}"), "", &[]).unwrap().made).collect();
    let refused = world.forge.take_pending();
    for delivery in &refused {
        assert_eq!(world.forge.send(delivery).await, 503);
    }
    let alert = r#"{"alerts":[{"status":"firing","labels":{"alertname":"Down"},"startsAt":"2026-03-02T09:00:00Z"}]}"#;
    let (status, answer) = send(world.address, "prod", &bearer("s3cret"), alert).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (503, Some("store_unavailable")));
    assert_eq!(get(&world, "/healthz").await, 200, "the process itself is well");
    // The label of the accepted one may be written now, but its result cannot be stored.
    world.bot.resume();
    other.execute_batch("ROLLBACK").unwrap();

    acknowledged(&world, &refused).await;
    assert_eq!(send(world.address, "prod", &bearer("s3cret"), alert).await.0, 202);
    drained(&world).await;
    for issue in lost.iter().chain([&caught, &before]) {
        world.in_phase(*issue, "plan");
        assert_eq!(world.phase_changes(*issue).len(), 1, "#{issue} is labelled once");
    }
    world.check().await;
}

#[tokio::test]
async fn a_full_disk_is_a_503_until_there_is_room() {
    let (folder, world) = world(SqliteOptions { max_pages: Some(500), ..SqliteOptions::default() }).await;
    let other = rusqlite::Connection::open(folder.path().join("phasebot.db")).unwrap();
    other.execute_batch("CREATE TABLE filler (x); INSERT INTO filler VALUES (zeroblob(1000000));").unwrap();
    let bob = world.person("bob");
    let mut kept = Vec::new();
    let (issue, refused) = loop {
        let seed = u32::try_from(kept.len()).unwrap();
        assert!(seed < 100, "the disk has no end");
        let opened = bob.open_issue("Cart", &noise(seed), &[]).unwrap();
        let (issue, delivery) = (opened.made, opened.deliveries[0].clone());
        match world.forge.send(&delivery).await {
            202 => kept.push(issue),
            503 => break (issue, delivery),
            other => panic!("{other}"),
        }
    };
    assert!(kept.len() > 3, "{}", kept.len());
    assert_eq!(world.forge.send(&refused).await, 503, "and again");
    assert_eq!(get(&world, "/healthz").await, 200);

    // After space is freed, acknowledged work is done, and refused deliveries are accepted.
    other.execute_batch("DROP TABLE filler").unwrap();
    acknowledged(&world, &[refused]).await;
    kept.push(issue);
    drained(&world).await;
    for issue in kept {
        world.in_phase(issue, "plan");
        assert_eq!(world.phase_changes(issue).len(), 1, "#{issue} is labelled once");
    }
    world.check().await;
}

/// Returns a text that compresses badly.
fn noise(seed: u32) -> String {
    let mut state = seed;
    let next = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'!' + u8::try_from(state >> 25).unwrap() % 90)
    });
    next.take(30_000).collect()
}
