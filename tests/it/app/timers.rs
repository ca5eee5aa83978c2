//! Timers of items whose derivation fails.

use phasebot::{
    app::{Alerts, Bot, BotSettings, EventConnections, Notices, Parts, PolicySource, clock::SimClock},
    domain::{
        fact::policy::PolicyFiles,
        id::RepoKey,
        policy::{Mode, Policy},
        timer::TimerKey,
    },
    port::store::{Commit, Store},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::FutureExt;
use jiff::SignedDuration;

use super::{policy, repo, start};
use crate::support::{memory_store::MemoryStore, scripted_forge::ScriptedForge};

const SOON: SignedDuration = SignedDuration::from_mins(1);

/// Panics once, after a decision on the first item.
struct Trap {
    store: Arc<MemoryStore>,
    policy: Arc<Policy>,
    armed: AtomicBool,
}

impl PolicySource for Trap {
    fn policy(&self, _: &RepoKey, _: &PolicyFiles) -> Arc<Policy> {
        if self.armed.swap(false, Ordering::SeqCst) {
            let timers = vec![(TimerKey::Item(1), Some(start() + SOON))];
            let commit = Commit { repo: Some(repo(1)), now: Some(start()), timers, ..Commit::default() };
            self.store.commit(commit).now_or_never().unwrap().unwrap();
            panic!("told to");
        }
        self.policy.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_derived_is_put_off_and_nothing_newer() {
    let store: Arc<MemoryStore> = Arc::default();
    let timers = vec![(TimerKey::Item(1), Some(start())), (TimerKey::Item(2), Some(start()))];
    store.commit(Commit { repo: Some(repo(1)), now: Some(start()), timers, ..Commit::default() }).await.unwrap();
    let clock = Arc::new(SimClock::new(start()));
    let trap = Trap { store: store.clone(), policy: Arc::new(policy(Mode::Label)), armed: AtomicBool::new(true) };
    let bot = Bot::start(Parts {
        store: store.clone(),
        forges: vec![Arc::new(ScriptedForge::new(clock.clone()))],
        clock,
        policies: Arc::new(trap),
        alerts: Alerts::default(),
        events: EventConnections::default(),
        notices: Notices::default(),
        settings: BotSettings::default(),
    });
    bot.idle().await;
    let due = store.due_timers(start() + SignedDuration::from_hours(2), 9).await.unwrap();
    let due: Vec<_> =
        due.into_iter().map(|timer| (timer.key.item().unwrap(), timer.at.duration_since(start()))).collect();
    assert_eq!(due, [(1, SOON), (2, SignedDuration::from_hours(1))]);
}
