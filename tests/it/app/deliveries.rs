//! From the intake to a decision: order, failures, dead letters, timers.

use phasebot::{
    app::BotSettings,
    domain::{event::Seen, id::Actor, needs::Answer, policy::Mode, timer::TimerKey},
    port::{
        clock::Clock,
        forge::ForgeError,
        store::{Accepted, Commit, DeliveryState, Store},
    },
};
use std::sync::{Arc, atomic::Ordering};

use jiff::SignedDuration;

use super::{INSTALLATION, World, event, issue, pull, repo};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opened_issue_is_labelled_by_one_commit_and_one_write() {
    let world = World::new();
    let seq = world.take_in(&issue("a", 1, 12)).await;
    world.bot.idle().await;
    let row = world.delivery(seq).await;
    assert_eq!(row.state, DeliveryState::Done);
    assert!(row.note.contains("#12 none → plan"), "{}", row.note);
    assert_eq!(world.store.commits.load(Ordering::SeqCst), 1);
    let sent = world.forge.sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].target.installation, INSTALLATION);
    assert_eq!(sent[0].effect.kind(), "set_phase");
    assert_eq!(sent[0].context.item_labels, Some([].into()), "the labels of the event are known");
    assert_eq!(world.store.transitions(&repo(1), 12).await.unwrap().len(), 1);
    assert_eq!(world.effect("phase/12").await.cause, Some(seq));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_delivery_twice_is_decided_once() {
    let world = World::new();
    let first = world.take_in(&issue("a", 1, 12)).await;
    let body = serde_json::to_vec(&issue("a", 1, 12)).unwrap();
    assert_eq!(world.take_in_raw("event", "a", body).await, Accepted::Duplicate(first));
    world.bot.idle().await;
    assert_eq!(world.forge.decoded.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_repository_is_decided_in_order_of_arrival() {
    let world = World::new();
    for n in 0..300 {
        world.take_in(&issue(&format!("{}/{n:03}", n % 3), n % 3, n)).await;
    }
    world.bot.idle().await;
    let decoded = world.forge.decoded.lock().unwrap().clone();
    assert_eq!(decoded.len(), 300);
    for id in ["0/", "1/", "2/"] {
        let own: Vec<_> = decoded.iter().filter(|name| name.starts_with(id)).collect();
        assert!(own.is_sorted(), "{own:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_are_decided_beside_each_other() {
    let world = World::new();
    for id in [1, 2, 3] {
        world.take_in(&issue(&format!("first {id}"), id, 1)).await;
    }
    world.bot.idle().await;
    // Each of the three waits inside its decision until all three are there.
    *world.forge.meeting.lock().unwrap() = Some(Arc::new(tokio::sync::Barrier::new(3)));
    for id in [1, 2, 3] {
        let mut disputed = issue(&format!("second {id}"), id, 2);
        disputed.connection = Some(99);
        world.take_in(&disputed).await;
    }
    world.bot.idle().await;
    assert_eq!(world.forge.decoded.lock().unwrap().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_when_observing_or_in_a_dry_run() {
    let observing = World::with(Mode::Observe, BotSettings::default());
    let dry = World::with(Mode::Label, BotSettings { dry_run: true, ..BotSettings::default() });
    for (world, why) in [(observing, "mode: observe"), (dry, "dry run")] {
        let seq = world.take_in(&issue("a", 1, 12)).await;
        world.bot.idle().await;
        let note = world.delivery(seq).await.note;
        assert!(note.contains("→ plan") && note.contains(why), "{note}");
        assert!(world.store.effects(false, 10).await.unwrap().is_empty());
        assert!(world.forge.sent().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_decided_dry_is_written_once_writing_is_allowed() {
    let dry = World::with(Mode::Label, BotSettings { dry_run: true, ..BotSettings::default() });
    dry.take_in(&issue("a", 1, 12)).await;
    dry.bot.idle().await;
    let World { store, forge, clock, bot } = dry;
    assert!(bot.shutdown(std::time::Duration::from_secs(5)).await);
    let world = World::over(store, forge, clock, Mode::Label, BotSettings::default());
    world.take_in(&issue("b", 1, 12)).await;
    world.bot.idle().await;
    assert_eq!(world.forge.sent().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_quarantined_and_can_be_replayed() {
    let world = World::new();
    let Accepted::New(not_json) = world.take_in_raw("event", "a", "<xml>").await else { panic!() };
    let Accepted::New(odd) = world.take_in_raw("event", "b", r#"{"repo":{"key":{"id":1}}}"#).await else { panic!() };
    world.bot.idle().await;
    for seq in [not_json, odd] {
        let row = world.delivery(seq).await;
        assert_eq!(row.state, DeliveryState::Quarantined);
        assert!(!row.note.is_empty());
    }
    assert!(world.store.replay(odd).await.unwrap());
    world.bot.idle().await;
    assert_eq!(world.delivery(odd).await.state, DeliveryState::Quarantined);
    assert!(world.store.pending(0, 10).await.unwrap().is_empty(), "the replay was decided");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_says_nothing_is_ignored_with_the_reason() {
    let world = World::new();
    let seq = world.take_in(&event("star", 1, Seen::Nothing { reason: "stars move no phase".to_owned() })).await;
    world.bot.idle().await;
    let row = world.delivery(seq).await;
    assert_eq!((row.state, row.note.as_str()), (DeliveryState::Ignored, "stars move no phase"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_keeps_failing_dies_and_its_repository_goes_on() {
    let world = World::new();
    let body = serde_json::to_vec(&issue("bad", 1, 1)).unwrap();
    let Accepted::New(bad) = world.take_in_raw("panic", "bad", body).await else { panic!() };
    let good = world.take_in(&issue("good", 1, 2)).await;
    world.bot.idle().await;
    let row = world.delivery(bad).await;
    assert_eq!(row.state, DeliveryState::Dead);
    assert_eq!(row.attempts, 4, "the fifth failure ends it");
    assert!(row.note.contains("panicked"), "{}", row.note);
    assert_eq!(world.delivery(good).await.state, DeliveryState::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_store_costs_no_attempt_and_leaves_memory_true() {
    let world = World::new();
    world.store.failing_commits.store(3, Ordering::SeqCst);
    let seq = world.take_in(&issue("a", 1, 12)).await;
    world.bot.idle().await;
    let row = world.delivery(seq).await;
    assert_eq!((row.state, row.attempts), (DeliveryState::Done, 0));
    assert!(row.note.contains("#12 none → plan"), "derived again from what the store holds: {}", row.note);
    assert_eq!(world.forge.sent().len(), 1);
    assert!(!world.store.facts(&repo(1)).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_cannot_be_had_stops_nothing() {
    let world = World::new();
    *world.forge.on_answer.lock().unwrap() = Box::new(|_| Err(ForgeError::Transient("502".to_owned())));
    let seq = world.take_in(&pull("a", 1, 12)).await;
    world.bot.idle().await;
    assert!(!world.forge.asked.lock().unwrap().is_empty());
    assert!(world.delivery(seq).await.note.contains("#12 none → code"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_kept_and_not_asked_for_again() {
    let world = World::new();
    *world.forge.on_answer.lock().unwrap() = Box::new(|_| Ok(Answer::LinkedIssues([1].into())));
    world.take_in(&pull("a", 1, 12)).await;
    world.bot.idle().await;
    let asked = world.forge.asked.lock().unwrap().len();
    world.take_in(&pull("b", 1, 12)).await;
    world.bot.idle().await;
    assert_eq!(world.forge.asked.lock().unwrap().len(), asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_stops_questions_and_sets_a_timer() {
    let world = World::new();
    let until = world.clock.now().checked_add(SignedDuration::from_mins(10)).unwrap();
    *world.forge.on_answer.lock().unwrap() = Box::new(move |_| Err(ForgeError::RateLimited { until }));
    let first = world.take_in(&pull("a", 1, 12)).await;
    let second = world.take_in(&pull("b", 2, 13)).await;
    world.run(SignedDuration::from_mins(9)).await;
    assert_eq!(world.delivery(first).await.state, DeliveryState::Done);
    assert_eq!(world.delivery(second).await.state, DeliveryState::Done);
    assert!(world.forge.asked.lock().unwrap().len() <= 2, "asked before the limit was known at most");
    assert!(world.forge.sent().is_empty(), "the limit holds for writes too");
    assert_eq!(world.store.next_timer_at().await.unwrap(), Some(until));
    *world.forge.on_answer.lock().unwrap() = Box::new(|_| Ok(Answer::LinkedIssues([].into())));
    world.run(SignedDuration::from_mins(2)).await;
    assert_ne!(world.store.next_timer_at().await.unwrap(), Some(until));
    assert_eq!(world.forge.sent().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_due_timer_derives_its_item_again() {
    let world = World::new();
    world.take_in(&issue("a", 1, 12)).await;
    world.bot.idle().await;
    let at = world.clock.now().checked_add(SignedDuration::from_mins(30)).unwrap();
    let commit = Commit { repo: Some(repo(1)), timers: vec![(TimerKey::Item(12), Some(at))], ..Commit::default() };
    world.store.commit(commit).await.unwrap();
    let commits = world.store.commits.load(Ordering::SeqCst);
    world.run(SignedDuration::from_mins(29)).await;
    assert_eq!(world.store.commits.load(Ordering::SeqCst), commits);
    world.run(SignedDuration::from_mins(2)).await;
    assert_eq!(world.store.commits.load(Ordering::SeqCst), commits + 1);
    assert_eq!(world.store.next_timer_at().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_knowing_our_own_account_holds_nothing_up() {
    let world = World::new();
    *world.forge.identity.lock().unwrap() = Err(ForgeError::Transient("502".to_owned()));
    let mut event = issue("b", 2, 2);
    event.sender = Some(Actor { id: None, login: "phasebot[bot]".to_owned(), bot: true });
    let by_bot = world.take_in(&event).await;
    world.bot.idle().await;
    assert_eq!(world.delivery(by_bot).await.state, DeliveryState::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_shutdown_nothing_is_taken_in_and_nothing_is_lost() {
    let world = World::new();
    world.bot.pause();
    world.take_in(&issue("a", 1, 12)).await;
    world.bot.idle().await;
    let World { store, forge, clock, bot } = world;
    let door = bot.intake();
    assert!(phasebot::port::intake::TakeIn::ready(door.as_ref()));
    assert!(bot.shutdown(std::time::Duration::from_secs(5)).await);
    assert!(!phasebot::port::intake::TakeIn::ready(door.as_ref()));
    assert!(forge.sent().is_empty());
    let world = World::over(store, forge, clock, Mode::Label, BotSettings::default());
    world.bot.idle().await;
    assert_eq!(world.forge.sent().len(), 1, "the next run sends what the last one queued");
}
