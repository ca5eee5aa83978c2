//! Leases that replicas divide among themselves.

use phasebot::{
    domain::{id::ForgeName, timer::TimerKey},
    port::store::{Commit, DeliveryState, EffectEnd, Lease, LeaseKey, NewDelivery, Partition, Store, StoreError},
    store::{Migration, OpenError, open_with},
};

use crate::{
    store::{
        Database,
        given::{accept, at, delivery, due_keys, fact, labels, once, queue, repo, state},
    },
    support::postgres::PostgresDatabase,
};

/// Expires every lease.
async fn time_passes(database: &PostgresDatabase) {
    database.execute("UPDATE lease SET until = now() - INTERVAL '1 second'").await;
}

fn partition(id: u64) -> Partition {
    Partition { forge: ForgeName::github(), repo: Some(id) }
}

async fn take(store: &dyn Store, id: u64) -> Option<Lease> {
    store.lease(&[LeaseKey::of(&repo(id))]).await.unwrap().pop()
}

fn learn(under: Vec<Lease>, key: &str) -> Commit {
    Commit { under, repo: Some(repo(1)), now: Some(at(1)), facts: vec![fact(key, "{}")], ..Commit::default() }
}

fn is_lost<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::LeaseLost(_)))
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn one_replica_at_a_time_has_a_lease() {
    let database = PostgresDatabase::new().await;
    let (one, other) = (database.open().await, database.open().await);
    let first = take(&*one, 1).await.unwrap();
    assert!(take(&*other, 1).await.is_none());
    assert_eq!(take(&*one, 1).await.as_ref(), Some(&first), "prolonged under its epoch");
    assert!(take(&*other, 2).await.is_some(), "another repository is free");
    time_passes(&database).await;
    let second = take(&*other, 1).await.unwrap();
    assert!(second.epoch > first.epoch);
    assert!(take(&*one, 1).await.is_none());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn what_was_reached_under_a_lost_lease_is_not_kept() {
    let database = PostgresDatabase::new().await;
    let (zombie, other) = (database.open().await, database.open().await);
    let seq = accept(&*zombie, delivery("a")).await;
    let old = take(&*zombie, 1).await.unwrap();
    queue(&*zombie, at(1), vec![once("hello", labels(1, "x"))]).await;
    let effect = zombie.due_effects(at(1), 10).await.unwrap().remove(0);
    time_passes(&database).await;
    // No other replica has taken it yet: a late commit is still valid.
    zombie.commit(learn(vec![old.clone()], "late")).await.unwrap();

    let new = take(&*other, 1).await.unwrap();
    let mut decision = learn(vec![old.clone()], "void");
    decision.deliveries = vec![(seq, DeliveryState::Done, String::new())];
    assert!(is_lost(&zombie.commit(decision.clone()).await));
    assert_eq!(state(&*other, seq).await, DeliveryState::Pending);
    assert!(is_lost(&zombie.mark_sending(effect.id, effect.version, std::slice::from_ref(&old)).await));
    let end = EffectEnd::Done { note: String::new(), at: at(2) };
    let facts = vec![fact("void", "{}")];
    assert!(is_lost(&zombie.finish_effect(effect.id, effect.version, end, &repo(1), facts, &[old]).await));
    assert_eq!(other.facts(&repo(1)).await.unwrap(), [fact("late", "{}")]);

    decision.under = vec![new];
    other.commit(decision).await.unwrap();
    assert_eq!(state(&*other, seq).await, DeliveryState::Done);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn facts_written_without_a_lease_void_what_was_read() {
    let database = PostgresDatabase::new().await;
    let (one, other) = (database.open().await, database.open().await);
    let lease = take(&*one, 1).await.unwrap();
    other.commit(learn(vec![], "a")).await.unwrap();
    assert!(is_lost(&one.commit(learn(vec![lease.clone()], "b")).await));
    let again = take(&*one, 1).await.unwrap();
    assert!(again.epoch > lease.epoch);
    one.commit(learn(vec![again.clone()], "b")).await.unwrap();
    // Replicas keep no timers in memory, so changing them invalidates no lease.
    let timers = vec![(TimerKey::Item(1), Some(at(5)))];
    other.commit(Commit { repo: Some(repo(1)), timers, ..Commit::default() }).await.unwrap();
    one.commit(learn(vec![again], "c")).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn a_repository_that_was_erased_is_void_for_others_only() {
    let database = PostgresDatabase::new().await;
    let (one, other) = (database.open().await, database.open().await);
    let lease = take(&*one, 1).await.unwrap();
    one.erase(&repo(1), 9, "removed").await.unwrap();
    one.commit(learn(vec![lease.clone()], "a")).await.unwrap();
    other.erase(&repo(1), 9, "removed").await.unwrap();
    assert!(is_lost(&one.commit(learn(vec![lease], "b")).await));
    assert_eq!(one.facts(&repo(1)).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn a_lease_can_be_seized_and_given_back() {
    let database = PostgresDatabase::new().await;
    let (one, other) = (database.open().await, database.open().await);
    let lease = take(&*one, 1).await.unwrap();
    let seized = other.seize(&[LeaseKey::of(&repo(1)), LeaseKey::of(&repo(2))]).await.unwrap();
    assert_eq!(seized.len(), 2);
    assert!(is_lost(&one.commit(learn(vec![lease], "a")).await));
    other.give_back(Some(&[LeaseKey::of(&repo(1))])).await.unwrap();
    assert!(take(&*one, 1).await.is_some());
    assert!(take(&*one, 2).await.is_none());
    other.give_back(None).await.unwrap();
    assert!(take(&*one, 2).await.is_some());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn work_is_claimed_by_repositories_and_read_in_order() {
    let database = PostgresDatabase::new().await;
    let (one, other) = (database.open().await, database.open().await);
    let mut seqs = Vec::new();
    for (n, repository) in [Some(1), Some(2), None, Some(1), Some(3)].into_iter().enumerate() {
        let new = NewDelivery { repo: repository, ..delivery(&n.to_string()) };
        seqs.push(accept(&*one, new).await);
    }
    assert_eq!(one.claim(2).await.unwrap().len(), 2);
    assert_eq!(other.claim(10).await.unwrap().len(), 2, "the other two");
    assert!(one.claim(10).await.unwrap().is_empty());
    let of = [partition(1), partition(3)];
    let waiting = one.claimed(&of, 0, 10).await.unwrap();
    assert_eq!(waiting.iter().map(|pending| pending.seq).collect::<Vec<_>>(), [seqs[0], seqs[3], seqs[4]]);
    assert_eq!(one.claimed(&of, seqs[0], 1).await.unwrap()[0].seq, seqs[3]);
    time_passes(&database).await;
    assert_eq!(one.claim(3).await.unwrap().len(), 3);
    assert_eq!(other.claim(3).await.unwrap().len(), 1);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn timers_and_effects_of_others_are_left_to_them() {
    let database = PostgresDatabase::new().await;
    let (one, other) = (database.open().await, database.open().await);
    queue(&*one, at(1), vec![once("hello", labels(1, "x"))]).await;
    one.commit(Commit { repo: Some(repo(1)), timers: vec![(TimerKey::Item(1), Some(at(1)))], ..Commit::default() })
        .await
        .unwrap();
    assert_eq!(other.due_timers(at(1), 9).await.unwrap().len(), 1);
    take(&*one, 1).await.unwrap();
    for (store, sees) in [(&one, 1), (&other, 0)] {
        assert_eq!(store.due_timers(at(1), 9).await.unwrap().len(), sees);
        assert_eq!(due_keys(&**store, at(1), 9).await.len(), sees);
    }
    one.give_back(None).await.unwrap();
    one.lease(&[LeaseKey::Installation(ForgeName::github(), 10)]).await.unwrap();
    assert_eq!(due_keys(&*other, at(1), 9).await.len(), 0, "another writes for this installation");
    assert_eq!(other.due_timers(at(1), 9).await.unwrap().len(), 1);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn what_an_installation_used_is_known_to_all() {
    let database = PostgresDatabase::new().await;
    let (one, other) = (database.open().await, database.open().await);
    let github = ForgeName::github();
    assert_eq!(other.budget(&github, 7).await, Ok(None));
    one.keep_budget(&github, 7, Some("{}".to_owned()), at(9)).await.unwrap();
    other.keep_budget(&github, 7, None, at(4)).await.unwrap();
    let budget = other.budget(&github, 7).await.unwrap().unwrap();
    assert_eq!((budget.spent.as_str(), budget.parked_until), ("{}", at(9)), "parking never goes back");
}

/// A value that will never fit is not a transient error, which would be retried forever.
#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn a_key_beyond_a_limit_makes_no_sense() {
    let database = PostgresDatabase::new().await;
    let store = database.open().await;
    // Does not compress below the limit.
    let letter = |n: u64| char::from(b'a' + (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60) as u8);
    let key: String = (0..100_000).map(|n| letter(n * n)).collect();
    let refused = store.commit(learn(vec![], &key)).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn replicas_that_start_together_migrate_once() {
    let database = PostgresDatabase::new().await;
    let opened = futures_util::future::join_all((0..6).map(|_| database.open())).await;
    for store in &opened {
        assert_eq!(store.ping().await, Ok(()));
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn a_replica_decides_nothing_after_a_newer_one_migrated() {
    let database = PostgresDatabase::new().await;
    let old = database.open().await;
    let lease = take(&*old, 1).await.unwrap();
    // What the migration of a newer version does, beside its changes of the schema.
    database.execute("UPDATE phasebot_schema SET version = version + 1").await;
    database.execute("UPDATE lease SET epoch = epoch + 1, owner = 0, until = now()").await;
    assert!(is_lost(&old.commit(learn(vec![lease], "late")).await));
    assert!(take(&*old, 1).await.is_none() && take(&*old, 2).await.is_none());
    accept(&*old, delivery("still accepted")).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn a_migration_takes_the_leases_of_older_replicas_and_only_serve_migrates() {
    let database = PostgresDatabase::new().await;
    database.execute(include_str!("../../../../migrations/postgres/0001_foundation.sql")).await;
    database.execute("CREATE TABLE phasebot_schema (version INTEGER NOT NULL)").await;
    database.execute("INSERT INTO phasebot_schema VALUES (1)").await;
    database.execute("INSERT INTO lease VALUES ('github', 1, 1, 77, 4, now() + INTERVAL '1 hour')").await;
    let refused = open_with(&database.url, Migration::Refuse).await.err().unwrap();
    assert!(matches!(refused, OpenError::Older { found: 1, .. }), "{refused}");
    assert!(refused.to_string().contains("start `phasebot serve` of this version"), "{refused}");
    let store = database.open().await;
    assert_eq!(take(&*store, 1).await.unwrap().epoch, 6, "the older replica's hour is over");
}
