//! Clauses on deletion and statistics.

use phasebot::{
    domain::timer::TimerKey,
    port::store::{Accepted, Commit, DeliveryFilter, DeliveryState, EffectEnd, NewDelivery, RepositoryRow, StoreStats},
};

use super::{
    Database,
    given::{accept, all_effects, at, decide, delivery, dispatch, labels, once, queue, react, repo, state},
};

pub(crate) async fn prune_forgets_what_ended_long_ago(database: &dyn Database) {
    let store = database.open().await;
    let mut old_ones = Vec::new();
    for (end, name) in DeliveryState::ALL {
        let old = accept(&*store, delivery(&format!("old {name}"))).await;
        decide(&*store, old, end, at(1)).await;
        old_ones.push(old);
        // Received long ago, finished recently.
        let late = accept(&*store, delivery(&format!("late {name}"))).await;
        decide(&*store, late, end, at(100)).await;
    }
    let ends = [
        ("done", EffectEnd::Done { note: String::new(), at: at(1) }),
        ("dropped", EffectEnd::Dropped { reason: String::new(), at: at(1) }),
        ("dead", EffectEnd::Dead { error: String::new(), at: at(1) }),
        ("late", EffectEnd::Done { note: String::new(), at: at(100) }),
    ];
    for (key, end) in ends {
        queue(&*store, at(0), vec![once(key, react(1))]).await;
        let id = store.due_effects(at(0), 1).await.unwrap()[0].id;
        store.finish_effect(id, 1, end, &repo(1), vec![], &[]).await.unwrap();
    }
    queue(&*store, at(0), vec![once("queued", react(1))]).await;

    assert_eq!(store.prune(at(1), 100).await, Ok(0), "what ended at that very moment stays");
    assert_eq!(store.prune(at(2), 100).await, Ok(5));
    let left = store.deliveries(&DeliveryFilter::default()).await.unwrap();
    let mut left: Vec<_> = left.into_iter().map(|row| row.delivery).collect();
    left.sort();
    let mut expected = DeliveryState::ALL.map(|(_, name)| format!("late {name}")).to_vec();
    expected.sort();
    expected.extend(["old dead", "old pending", "old quarantined"].map(str::to_owned));
    assert_eq!(left, expected);
    let left: Vec<_> = all_effects(&*store).await.into_iter().map(|(key, ..)| key).collect();
    assert_eq!(left, ["dead", "late", "queued"]);

    // After deletion, the same delivery is new again, and its body is gone.
    assert!(matches!(store.accept(delivery("old done")).await, Ok(Accepted::New(_))));
    assert!(matches!(store.accept(delivery("late done")).await, Ok(Accepted::Duplicate(_))));
    assert_eq!(
        store.delivery(old_ones[0]).await.unwrap().map(|kept| kept.row.delivery),
        Some("old pending".to_owned())
    );
    assert_eq!(store.delivery(old_ones[1]).await, Ok(None));
}

pub(crate) async fn prune_keeps_to_its_limit(database: &dyn Database) {
    let store = database.open().await;
    for n in 0..5 {
        let seq = accept(&*store, delivery(&n.to_string())).await;
        decide(&*store, seq, DeliveryState::Done, at(10 - n)).await;
    }
    assert_eq!(store.prune(at(100), 2).await, Ok(2));
    let left: Vec<_> =
        store.deliveries(&DeliveryFilter::default()).await.unwrap().into_iter().map(|row| row.delivery).collect();
    assert_eq!(left, ["2", "1", "0"], "what ended first goes first");
    assert_eq!(store.prune(at(100), 0).await, Ok(0));
    assert_eq!(store.prune(at(100), usize::MAX).await, Ok(3));
    assert_eq!(store.prune(at(100), 2).await, Ok(0));
}

pub(crate) async fn a_pruned_delivery_number_is_not_given_again(database: &dyn Database) {
    let store = database.open().await;
    let first = accept(&*store, delivery("a")).await;
    decide(&*store, first, DeliveryState::Done, at(1)).await;
    assert_eq!(store.prune(at(2), 10).await, Ok(1));
    assert!(accept(&*store, delivery("b")).await > first);
}

