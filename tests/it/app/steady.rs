//! Concurrent or lost events do no lasting harm.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;
use phasebot::{
    domain::{
        event::{ConnectionSeen, ItemChange, Seen},
        id::ForgeName,
    },
    port::{
        clock::Clock,
        forge::{ForgeError, Verified},
        intake::TakeIn,
        store::{Commit, NewEffect, Store},
    },
};

use super::{INSTALLATION, World, event, issue, open_issue, pull, repo, set_phase, start};

/// A repository was renamed while the bot was down; another repository may have the old name by
/// now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_to_the_name_that_the_newest_event_tells() {
    let world = World::new();
    world.take_in(&issue("a", 1, 1)).await;
    world.bot.idle().await;
    let mut later = issue("b", 1, 2);
    later.at = start() + SignedDuration::from_hours(1);
    later.repo.as_mut().unwrap().full_name = "acme/renamed".to_owned();
    world.take_in(&later).await;
    world.bot.idle().await;
    assert_eq!(world.forge.sent().last().unwrap().target.full_name, "acme/renamed");
}

/// 700 comments wait for the hourly limit; a label does not count against it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_do_not_wait_for_the_budget_of_comments() {
    let world = World::new();
    world.queue(1, (1..=700).map(open_issue)).await;
    world.run(SignedDuration::from_mins(15)).await;
    world.queue(1, [set_phase(1000, "phase/code")]).await;
    world.run(SignedDuration::from_mins(5)).await;
    let labels = world.forge.sent().iter().filter(|s| s.effect.kind() == "set_phase").count();
    assert_eq!(labels, 1, "{} others were sent", world.forge.sent().len());
}

/// A person removed the label while the repository was being processed: the effect was cancelled
/// before it was sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_label_that_was_cancelled_is_not_sent() {
    let world = World::new();
    let (store, intake) = (world.store.clone(), world.bot.intake());
    let once = AtomicBool::new(false);
    let handle = tokio::runtime::Handle::current();
    *world.forge.on_answer.lock().unwrap() = Box::new(move |_| {
        if !once.swap(true, Ordering::SeqCst) {
            // While repository 1 is locked for a decision …
            tokio::task::block_in_place(|| {
                handle.block_on(async {
                    let (key, effect) = set_phase(9, "phase/build");
                    let queued = NewEffect { key, replaces: true, installation: INSTALLATION, effect, cause: None };
                    let commit =
                        Commit { repo: Some(repo(1)), now: Some(start()), effects: vec![queued], ..Commit::default() };
                    store.commit(commit).await.unwrap();
                    let body = serde_json::to_vec(&issue("wake", 2, 1)).unwrap();
                    let verified = Verified { event: "e".into(), delivery: "wake".into(), hook: "1".into() };
                    intake.take_in(&ForgeName::github(), verified, body.into()).await.unwrap();
                    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                    // … the decision cancels what is queued, as an opt-out does.
                    let cancel_effects = vec!["phase/9".to_owned()];
                    let commit =
                        Commit { repo: Some(repo(1)), now: Some(start()), cancel_effects, ..Commit::default() };
                    store.commit(commit).await.unwrap();
                });
            });
        }
        Err(ForgeError::Permanent("no".to_owned()))
    });
    world.take_in(&pull("p", 1, 1)).await;
    world.bot.idle().await;
    let nine = world.forge.sent().into_iter().filter(|s| format!("{:?}", s.effect).contains("item: 9")).count();
    assert_eq!(nine, 0, "it had ended before it was sent");
}

/// A dropped label is not forgotten: the next evaluation of the item writes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_dropped_while_suspended_is_set_afterwards() {
    let world = World::new();
    let installation = |name: &str, active: bool| {
        let mut event =
            event(name, 1, Seen::Connection(ConnectionSeen { active, added: Vec::new(), removed: Vec::new() }));
        event.repo = None;
        event
    };
    world.bot.pause();
    world.take_in(&issue("a", 1, 1)).await;
    world.bot.idle().await;
    world.take_in(&installation("suspended", false)).await;
    world.bot.idle().await;
    world.bot.resume();
    world.bot.idle().await;
    world.take_in(&installation("back", true)).await;
    world.bot.idle().await;
    let mut again = issue("again", 1, 1);
    let Seen::Issue(seen) = &mut again.seen else { panic!() };
    seen.updated_at = world.clock.now() + SignedDuration::from_mins(1);
    seen.change = ItemChange::Other;
    world.take_in(&again).await;
    world.run(SignedDuration::from_hours(1)).await;
    assert_eq!(world.forge.sent().len(), 1);
}

/// The App was removed from a repository and installed again; the second event was lost while the
/// bot was down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_whose_events_come_again_is_served_again() {
    let world = World::new();
    world.take_in(&issue("a", 1, 1)).await;
    world.bot.idle().await;
    let mut removed = event(
        "removed",
        1,
        Seen::Connection(ConnectionSeen { active: true, added: Vec::new(), removed: vec![repo(1)] }),
    );
    removed.repo = None;
    world.take_in(&removed).await;
    world.bot.idle().await;
    // GitHub delivers an App only the events of its installations, and its API confirms the
    // installation, too.
    *world.forge.installation.lock().unwrap() = Ok(Some(INSTALLATION));
    let before = world.forge.sent().len();
    let mut later = issue("b", 1, 2);
    later.at += SignedDuration::from_hours(1);
    world.take_in(&later).await;
    world.bot.idle().await;
    assert_eq!(world.forge.sent().len(), before + 1);
}
