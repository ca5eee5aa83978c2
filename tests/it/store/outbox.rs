//! Clauses on effects.

use jiff::Timestamp;
use phasebot::{
    domain::id::{ForgeName, RepoKey},
    port::store::{Commit, EffectEnd, EffectState, NewEffect, Store},
};

use super::{
    Database,
    given::{all_effects, at, dispatch, due_keys, fact, labels, once, only_due, queue, react, replacing, repo},
};

fn done(now: Timestamp) -> EffectEnd {
    EffectEnd::Done { note: "made 7".to_owned(), at: now }
}

fn dead(now: Timestamp) -> EffectEnd {
    EffectEnd::Dead { error: "refused".to_owned(), at: now }
}

fn dropped(now: Timestamp) -> EffectEnd {
    EffectEnd::Dropped { reason: "gone".to_owned(), at: now }
}

fn retry(not_before: Timestamp, in_doubt: bool, counts: bool) -> EffectEnd {
    EffectEnd::Retry { not_before, error: "502".to_owned(), in_doubt, counts }
}

async fn finish(store: &dyn Store, id: u64, version: u64, end: EffectEnd) {
    store.finish_effect(id, version, end, &repo(1), vec![], &[]).await.unwrap();
}

pub(crate) async fn lanes_go_in_order_and_the_oldest_first(database: &dyn Database) {
    let store = database.open().await;
    let effects = vec![
        once("label-1", labels(1, "a")),
        once("talk-1", react(1)),
        once("safe-1", dispatch("1")),
        once("label-2", labels(2, "a")),
        once("safe-2", dispatch("2")),
        once("talk-2", react(2)),
    ];
    queue(&*store, at(1), effects).await;
    let order = ["safe-1", "safe-2", "talk-1", "talk-2", "label-1", "label-2"];
    assert_eq!(due_keys(&*store, at(1), 100).await, order);
    assert_eq!(due_keys(&*store, at(1), 1).await, ["safe-1", "talk-1", "label-1"], "of each lane");
    assert_eq!(due_keys(&*store, at(1), 0).await, [""; 0]);
    assert_eq!(due_keys(&*store, at(0), 100).await, [""; 0], "not before they were queued");
    assert_eq!(store.stats().await.unwrap().queued_effects, [2, 2, 2]);
}

pub(crate) async fn each_installation_has_its_own_share(database: &dyn Database) {
    let store = database.open().await;
    let of = |key: &str, installation| NewEffect { installation, ..once(key, labels(1, "a")) };
    let mut effects: Vec<_> = (0..600).map(|n| of(&format!("storm-{n}"), 10)).collect();
    effects.push(of("other-1", 11));
    effects.push(NewEffect { installation: 11, ..once("other-safe", dispatch("1")) });
    effects.push(of("largest", u64::MAX));
    queue(&*store, at(1), effects).await;
    // The same installation id on another forge is another installation.
    let ghes = RepoKey { forge: ForgeName("ghes".to_owned()), id: 1 };
    let effects = vec![of("ghes", 10)];
    store.commit(Commit { repo: Some(ghes), now: Some(at(1)), effects, ..Commit::default() }).await.unwrap();

    assert_eq!(due_keys(&*store, at(1), 2).await, ["other-safe", "storm-0", "storm-1", "other-1", "largest", "ghes"]);
    // Effects that may not be retried yet use no share.
    for effect in store.due_effects(at(1), 2).await.unwrap() {
        finish(&*store, effect.id, effect.version, retry(at(100), false, true)).await;
    }
    assert_eq!(due_keys(&*store, at(1), 2).await, ["storm-2", "storm-3"]);
}

pub(crate) async fn a_replacing_effect_takes_the_place_of_the_queued_one(database: &dyn Database) {
    let store = database.open().await;
    queue(&*store, at(1), vec![replacing("labels/1", labels(1, "phase/plan")), once("later", labels(2, "a"))]).await;
    let old = store.due_effects(at(1), 1).await.unwrap().remove(0);
    finish(&*store, old.id, 1, retry(at(500), false, true)).await;
    assert_eq!(due_keys(&*store, at(2), 10).await, ["later"]);

    let newer = NewEffect { installation: 11, cause: Some(2), ..replacing("labels/1", labels(1, "phase/code")) };
    queue(&*store, at(3), vec![newer]).await;
    let due = store.due_effects(at(3), 10).await.unwrap();
    let new = due.iter().find(|effect| effect.key == "labels/1").unwrap();
    assert_eq!((new.id, new.version, new.state), (old.id, 2, EffectState::Queued), "it keeps its place");
    assert_eq!(new.effect, labels(1, "phase/code"));
    assert_eq!((new.installation, new.cause), (11, Some(2)));
    assert_eq!((new.attempts, new.not_before, new.created_at), (0, at(3), at(3)), "it starts afresh");
    assert_eq!(new.note, "");
}