pub(crate) async fn stats_count_what_waits(database: &dyn Database) {
    let store = database.open().await;
    assert_eq!(store.stats().await, Ok(StoreStats::default()));
    // An alert for an unknown repository is counted, but does not count as late.
    let unknown = Some("acme/unknown".to_owned());
    accept(&*store, NewDelivery { target: unknown, repo: None, received_at: at(0), ..delivery("alert") }).await;
    let mut seqs = Vec::new();
    for n in 0..6 {
        let received_at = at(n);
        let quarantined = (n >= 4).then(|| "not JSON".to_owned());
        seqs.push(accept(&*store, NewDelivery { received_at, quarantined, ..delivery(&n.to_string()) }).await);
    }
    decide(&*store, seqs[0], DeliveryState::Done, at(9)).await;
    decide(&*store, seqs[1], DeliveryState::Dead, at(9)).await;
    queue(&*store, at(9), vec![once("a", react(1)), once("b", labels(1, "a")), once("c", labels(2, "a"))]).await;
    queue(&*store, at(9), vec![once("d", dispatch("1"))]).await;
    let safety = store.due_effects(at(9), 1).await.unwrap().remove(0);
    let dead = EffectEnd::Dead { error: "refused".to_owned(), at: at(9) };
    store.finish_effect(safety.id, 1, dead, &safety.repo, vec![], &[]).await.unwrap();
    let expected = StoreStats {
        pending: 3,
        oldest_pending: Some(at(2)),
        quarantined: 2,
        dead_deliveries: 1,
        queued_effects: [0, 1, 2],
        dead_effects: 1,
    };
    assert_eq!(store.stats().await, Ok(expected));
    assert_eq!(state(&*store, seqs[5]).await, DeliveryState::Quarantined);
}

pub(crate) async fn a_memo_is_kept_changed_and_forgotten(database: &dyn Database) {
    let store = database.open().await;
    assert_eq!(store.memo("a").await, Ok(None));
    store.note("a", Some("1")).await.unwrap();
    store.note("b", Some("")).await.unwrap();
    store.note("a", Some("2 ü")).await.unwrap();
    let other = database.open().await;
    assert_eq!(other.memo("a").await, Ok(Some("2 ü".to_owned())));
    assert_eq!(other.memo("b").await, Ok(Some(String::new())));
    store.note("a", None).await.unwrap();
    store.note("c", None).await.unwrap();
    assert_eq!((other.memo("a").await, other.memo("c").await), (Ok(None), Ok(None)));
}

pub(crate) async fn an_erased_repository_leaves_its_place_and_its_deliveries_ids(database: &dyn Database) {
    let store = database.open().await;
    let place =
        RepositoryRow { repo: repo(1), full_name: "acme/shop".to_owned(), installation: Some(10), active: false };
    let waiting = accept(&*store, delivery("a")).await;
    let done = accept(&*store, delivery("b")).await;
    decide(&*store, done, DeliveryState::Done, at(1)).await;
    let other = accept(&*store, NewDelivery { repo: Some(2), ..delivery("c") }).await;
    for id in [1, 2] {
        let commit = Commit {
            repo: Some(repo(id)),
            now: Some(at(1)),
            repositories: vec![RepositoryRow { repo: repo(id), ..place.clone() }],
            facts: vec![super::given::fact("about", "{}")],
            timers: vec![(TimerKey::Item(1), Some(at(9)))],
            ..Commit::default()
        };
        store.commit(commit).await.unwrap();
    }
    queue(&*store, at(1), vec![once("d", dispatch("1"))]).await;
    let newer = accept(&*store, delivery("e")).await;
    store.erase(&repo(1), newer, "removed").await.unwrap();

    assert!(store.facts(&repo(1)).await.unwrap().is_empty());
    assert!(store.effects(false, 9).await.unwrap().is_empty());
    assert_eq!(store.due_timers(at(9), 9).await.unwrap().len(), 1, "the other repository's");
    assert_eq!(store.repository(&repo(1)).await, Ok(Some(place)));
    for (seq, id, ended) in [(waiting, "a", DeliveryState::Dropped), (done, "b", DeliveryState::Done)] {
        let kept = store.delivery(seq).await.unwrap().unwrap();
        assert_eq!((kept.row.state, kept.row.note.as_str(), kept.body.as_ref()), (ended, "removed", &b"{}"[..]));
        assert_eq!(store.accept(delivery(id)).await, Ok(Accepted::Duplicate(seq)));
    }
    assert_eq!(state(&*store, other).await, DeliveryState::Pending);
    assert_eq!(state(&*store, newer).await, DeliveryState::Pending);
    assert_ne!(store.delivery(newer).await.unwrap().unwrap().body.as_ref(), b"{}");
    assert_eq!(store.facts(&repo(2)).await.unwrap().len(), 1);
}

pub(crate) async fn it_answers_a_ping(database: &dyn Database) {
    let store = database.open().await;
    assert_eq!(store.ping().await, Ok(()));
}
