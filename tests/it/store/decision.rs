//! Clauses on decisions: facts, items, transitions, timers, all or nothing.

use jiff::SignedDuration;
use phasebot::{
    domain::{
        id::{ForgeName, RepoKey},
        insight::{InsightRow, KEEPS_ALL, OPEN, RowGroup, RowKind},
        timer::TimerKey,
    },
    port::store::{Commit, DeliveryState, InsightPage, NewNotice, RepositoryRow, Store, StoreError, StoredItem, Timer},
};

use super::{
    Database,
    given::{
        accept, all_effects, at, decide, delivery, fact, labels, no_fact, once, replacing, repo, state, transition,
    },
    notice::news,
};

fn item(number: u64, phase: Option<&str>) -> StoredItem {
    StoredItem {
        item: number,
        phase: phase.map(str::to_owned),
        since: phase.map(|_| at(5)),
        derived: "{\"why\":\"\"}".to_owned(),
    }
}

fn place(repo: RepoKey, name: &str, installation: Option<u64>) -> RepositoryRow {
    RepositoryRow { repo, full_name: name.to_owned(), installation, active: installation.is_some() }
}

/// Returns a commit with a part of every kind.
fn whole(seq: u64) -> Commit {
    Commit {
        under: Vec::new(),
        repo: Some(repo(1)),
        now: Some(at(9)),
        deliveries: vec![(seq, DeliveryState::Done, "#12 plan → code".to_owned())],
        repositories: vec![place(repo(1), "acme/shop", Some(10))],
        facts: vec![fact("item/12", "{}")],
        items: vec![item(12, Some("code")), item(13, None)],
        histories: vec![(12, vec![transition(at(1), Some("plan")), transition(at(5), Some("code"))])],
        insight: vec![RowGroup {
            kind: RowKind::Unit,
            owner: "#12".to_owned(),
            from: String::new(),
            rows: vec![metrics_row("#12", "1", 5, "{}")],
        }],
        effects: vec![replacing("labels/12", labels(12, "phase/code")), once("hello", labels(13, "x"))],
        cancel_effects: vec!["labels/13".to_owned()],
        notices: vec![NewNotice { target: "ops".to_owned(), notice: news("deploy/production/1", "it failed") }],
        timers: vec![(TimerKey::Item(12), Some(at(60)))],
    }
}

pub(crate) async fn a_decision_is_kept_whole(database: &dyn Database) {
    let store = database.open().await;
    let seq = accept(&*store, delivery("a")).await;
    store.commit(whole(seq)).await.unwrap();

    let row = store.delivery(seq).await.unwrap().unwrap().row;
    assert_eq!((row.state, row.note.as_str(), row.decided_at), (DeliveryState::Done, "#12 plan → code", Some(at(9))));
    assert_eq!(store.repository(&repo(1)).await.unwrap(), Some(place(repo(1), "acme/shop", Some(10))));
    assert_eq!(store.facts(&repo(1)).await.unwrap(), [fact("item/12", "{}")]);
    assert_eq!(store.items(&repo(1)).await.unwrap(), [item(12, Some("code")), item(13, None)]);
    let history = [transition(at(1), Some("plan")), transition(at(5), Some("code"))];
    assert_eq!(store.transitions(&repo(1), 12).await.unwrap(), history);
    assert_eq!(store.transitions(&repo(1), 13).await.unwrap(), []);
    let units = InsightPage { kind: RowKind::Unit, since: at(0), after: None, limit: 9 };
    assert_eq!(store.insight(&repo(1), &units).await.unwrap(), [metrics_row("#12", "1", 5, "{}")]);
    let notices = store.due_notices(at(9), 10).await.unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!((notices[0].target.as_str(), &notices[0].notice.thread[..]), ("ops", "deploy/production/1"));
    let effects = store.due_effects(at(9), 10).await.unwrap();
    assert_eq!(effects.len(), 2);
    let first = &effects[0];
    assert_eq!(first.effect, labels(12, "phase/code"));
    assert_eq!((&first.repo, first.installation, first.cause, first.version), (&repo(1), 10, Some(1), 1));
    assert_eq!((first.created_at, first.not_before, first.attempts), (at(9), at(9), 0));
    assert_eq!(
        store.due_timers(at(60), 10).await.unwrap(),
        [Timer { repo: repo(1), key: TimerKey::Item(12), at: at(60) }]
    );

    // An empty decision is valid, too.
    store.commit(Commit::default()).await.unwrap();
}

