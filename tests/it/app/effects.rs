//! From the outbox to the forge: lanes, limits, retries, uncertain results.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use phasebot::{
    app::BotSettings,
    domain::{effect::Effect, policy::Mode},
    port::{
        clock::Clock,
        forge::{Applied, ForgeError},
        store::{EffectState, Store},
    },
};
use tokio::sync::Semaphore;

use super::{World, issue, open_issue, repo, rollback, set_phase};
use crate::support::scripted_forge::{Sent, obey};

fn most_in(sent: &[Sent], span: SignedDuration) -> usize {
    let within = |from: Timestamp, at: Timestamp| at >= from && at.duration_since(from) < span;
    sent.iter().map(|a| sent.iter().filter(|b| within(a.at, b.at)).count()).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_overtakes_six_hundred_labels() {
    let world = World::new();
    world.queue(1, (1..=600).map(|n| set_phase(n, "phase/release"))).await;
    world.run(SignedDuration::from_secs(20)).await;
    let before = world.forge.sent().len();
    assert!((10..100).contains(&before), "{before}");
    world.queue(1, [rollback()]).await;
    let asked_at = world.clock.now();
    world.run(SignedDuration::from_secs(700)).await;
    let sent = world.forge.sent();
    assert_eq!(sent[before].effect.kind(), "answer_protection");
    assert_eq!(sent[before].at, asked_at, "it waits for no label's pace");
    assert_eq!(sent.len(), 601);
    assert!(most_in(&sent, SignedDuration::from_secs(60)) <= 60 + 10 + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_installation_sends_one_at_a_time() {
    let world = World::new();
    world.forge.permits.forget_permits(Semaphore::MAX_PERMITS);
    world.queue(1, [set_phase(1, "phase/plan"), set_phase(2, "phase/plan")]).await;
    world.queue(2, [set_phase(3, "phase/plan")]).await;
    let ((), ()) = tokio::join!(world.bot.idle(), async {
        for n in 1..=3 {
            while world.forge.sent().len() < n {
                tokio::task::yield_now().await;
            }
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(world.forge.sent().len(), n, "the next waits for the one under way");
            world.forge.permits.add_permits(1);
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_is_made_within_the_published_limits() {
    let world = World::new();
    world.queue(1, (1..=700).map(open_issue)).await;
    world.run(SignedDuration::from_hours(2)).await;
    let sent = world.forge.sent();
    assert_eq!(sent.len(), 700);
    let in_a_minute = most_in(&sent, SignedDuration::from_mins(1));
    let in_an_hour = most_in(&sent, SignedDuration::from_hours(1));
    assert!(in_a_minute <= 80, "{in_a_minute} in a minute");
    assert!(in_an_hour <= 500, "{in_an_hour} in an hour");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_installation_is_asked_nothing() {
    let world = World::new();
    let until = world.clock.now().checked_add(SignedDuration::from_mins(10)).unwrap();
    world.forge.apply_with(move |_, effect, number| match number {
        3 => Err(ForgeError::RateLimited { until }),
        _ => Ok(obey(effect)),
    });
    world.queue(1, (1..=50).map(|n| set_phase(n, "phase/plan"))).await;
    world.queue(1, [rollback()]).await;
    world.run(SignedDuration::from_mins(30)).await;
    let sent = world.forge.sent();
    assert_eq!(sent.len(), 52, "51 effects, one of them twice");
    assert!(sent[..4].iter().all(|s| s.at < until));
    assert!(sent[4..].iter().all(|s| s.at >= until), "no request while parked");
    let effects = world.store.effects(false, 100).await.unwrap();
    assert!(effects.iter().all(|e| e.state == EffectState::Done && e.attempts == 0), "a limit is no attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_work_later_is_tried_for_a_day() {
    let world = World::new();
    let works = Arc::new(AtomicBool::new(false));
    world.forge.apply_with({
        let works = works.clone();
        move |_, effect, _| {
            if works.load(Ordering::SeqCst) { Ok(obey(effect)) } else { Err(ForgeError::Transient("502".to_owned())) }
        }
    });
    world.queue(1, [set_phase(1, "phase/plan")]).await;
    world.run(SignedDuration::from_hours(1)).await;
    let tries = world.forge.sent().len();
    assert!((12..200).contains(&tries), "{tries} tries in an hour");
    works.store(true, Ordering::SeqCst);
    world.run(SignedDuration::from_mins(6)).await;
    assert_eq!(world.effect("phase/1").await.state, EffectState::Done);

    works.store(false, Ordering::SeqCst);
    world.queue(1, [set_phase(2, "phase/plan")]).await;
    world.run(SignedDuration::from_hours(25)).await;
    let given_up = world.effect("phase/2").await;
    assert_eq!(given_up.state, EffectState::Dead);
    assert!(given_up.note.contains("502"), "{}", given_up.note);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_looked_for_three_times() {
    let world = World::new();
    world.forge.apply_with(|_, _, _| Err(ForgeError::NotFound("404".to_owned())));
    world.queue(1, [set_phase(1, "phase/plan")]).await;
    world.run(SignedDuration::from_mins(5)).await;
    assert_eq!(world.forge.sent().len(), 3);
    assert_eq!(world.effect("phase/1").await.state, EffectState::Dropped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_for_good_is_not_repeated() {
    let world = World::new();
    world.forge.apply_with(|_, _, _| Err(ForgeError::Permanent("403 forbidden".to_owned())));
    world.queue(1, [set_phase(1, "phase/plan")]).await;
    world.run(SignedDuration::from_mins(5)).await;
    assert_eq!(world.forge.sent().len(), 1);
    let effect = world.effect("phase/1").await;
    assert_eq!(effect.state, EffectState::Dead);
    assert!(effect.note.contains("403"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubtful_create_is_looked_up_later_and_a_doubtful_dispatch_never_resent() {
    let world = World::new();
    world.forge.apply_with(|_, effect, number| match (effect, number) {
        (Effect::AnswerProtection { .. }, _) | (_, 0 | 1) => Err(ForgeError::Doubt("the line broke".to_owned())),
        _ => Ok(Applied::default()),
    });
    world.queue(1, [rollback(), open_issue(1)]).await;
    world.run(SignedDuration::from_mins(10)).await;
    let sent = world.forge.sent();
    let (creates, others): (Vec<_>, Vec<_>) =
        sent.iter().partition(|sent| matches!(sent.effect, Effect::OpenIssue { .. }));
    assert_eq!(others.len(), 1, "{sent:?}");
    assert_eq!(world.effect("rollback").await.state, EffectState::Dead);
    assert_eq!(world.effect("issue/1").await.state, EffectState::Done);
    let [first, second] = creates.as_slice() else { panic!("{sent:?}") };
    assert!(!first.context.in_doubt && second.context.in_doubt, "{sent:?}");
    assert!(second.at.duration_since(first.at) >= SignedDuration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_half_sent_is_in_doubt() {
    let world = World::new();
    world.forge.permits.forget_permits(Semaphore::MAX_PERMITS);
    world.queue(1, [rollback()]).await;
    world.queue(2, [open_issue(1)]).await;
    let World { store, forge, clock, bot } = world;
    let effects = store.effects(false, 2).await.unwrap();
    drop(bot);
    for effect in effects {
        assert!(store.mark_sending(effect.id, effect.version, &[]).await.unwrap());
    }
    forge.permits.add_permits(1000);
    forge.sent.lock().unwrap().clear();
    let world = World::over(store, forge, clock, Mode::Label, BotSettings::default());
    world.run(SignedDuration::from_secs(9)).await;
    assert!(world.forge.sent().is_empty(), "lists lag: too early to look");
    world.run(SignedDuration::from_secs(2)).await;
    let sent = world.forge.sent();
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|sent| sent.context.in_doubt), "only looked for");
    assert_eq!(world.effect("rollback").await.state, EffectState::Done);
    assert_eq!(world.effect("issue/1").await.state, EffectState::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_adapter_is_tried_again_and_stops_nothing() {
    let world = World::new();
    world.forge.apply_with(|_, effect, number| {
        assert_ne!(number, 0, "told to");
        Ok(obey(effect))
    });
    world.queue(1, [set_phase(1, "phase/plan")]).await;
    world.run(SignedDuration::from_mins(1)).await;
    assert_eq!(world.effect("phase/1").await.state, EffectState::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_replaced_while_under_way_is_sent_as_it_is_now() {
    let world = World::new();
    world.forge.permits.forget_permits(Semaphore::MAX_PERMITS);
    world.queue(1, [set_phase(1, "phase/plan")]).await;
    let ((), ()) = tokio::join!(world.bot.idle(), async {
        while world.forge.sent().is_empty() {
            tokio::task::yield_now().await;
        }
        world.queue(1, [set_phase(1, "phase/code")]).await;
        world.forge.permits.add_permits(2);
    });
    let labels: Vec<_> = world
        .forge
        .sent()
        .into_iter()
        .filter_map(|s| match s.effect {
            Effect::SetPhase { label, .. } => label.map(|l| l.name),
            _ => None,
        })
        .collect();
    assert_eq!(labels, ["phase/plan", "phase/code"]);
    assert_eq!(world.effect("phase/1").await.state, EffectState::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_is_noted_however_long_the_store_takes_and_sent_once() {
    let world = World::new();
    world.store.failing_finishes.store(3, Ordering::SeqCst);
    world.take_in(&issue("a", 1, 12)).await;
    world.bot.idle().await;
    assert_eq!(world.forge.sent().len(), 1);
    assert_eq!(world.effect("phase/12").await.state, EffectState::Done);
    let facts = world.store.facts(&repo(1)).await.unwrap();
    assert!(facts.iter().any(|d| d.body.as_ref().is_some_and(|b| b.contains("phase/plan"))), "learnt: {facts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_keeps_effects_and_resuming_sends_them() {
    let world = World::new();
    world.bot.pause();
    world.take_in(&issue("a", 1, 12)).await;
    world.bot.idle().await;
    assert!(world.forge.sent().is_empty());
    world.bot.resume();
    world.bot.idle().await;
    assert_eq!(world.forge.sent().len(), 1);
    assert!(world.bot.shutdown(Duration::from_secs(5)).await);
}
