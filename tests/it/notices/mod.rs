//! Notices: the bot with a receiver for each kind of target. What happens on the simulated forge leads
//! over real signed HTTP to a decision, and that to a real request.

mod cli;
mod doubt;
mod finding;
mod kinds;
mod pace;
pub mod receiver;
mod sent;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use phasebot::{
    app::clock::SimClock,
    domain::{
        id::{ForgeName, RepoKey},
        notice::{Notice, NoticeKind, NoticeLink},
    },
    port::{
        clock::Clock as _,
        store::{Commit, NewNotice, StoredNotice},
    },
};
use phasebot_forge_sim::NewCommit;

use self::receiver::Receiver;
use crate::flow::{REPO, Setup, World};

/// Secret of the webhook `ops`.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// A policy that sends the usual kinds to `ops`.
pub const POLICY: &str = "notices: [{ to: ops }]\n";

/// The bot, the forge and the receiver.
pub struct Stage {
    pub world: World,
    pub receiver: Receiver,
}

/// Returns the settings of a webhook at an address.
pub fn webhook(url: &str) -> String {
    format!(
        "[notices.ops]\nkind = \"webhook\"\nurl = \"{url}/hook\"\nsecrets = [\"{SECRET}\"]\nrepositories = [\"{REPO}\"]\n"
    )
}

impl Stage {
    /// Starts them. `settings` returns the settings for the receiver's address.
    pub async fn new(settings: impl Fn(&str) -> String, policy: &'static str) -> Self {
        let clock = Arc::new(SimClock::new("2026-03-02T09:00:00.5Z".parse().unwrap()));
        let receiver = Receiver::start().await;
        let alerts = Box::leak(settings(&receiver.url).into_boxed_str());
        let setup = Setup { alerts, policy, clock: Some(clock), ..Setup::default() };
        let world = World::with(setup).await;
        world.person("bob").push("main", &[NewCommit::from("Begin")]).unwrap();
        world.minute().await;
        Self { world, receiver }
    }

    /// Fails a deployment of `main`.
    pub async fn fail(&self, environment: &str) {
        let id = self.world.deploy("main", environment);
        self.world.deployed(id, "failure");
        self.world.minute().await;
    }

    /// Queues a notice, as a decision does, and lets a minute pass.
    pub async fn say(&self, notice: Notice) {
        self.queue(vec![notice]).await;
        self.world.minute().await;
    }

    /// Queues notices to `ops`, and lets phasebot look for them.
    pub async fn queue(&self, notices: Vec<Notice>) {
        self.put(notices).await;
        self.world.bot.resume();
    }

    /// Queues notices to `ops`. While phasebot is paused, it does not see them.
    pub async fn put(&self, notices: Vec<Notice>) {
        let repo = RepoKey { forge: ForgeName::github(), id: self.world.forge_id() };
        let notices = notices.into_iter().map(|notice| NewNotice { target: "ops".to_owned(), notice }).collect();
        let now = Some(self.world.clock.now());
        let commit = Commit { repo: Some(repo), now, notices, ..Commit::default() };
        self.world.store.commit(commit).await.unwrap();
    }

    pub async fn hours(&self, hours: i64) {
        self.world.run(SignedDuration::from_hours(hours)).await;
    }

    /// Returns the notices in the store, oldest first.
    pub async fn stored(&self) -> Vec<StoredNotice> {
        let mut all = self.world.store.notices(1000).await.unwrap();
        all.reverse();
        all
    }
}

/// Returns a notice of a thread.
pub fn notice(kind: NoticeKind, thread: &str, headline: &str) -> Notice {
    Notice {
        thread: thread.to_owned(),
        kind,
        is_news: true,
        repository: REPO.to_owned(),
        environment: Some("production".to_owned()),
        headline: headline.to_owned(),
        lines: vec!["Requested by bob (#1)".to_owned()],
        links: vec![NoticeLink { words: "#1".to_owned(), url: "https://github.com/acme/shop/issues/1".to_owned() }],
        needs_person: kind == NoticeKind::PersonNeeded,
        at: Timestamp::UNIX_EPOCH,
    }
}