/// Checks that nothing of [`whole`] is stored.
async fn nothing_kept(store: &dyn Store) {
    assert_eq!(store.repository(&repo(1)).await.unwrap(), None);
    assert_eq!(store.facts(&repo(1)).await.unwrap(), []);
    assert_eq!(store.items(&repo(1)).await.unwrap(), []);
    assert_eq!(store.transitions(&repo(1), 12).await.unwrap(), []);
    assert_eq!(all_effects(store).await, []);
    assert_eq!(store.notices(9).await.unwrap(), []);
    assert_eq!(store.next_timer_at().await.unwrap(), None);
}

pub(crate) async fn a_decision_that_makes_no_sense_leaves_no_trace(database: &dyn Database) {
    let store = database.open().await;
    let seq = accept(&*store, delivery("a")).await;
    let mut unknown_delivery = whole(seq);
    unknown_delivery.deliveries.push((seq + 100, DeliveryState::Done, String::new()));
    for broken in [unknown_delivery, Commit { repo: None, ..whole(seq) }, Commit { now: None, ..whole(seq) }] {
        let refused = store.commit(broken).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid(_)), "{refused}");
        nothing_kept(&*store).await;
        assert_eq!(state(&*store, seq).await, DeliveryState::Pending);
    }
    // Concurrent commits are not affected.
    let (bad, good) = tokio::join!(store.commit(Commit { repo: None, ..whole(seq) }), store.commit(whole(seq)));
    assert!(bad.is_err());
    good.unwrap();
    assert_eq!(state(&*store, seq).await, DeliveryState::Done);
}

pub(crate) async fn facts_are_replaced_and_deleted(database: &dyn Database) {
    let store = database.open().await;
    let keep = async |facts| store.commit(Commit { repo: Some(repo(1)), facts, ..Commit::default() }).await.unwrap();
    keep(vec![fact("b", "1"), fact("a", "1")]).await;
    keep(vec![fact("b", "2"), no_fact("a"), no_fact("never")]).await;
    assert_eq!(store.facts(&repo(1)).await.unwrap(), [fact("b", "2")]);
    keep(vec![fact("a", "3"), fact("b", "2")]).await;
    assert_eq!(store.facts(&repo(1)).await.unwrap(), [fact("a", "3"), fact("b", "2")], "by key");
    keep(vec![fact("a", "4"), no_fact("a"), fact("b", "5"), fact("b", "6")]).await;
    assert_eq!(store.facts(&repo(1)).await.unwrap(), [fact("b", "6")], "the last word on a key counts");
}

fn metrics_row(owner: &str, part: &str, second: i64, body: &str) -> InsightRow {
    InsightRow { owner: owner.into(), part: part.into(), at: at(second), body: body.into() }
}

/// Rows for delivery metrics: a group replaces the rows of its owner, from its first part on.
pub(crate) async fn rows_of_metrics_replace_those_of_their_owner(database: &dyn Database) {
    let store = database.open().await;
    let keep = async |owner: &str, from: &str, rows: Vec<InsightRow>| {
        let group = RowGroup { kind: RowKind::Change, owner: owner.into(), from: from.into(), rows };
        let commit = Commit { repo: Some(repo(1)), insight: vec![group], ..Commit::default() };
        store.commit(commit).await.unwrap();
    };
    let page = async |since: i64, after: Option<&InsightRow>, limit: usize| {
        let after = after.map(|row| (row.at, row.owner.clone(), row.part.clone()));
        let page = InsightPage { kind: RowKind::Change, since: at(since), after, limit };
        store.insight(&repo(1), &page).await.unwrap()
    };
    keep("#1", "", vec![metrics_row("#1", "eu", 5, "{}"), metrics_row("#1", "us", 7, "{}")]).await;
    keep("#2", "", vec![metrics_row("#2", "eu", 5, "{\"n\":1}")]).await;
    assert_eq!(
        page(0, None, 9).await,
        [metrics_row("#1", "eu", 5, "{}"), metrics_row("#2", "eu", 5, "{\"n\":1}"), metrics_row("#1", "us", 7, "{}")]
    );
    // One goes, one moves in time, one is new; another owner's stay.
    keep("#1", "", vec![metrics_row("#1", "us", 4, "{}"), metrics_row("#1", "ap", 9, "{}")]).await;
    let all = page(0, None, 9).await;
    assert_eq!(
        all,
        [metrics_row("#1", "us", 4, "{}"), metrics_row("#2", "eu", 5, "{\"n\":1}"), metrics_row("#1", "ap", 9, "{}")]
    );
    // Earlier parts stay.
    keep("#1", "b", vec![]).await;
    assert_eq!(page(5, None, 9).await, [metrics_row("#2", "eu", 5, "{\"n\":1}"), metrics_row("#1", "ap", 9, "{}")]);
    // Or all of them do, and only what is missing is added.
    keep("#1", KEEPS_ALL, vec![metrics_row("#1", "ap", 3, "{\"n\":2}"), metrics_row("#1", "eu", 8, "{}")]).await;
    assert_eq!(
        page(0, None, 9).await,
        [metrics_row("#2", "eu", 5, "{\"n\":1}"), metrics_row("#1", "eu", 8, "{}"), metrics_row("#1", "ap", 9, "{}")]
    );
    keep("#1", "b", vec![]).await;
    // Page by page.
    let first = page(0, None, 1).await;
    let second = page(0, first.last(), 1).await;
    assert_eq!((first, second.clone()), (vec![all[1].clone()], vec![all[2].clone()]));
    assert!(page(0, second.last(), 1).await.is_empty());
    assert!(
        store
            .insight(&repo(2), &InsightPage { kind: RowKind::Change, since: at(0), after: None, limit: 9 })
            .await
            .unwrap()
            .is_empty()
    );
    let open = InsightRow { at: OPEN, ..metrics_row("#3", "", 0, "{}") };
    keep("#3", "", vec![open.clone()]).await;
    assert_eq!(page(1_000_000, None, 9).await.len(), 1, "what is open concerns every window");
    store.erase(&repo(1), 0, "removed").await.unwrap();
    assert!(page(0, None, 9).await.is_empty());
}