pub(crate) async fn a_replacing_effect_is_queued_anew_after_an_end(database: &dyn Database) {
    let store = database.open().await;
    for (n, end) in [done(at(1)), dead(at(1)), dropped(at(1))].into_iter().enumerate() {
        queue(&*store, at(1), vec![replacing("labels/1", labels(1, "a"))]).await;
        let effect = only_due(&*store, at(1)).await;
        assert_eq!(effect.version, 1);
        finish(&*store, effect.id, 1, end).await;
        assert_eq!(all_effects(&*store).await.len(), n + 1);
    }
}

pub(crate) async fn a_key_once_used_is_not_queued_again(database: &dyn Database) {
    let store = database.open().await;
    for (key, end) in [("a", done(at(1))), ("b", dead(at(1))), ("c", dropped(at(1)))] {
        queue(&*store, at(1), vec![once(key, react(1))]).await;
        let effect = only_due(&*store, at(1)).await;
        queue(&*store, at(2), vec![once(key, react(2))]).await;
        assert_eq!(only_due(&*store, at(2)).await, effect, "nor changed while it waits");
        finish(&*store, effect.id, 1, end).await;
        queue(&*store, at(3), vec![once(key, react(3))]).await;
        assert_eq!(due_keys(&*store, at(3), 10).await, [""; 0]);
    }
    queue(&*store, at(4), vec![once("d", react(1)), once("d", react(2))]).await;
    assert_eq!(only_due(&*store, at(4)).await.effect, react(1), "nor twice in one decision");
}

pub(crate) async fn keys_belong_to_their_repository(database: &dyn Database) {
    let store = database.open().await;
    for id in [1, 2, u64::MAX] {
        for effect in [once("once", react(id)), replacing("state", labels(id, "a"))] {
            let effects = vec![effect];
            let commit = Commit { repo: Some(repo(id)), now: Some(at(1)), effects, ..Commit::default() };
            store.commit(commit).await.unwrap();
        }
    }
    let due = store.due_effects(at(1), 10).await.unwrap();
    assert_eq!(due.len(), 6);
    assert!(due.iter().all(|effect| effect.version == 1));
    assert!(due.iter().any(|effect| effect.repo == repo(u64::MAX)));
}

pub(crate) async fn a_cancelled_effect_is_not_sent(database: &dyn Database) {
    let store = database.open().await;
    let cancel = async |keys: &[&str], effects| {
        let cancel_effects = keys.iter().map(|key| (*key).to_owned()).collect();
        let repo = Some(repo(1));
        store.commit(Commit { repo, now: Some(at(2)), cancel_effects, effects, ..Commit::default() }).await.unwrap();
    };
    queue(&*store, at(1), vec![replacing("a", labels(1, "a")), replacing("b", labels(2, "a"))]).await;
    cancel(&["a", "never"], vec![]).await;
    assert_eq!(due_keys(&*store, at(2), 10).await, ["b"]);

    // During a send, the effect is not repeated, and its facts still count.
    let effect = only_due(&*store, at(2)).await;
    assert_eq!(store.mark_sending(effect.id, 1, &[]).await, Ok(true));
    cancel(&["b"], vec![]).await;
    let facts = vec![fact("item/2", "{}")];
    store.finish_effect(effect.id, 1, retry(at(3), true, true), &repo(1), facts, &[]).await.unwrap();
    assert_eq!(due_keys(&*store, at(9), 10).await, [""; 0]);
    assert_eq!(store.facts(&repo(1)).await.unwrap().len(), 1);

    // Effects that the same decision queues are wanted.
    cancel(&["a"], vec![replacing("a", labels(1, "b"))]).await;
    assert_eq!(only_due(&*store, at(2)).await.effect, labels(1, "b"));
    // One-time keys stay used.
    queue(&*store, at(1), vec![once("c", react(1))]).await;
    cancel(&["a", "c"], vec![]).await;
    queue(&*store, at(1), vec![once("c", react(1))]).await;
    assert_eq!(due_keys(&*store, at(9), 10).await, [""; 0]);
}

