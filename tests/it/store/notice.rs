//! Notices: one row for each thread and target.

use jiff::Timestamp;
use phasebot::{
    domain::notice::{Notice, NoticeKind},
    port::store::{Commit, EffectState, Learnt, NewNotice, NoticeEnd, NoticeOutcome, NoticeStep, Store, StoredNotice},
};

use super::{
    Database,
    given::{at, repo},
};

pub(super) fn news(thread: &str, words: &str) -> Notice {
    Notice {
        thread: thread.to_owned(),
        kind: NoticeKind::DeployFailed,
        is_news: true,
        repository: "acme/shop".to_owned(),
        environment: Some("production".to_owned()),
        headline: words.to_owned(),
        lines: Vec::new(),
        links: Vec::new(),
        needs_person: false,
        at: Timestamp::UNIX_EPOCH,
    }
}

fn change(thread: &str, words: &str) -> Notice {
    Notice { is_news: false, ..news(thread, words) }
}

async fn queue(store: &dyn Store, now: i64, target: &str, notice: Notice) {
    let notices = vec![NewNotice { target: target.to_owned(), notice }];
    let commit = Commit { repo: Some(repo(1)), now: Some(at(now)), notices, ..Commit::default() };
    store.commit(commit).await.unwrap();
}

async fn due(store: &dyn Store, now: i64) -> Vec<StoredNotice> {
    store.due_notices(at(now), 100).await.unwrap()
}

async fn only(store: &dyn Store) -> StoredNotice {
    let all = store.notices(100).await.unwrap();
    let [row] = all.as_slice() else { panic!("{all:?}") };
    row.clone()
}

fn end(outcome: NoticeOutcome, learnt: Learnt) -> NoticeEnd {
    NoticeEnd { outcome, learnt, note: String::new(), at: at(5) }
}

fn sent(message: &str, hash: &str) -> Learnt {
    let hash = Some(hash.to_owned());
    Learnt { message: Some(message.to_owned()), shown: hash.clone(), told: hash }
}

pub(crate) async fn a_notice_comes_back_and_is_queued_once(database: &dyn Database) {
    let store = database.open().await;
    queue(store.as_ref(), 1, "ops", news("a", "it failed \0 \u{1a}")).await;
    queue(store.as_ref(), 2, "ops", news("a", "it failed \0 \u{1a}")).await;
    let row = only(store.as_ref()).await;
    assert_eq!((row.notice.headline.as_str(), row.version, row.tried), ("it failed \0 \u{1a}", 1, 0));
    assert_eq!((row.created_at, row.not_before, row.state), (at(1), at(1), EffectState::Queued));
    assert_eq!((row.hash, row.message.as_str(), row.step), (row.notice.digest(), "", None));
    assert_eq!(due(store.as_ref(), 0).await, []);
    assert_eq!(due(store.as_ref(), 1).await.len(), 1);
    assert_eq!(store.next_notice_at(at(0)).await.unwrap(), Some(at(1)));
}

pub(crate) async fn another_notice_of_the_thread_replaces_it(database: &dyn Database) {
    let store = database.open().await;
    queue(store.as_ref(), 1, "ops", news("a", "one")).await;
    queue(store.as_ref(), 2, "ops", news("b", "other")).await;
    queue(store.as_ref(), 3, "ops", news("a", "two")).await;
    let rows = due(store.as_ref(), 9).await;
    let said: Vec<&str> = rows.iter().map(|row| row.notice.headline.as_str()).collect();
    assert_eq!(said, ["two", "other"]);
    assert_eq!((rows[0].version, rows[0].created_at), (2, at(3)));
    assert!(!store.mark_notice(rows[0].id, 1, NoticeStep::Post, &[]).await.unwrap());
    assert!(store.mark_notice(rows[0].id, 2, NoticeStep::Post, &[]).await.unwrap());
}

pub(crate) async fn a_message_is_remembered_and_changed(database: &dyn Database) {
    let store = database.open().await;
    queue(store.as_ref(), 1, "ops", change("a", "nothing to change")).await;
    assert_eq!(store.notices(9).await.unwrap(), []);
    queue(store.as_ref(), 1, "ops", news("a", "one")).await;
    let row = only(store.as_ref()).await;
    assert!(store.mark_notice(row.id, 1, NoticeStep::Post, &[]).await.unwrap());
    store.finish_notice(row.id, 1, end(NoticeOutcome::Done, sent("m1", &row.hash))).await.unwrap();
    assert_eq!(due(store.as_ref(), 9).await, []);
    // The same words are no reason to send anything.
    queue(store.as_ref(), 6, "ops", news("a", "one")).await;
    assert_eq!(due(store.as_ref(), 9).await, []);
    queue(store.as_ref(), 7, "ops", change("a", "two")).await;
    let row = only(store.as_ref()).await;
    assert_eq!((row.state, row.message.as_str(), row.version), (EffectState::Queued, "m1", 2));
    assert_ne!(row.shown, row.hash);
}