pub(crate) async fn repositories_are_told_apart(database: &dyn Database) {
    let store = database.open().await;
    let ghes = RepoKey { forge: ForgeName("ghes".to_owned()), id: 1 };
    let places = [
        place(repo(1), "acme/shop", Some(10)),
        place(repo(u64::MAX), "acme/big", Some(u64::MAX)),
        place(repo(3), "acme/cart", Some(10)),
        place(ghes.clone(), "acme/shop", Some(10)),
    ];
    store.commit(Commit { repositories: places.to_vec(), ..Commit::default() }).await.unwrap();
    for (key, body) in [(repo(1), "1"), (repo(u64::MAX), "2"), (ghes.clone(), "3")] {
        let facts = vec![fact("a", body)];
        store.commit(Commit { repo: Some(key), facts, ..Commit::default() }).await.unwrap();
    }
    assert_eq!(store.facts(&repo(1)).await.unwrap(), [fact("a", "1")]);
    assert_eq!(store.facts(&repo(u64::MAX)).await.unwrap(), [fact("a", "2")]);
    assert_eq!(store.facts(&ghes).await.unwrap(), [fact("a", "3")]);
    assert_eq!(store.facts(&repo(3)).await.unwrap(), []);

    let github = ForgeName::github();
    assert_eq!(store.repositories(&github, 10).await.unwrap(), [places[0].clone(), places[2].clone()]);
    assert_eq!(store.repositories(&github, u64::MAX).await.unwrap(), [places[1].clone()]);
    assert_eq!(store.repositories(&github, 11).await.unwrap(), []);

    let moved = place(repo(1), "other/store", None);
    store.commit(Commit { repositories: vec![moved.clone()], ..Commit::default() }).await.unwrap();
    assert_eq!(store.repository(&repo(1)).await.unwrap(), Some(moved));
    assert_eq!(store.repositories(&github, 10).await.unwrap(), [places[2].clone()]);
}

pub(crate) async fn a_history_replaces_its_cycle_and_keeps_the_earlier_ones(database: &dyn Database) {
    let store = database.open().await;
    let log = async |item, history| {
        let histories = vec![(item, history)];
        store.commit(Commit { repo: Some(repo(1)), histories, ..Commit::default() }).await.unwrap();
    };
    let first = vec![transition(at(1), Some("plan")), transition(at(2), Some("code")), transition(at(3), None)];
    log(12, first.clone()).await;
    log(13, vec![transition(at(2), Some("plan"))]).await;
    // A second cycle, reported three times, each time more completely.
    log(12, vec![transition(at(10), Some("plan")), transition(at(14), Some("build"))]).await;
    log(12, vec![transition(at(10), Some("plan"))]).await;
    let second = vec![transition(at(10), Some("plan")), transition(at(12), Some("code"))];
    log(12, second.clone()).await;
    assert_eq!(store.transitions(&repo(1), 12).await.unwrap(), [first.clone(), second].concat());
    // An empty history does not say when its cycle began.
    log(12, vec![]).await;
    assert_eq!(store.transitions(&repo(1), 12).await.unwrap().len(), 5);
    log(12, first.clone()).await;
    assert_eq!(store.transitions(&repo(1), 12).await.unwrap(), first);
    assert_eq!(store.transitions(&repo(1), 13).await.unwrap(), [transition(at(2), Some("plan"))]);
}