pub(crate) async fn what_was_being_sent_is_due_and_in_doubt(database: &dyn Database) {
    let store = database.open().await;
    queue(&*store, at(1), vec![once("a", react(1))]).await;
    let effect = only_due(&*store, at(1)).await;
    assert_eq!(effect.state, EffectState::Queued);
    assert_eq!(store.mark_sending(effect.id, 1, &[]).await, Ok(true));
    drop(store);
    let store = database.open().await;
    let found = only_due(&*store, at(1)).await;
    assert_eq!((found.id, found.state), (effect.id, EffectState::Sending));
    assert_eq!(store.mark_sending(effect.id, 1, &[]).await, Ok(true), "it may be tried again");
    finish(&*store, effect.id, 1, retry(at(20), true, true)).await;
    assert_eq!(due_keys(&*store, at(19), 10).await, [""; 0]);
    assert_eq!(only_due(&*store, at(20)).await.state, EffectState::Sending, "a doubt that waits is still one");
    finish(&*store, effect.id, 1, retry(at(30), false, true)).await;
    assert_eq!(only_due(&*store, at(30)).await.state, EffectState::Queued, "surely not done");
}

pub(crate) async fn a_doubt_survives_a_replacement(database: &dyn Database) {
    let store = database.open().await;
    queue(&*store, at(1), vec![replacing("a", react(1))]).await;
    let effect = only_due(&*store, at(1)).await;
    store.mark_sending(effect.id, 1, &[]).await.unwrap();
    finish(&*store, effect.id, 1, retry(at(30), true, true)).await;
    queue(&*store, at(2), vec![replacing("a", react(2))]).await;
    assert_eq!(due_keys(&*store, at(29), 10).await, [""; 0], "nor is it looked into sooner");
    let found = only_due(&*store, at(30)).await;
    assert_eq!((found.version, found.state, found.effect), (2, EffectState::Sending, react(2)));
}

pub(crate) async fn an_old_version_ends_nothing_but_its_facts_are_kept(database: &dyn Database) {
    let store = database.open().await;
    for (n, end) in [done(at(5)), dead(at(5)), dropped(at(5)), retry(at(900), false, true)].into_iter().enumerate() {
        let key = format!("a{n}");
        queue(&*store, at(1), vec![replacing(&key, labels(1, "old"))]).await;
        let effect = only_due(&*store, at(1)).await;
        store.mark_sending(effect.id, 1, &[]).await.unwrap();
        queue(&*store, at(2), vec![replacing(&key, labels(1, "new"))]).await;
        let facts = vec![fact(&key, "{}")];
        store.finish_effect(effect.id, 1, end, &repo(1), facts, &[]).await.unwrap();

        let left = only_due(&*store, at(2)).await;
        assert_eq!((left.version, left.state, left.attempts), (2, EffectState::Queued, 0));
        assert_eq!((left.not_before, left.effect), (at(2), labels(1, "new")));
        assert_eq!(store.facts(&repo(1)).await.unwrap().len(), n + 1);
        finish(&*store, left.id, 2, done(at(3))).await;
    }
    // A missing effect loses no facts either.
    store.finish_effect(999, 1, done(at(5)), &repo(1), vec![fact("z", "{}")], &[]).await.unwrap();
    assert_eq!(store.facts(&repo(1)).await.unwrap().len(), 5);
}

pub(crate) async fn an_old_version_in_doubt_leaves_the_doubt(database: &dyn Database) {
    let store = database.open().await;
    queue(&*store, at(1), vec![replacing("a", react(1))]).await;
    let effect = only_due(&*store, at(1)).await;
    store.mark_sending(effect.id, 1, &[]).await.unwrap();
    queue(&*store, at(2), vec![replacing("a", react(2))]).await;
    finish(&*store, effect.id, 1, retry(at(900), true, true)).await;
    let left = only_due(&*store, at(2)).await;
    assert_eq!((left.version, left.state), (2, EffectState::Sending));
}