pub(crate) async fn what_is_no_news_any_more_is_not_sent(database: &dyn Database) {
    let store = database.open().await;
    queue(store.as_ref(), 1, "ops", news("a", "it waits")).await;
    queue(store.as_ref(), 2, "ops", change("a", "it does not wait")).await;
    assert_eq!(due(store.as_ref(), 9).await, []);
    assert_eq!(only(store.as_ref()).await.state, EffectState::Dropped);
    queue(store.as_ref(), 3, "ops", news("a", "it waits again")).await;
    assert_eq!(due(store.as_ref(), 9).await.len(), 1);
}

pub(crate) async fn what_was_being_sent_stays_in_doubt(database: &dyn Database) {
    let store = database.open().await;
    queue(store.as_ref(), 1, "ops", news("a", "one")).await;
    let row = only(store.as_ref()).await;
    assert!(store.mark_notice(row.id, 1, NoticeStep::Post, &[]).await.unwrap());
    let row = only(store.as_ref()).await;
    assert_eq!((row.state, row.step, row.tried), (EffectState::Sending, Some(NoticeStep::Post), 1));
    assert_eq!(due(store.as_ref(), 9).await.len(), 1);
    queue(store.as_ref(), 2, "ops", news("a", "two")).await;
    let row = only(store.as_ref()).await;
    assert_eq!((row.state, row.tried, row.version), (EffectState::Sending, 1, 2));
    // The answer to the older one: what it taught is kept, and the newer one is queued.
    store.finish_notice(row.id, 1, end(NoticeOutcome::Done, sent("m1", "h1"))).await.unwrap();
    let row = only(store.as_ref()).await;
    assert_eq!((row.state, row.message.as_str(), row.shown.as_str()), (EffectState::Queued, "m1", "h1"));
}

pub(crate) async fn a_failed_notice_waits_and_counts(database: &dyn Database) {
    let store = database.open().await;
    queue(store.as_ref(), 1, "ops", news("a", "one")).await;
    let row = only(store.as_ref()).await;
    for (tries, in_doubt) in [(1, false), (2, true)] {
        let again = NoticeOutcome::Retry { not_before: at(20), in_doubt };
        store.finish_notice(row.id, 1, end(again, Learnt::default())).await.unwrap();
        let row = only(store.as_ref()).await;
        assert_eq!((row.attempts, row.not_before), (tries, at(20)));
        assert_eq!(row.state == EffectState::Sending, in_doubt);
    }
    assert_eq!(due(store.as_ref(), 19).await, []);
    assert_eq!(store.next_notice_at(at(5)).await.unwrap(), Some(at(20)));
    store.finish_notice(row.id, 1, end(NoticeOutcome::Continue, Learnt::default())).await.unwrap();
    assert_eq!(due(store.as_ref(), 5).await[0].attempts, 2);
    store.finish_notice(row.id, 1, end(NoticeOutcome::Dead, Learnt::default())).await.unwrap();
    assert_eq!(due(store.as_ref(), 99).await, []);
    assert_eq!(only(store.as_ref()).await.state, EffectState::Dead);
}

pub(crate) async fn targets_have_lines_of_their_own(database: &dyn Database) {
    let store = database.open().await;
    for n in 0..5 {
        queue(store.as_ref(), n, "ops", news(&format!("a{n}"), "x")).await;
    }
    queue(store.as_ref(), 6, "chat", news("a0", "x")).await;
    let rows = store.due_notices(at(9), 2).await.unwrap();
    let seen: Vec<(&str, &str)> = rows.iter().map(|row| (row.target.as_str(), row.notice.thread.as_str())).collect();
    assert_eq!(seen, [("chat", "a0"), ("ops", "a0"), ("ops", "a1")]);
}

pub(crate) async fn old_threads_are_pruned_and_erased(database: &dyn Database) {
    let store = database.open().await;
    queue(store.as_ref(), 1, "ops", news("a", "one")).await;
    queue(store.as_ref(), 1, "ops", news("b", "one")).await;
    let row = due(store.as_ref(), 9).await.remove(0);
    store.finish_notice(row.id, 1, end(NoticeOutcome::Done, Learnt::default())).await.unwrap();
    assert_eq!(store.prune(at(5), 10).await.unwrap(), 0);
    assert_eq!(store.prune(at(6), 10).await.unwrap(), 1);
    assert_eq!(store.notices(9).await.unwrap().len(), 1);
    store.erase(&repo(1), 1000, "gone").await.unwrap();
    assert_eq!(store.notices(9).await.unwrap(), []);
}