pub(crate) async fn transitions_of_one_moment_keep_their_order(database: &dyn Database) {
    let store = database.open().await;
    let history: Vec<_> = ["z", "b", "m", "a"].map(|phase| transition(at(1), Some(phase))).into();
    let histories = vec![(12, history.clone())];
    let commit = Commit { repo: Some(repo(1)), histories, ..Commit::default() };
    for _ in 0..2 {
        store.commit(commit.clone()).await.unwrap();
        assert_eq!(store.transitions(&repo(1), 12).await.unwrap(), history);
    }
}

pub(crate) async fn trying_again_counts_attempts(database: &dyn Database) {
    let store = database.open().await;
    let seq = accept(&*store, delivery("a")).await;
    for attempt in 1..=2 {
        decide(&*store, seq, DeliveryState::Pending, at(1)).await;
        let row = store.delivery(seq).await.unwrap().unwrap().row;
        assert_eq!((row.state, row.attempts, row.decided_at), (DeliveryState::Pending, attempt, None));
        assert_eq!(row.note, "note");
    }
    decide(&*store, seq, DeliveryState::Dead, at(2)).await;
    let row = store.delivery(seq).await.unwrap().unwrap().row;
    assert_eq!((row.state, row.attempts, row.decided_at), (DeliveryState::Dead, 3, Some(at(2))));
}

pub(crate) async fn a_decision_on_a_dropped_delivery_keeps_the_drop(database: &dyn Database) {
    let store = database.open().await;
    let seq = accept(&*store, delivery("a")).await;
    store.drop_delivery(seq, "by hand").await.unwrap();
    store.commit(whole(seq)).await.unwrap();
    assert_eq!(state(&*store, seq).await, DeliveryState::Dropped);
    assert_eq!(store.facts(&repo(1)).await.unwrap().len(), 1, "what was learnt is kept");
}

pub(crate) async fn timers_are_set_moved_and_stopped(database: &dyn Database) {
    let store = database.open().await;
    let set = async |key: RepoKey, timers| {
        store.commit(Commit { repo: Some(key), timers, ..Commit::default() }).await.unwrap();
    };
    assert_eq!(store.next_timer_at().await, Ok(None));
    set(
        repo(1),
        vec![
            (TimerKey::Item(12), Some(at(30))),
            (TimerKey::Item(13), Some(at(10))),
            (TimerKey::Item(14), Some(at(20))),
        ],
    )
    .await;
    set(repo(2), vec![(TimerKey::Item(12), Some(at(15)))]).await;
    assert_eq!(store.next_timer_at().await, Ok(Some(at(10))));

    let due = async |now, limit| -> Vec<(u64, u64)> {
        store
            .due_timers(now, limit)
            .await
            .unwrap()
            .iter()
            .map(|timer| (timer.repo.id, timer.key.item().unwrap()))
            .collect()
    };
    assert_eq!(due(at(9), 10).await, []);
    assert_eq!(due(at(20), 10).await, [(1, 13), (2, 12), (1, 14)], "oldest first, the limit moment included");
    assert_eq!(due(at(20), 2).await, [(1, 13), (2, 12)]);
    assert_eq!(due(at(20), 10).await.len(), 3, "looking does not stop them");

    set(repo(1), vec![(TimerKey::Item(13), None), (TimerKey::Item(14), Some(at(40))), (TimerKey::Item(99), None)])
        .await;
    assert_eq!(due(at(50), 10).await, [(2, 12), (1, 12), (1, 14)]);
    assert_eq!(store.next_timer_at().await, Ok(Some(at(15))));
}

pub(crate) async fn a_timer_is_never_due_early(database: &dyn Database) {
    let store = database.open().await;
    let part = SignedDuration::from_nanos(600_001);
    let timers = vec![(TimerKey::Item(12), Some(at(30).checked_add(part).unwrap()))];
    store.commit(Commit { repo: Some(repo(1)), timers, ..Commit::default() }).await.unwrap();
    let whole = at(30).checked_add(SignedDuration::from_millis(1)).unwrap();
    assert_eq!(store.due_timers(at(30), 10).await.unwrap(), []);
    assert_eq!(store.next_timer_at().await, Ok(Some(whole)));
    assert_eq!(store.due_timers(whole, 10).await.unwrap().len(), 1);
}

pub(crate) async fn what_was_committed_is_there_after_opening_again(database: &dyn Database) {
    let store = database.open().await;
    let seq = accept(&*store, delivery("a")).await;
    store.commit(whole(seq)).await.unwrap();
    drop(store);
    let store = database.open().await;
    assert_eq!(state(&*store, seq).await, DeliveryState::Done);
    assert_eq!(store.facts(&repo(1)).await.unwrap(), [fact("item/12", "{}")]);
    assert_eq!(store.due_effects(at(9), 10).await.unwrap().len(), 2);
    assert_eq!(store.next_timer_at().await, Ok(Some(at(60))));
}