pub(crate) async fn a_replaced_effect_can_not_be_marked(database: &dyn Database) {
    let store = database.open().await;
    queue(&*store, at(1), vec![replacing("a", labels(1, "a"))]).await;
    let effect = only_due(&*store, at(1)).await;
    queue(&*store, at(2), vec![replacing("a", labels(1, "b"))]).await;
    assert_eq!(store.mark_sending(effect.id, 1, &[]).await, Ok(false));
    assert_eq!(store.is_live(effect.id, 1).await, Ok(false));
    assert_eq!(store.is_live(effect.id, 2).await, Ok(true));
    assert_eq!(only_due(&*store, at(2)).await.state, EffectState::Queued);
    assert_eq!(store.mark_sending(effect.id, 2, &[]).await, Ok(true));
    finish(&*store, effect.id, 2, done(at(3))).await;
    assert_eq!(store.mark_sending(effect.id, 2, &[]).await, Ok(false), "nor one that has ended");
    assert_eq!(store.is_live(effect.id, 2).await, Ok(false));
    assert_eq!(store.is_live(999, 1).await, Ok(false));
    assert_eq!(store.mark_sending(999, 1, &[]).await, Ok(false));
    assert_eq!(store.mark_sending(u64::MAX, u64::MAX, &[]).await, Ok(false));
}

pub(crate) async fn retries_wait_and_count(database: &dyn Database) {
    let store = database.open().await;
    queue(&*store, at(1), vec![once("a", react(1)), once("b", react(2))]).await;
    assert_eq!(store.next_effect_at(at(0)).await, Ok(Some(at(1))));
    assert_eq!(store.next_effect_at(at(1)).await, Ok(None));
    let id = store.due_effects(at(1), 1).await.unwrap()[0].id;
    for (wait, counts, attempts) in [(10, true, 1), (20, false, 1), (30, true, 2)] {
        store.mark_sending(id, 1, &[]).await.unwrap();
        finish(&*store, id, 1, retry(at(wait), false, counts)).await;
        assert_eq!(due_keys(&*store, at(wait - 1), 10).await, ["b"]);
        assert_eq!(store.next_effect_at(at(wait - 1)).await, Ok(Some(at(wait))));
        let effect = store.due_effects(at(wait), 10).await.unwrap().remove(0);
        assert_eq!((effect.id, effect.attempts, effect.note.as_str()), (id, attempts, "502"));
    }
}

pub(crate) async fn ended_effects_are_not_due(database: &dyn Database) {
    let store = database.open().await;
    let ends = [
        (done(at(2)), EffectState::Done, 1, "made 7"),
        (dead(at(2)), EffectState::Dead, 1, "refused"),
        (dropped(at(2)), EffectState::Dropped, 0, "gone"),
    ];
    for (n, (end, state, attempts, note)) in ends.into_iter().enumerate() {
        queue(&*store, at(1), vec![once(&n.to_string(), react(1))]).await;
        let effect = only_due(&*store, at(1)).await;
        finish(&*store, effect.id, 1, end).await;
        assert_eq!(due_keys(&*store, at(99), 10).await, [""; 0]);
        let kept = store.effects(false, 1).await.unwrap().remove(0);
        assert_eq!((kept.id, kept.state, kept.attempts, kept.note.as_str()), (effect.id, state, attempts, note));
        // The first result counts.
        finish(&*store, effect.id, 1, retry(at(3), false, true)).await;
        assert_eq!(store.effects(false, 1).await.unwrap().remove(0), kept);
    }
    assert_eq!(store.next_effect_at(at(0)).await, Ok(None));
}

pub(crate) async fn the_dead_are_listed(database: &dyn Database) {
    let store = database.open().await;
    for n in 0..6 {
        queue(&*store, at(1), vec![once(&n.to_string(), react(n))]).await;
        let effect = only_due(&*store, at(1)).await;
        finish(&*store, effect.id, 1, if n % 2 == 0 { dead(at(2)) } else { done(at(2)) }).await;
    }
    let keys = async |dead_only, limit| -> Vec<String> {
        store.effects(dead_only, limit).await.unwrap().into_iter().map(|effect| effect.key).collect()
    };
    assert_eq!(keys(true, 10).await, ["4", "2", "0"]);
    assert_eq!(keys(true, 1).await, ["4"]);
    assert_eq!(keys(false, 3).await, ["5", "4", "3"]);
    assert_eq!(store.stats().await.unwrap().dead_effects, 3);
}
