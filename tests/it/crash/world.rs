//! A simulated forge, the program under test, and the delivery between them.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use phasebot::{
    app::clock::SystemClock,
    domain::{
        effect::Effect,
        id::{ForgeName, RepoKey},
    },
    port::{
        clock::Clock,
        store::{Commit, DeliveryFilter, DeliveryRow, DeliveryState, NewEffect, RepositoryRow},
    },
    store,
};
use phasebot_forge_sim::{AppKey, Delivery, Options, Person, SimForge};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::database::{leases_run_out, new_database};

use super::{
    plot::Notice,
    process::{self, Installed, Running},
};

const APP: u64 = 4711;
const SECRET: &str = "a webhook secret";
/// Bearer token of the monitoring system for each connection.
pub const ALERT_TOKEN: &str = "an alert token";
/// Time-out until everything is done.
const PATIENCE: Duration = Duration::from_mins(5);
/// Pause before a rejected delivery is sent again.
const AGAIN: Duration = Duration::from_millis(20);

/// One database and one forge, with a program that is killed and restarted.
pub struct World {
    pub sim: SimForge,
    pub program: Installed,
    pub running: Option<Running>,
    /// Deliveries to send, or to send again.
    waiting: VecDeque<Delivery>,
    /// Deliveries that were answered with 2xx. They are never sent again, except some if `repeats`.
    acknowledged: BTreeSet<String>,
    /// Whether the forge repeats one in ten deliveries although it was acknowledged.
    pub repeats: bool,
    /// Number of these.
    pub repeated: usize,
    /// Notifications that are not acknowledged yet.
    pub notices: VecDeque<Notice>,
    /// Address of the program after its last start.
    address: Option<SocketAddr>,
    /// Crash point of the program after its next start.
    pub dies_at: Option<String>,
    /// Repositories whose deliveries stay in order; those of others may arrive in any order.
    pub orderly: BTreeSet<u64>,
    /// Number of starts of the program.
    pub starts: usize,
    folder: TempDir,
}

impl Drop for World {
    /// Keeps database and log after a failure.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("database and log: {}", self.folder.path().display());
        }
    }
}

impl World {
    /// Creates a forge without repositories, and a program that has never run.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = new_database(&folder.path().join("phasebot.db")).await;
        Self::in_folder(folder, url).await
    }

    /// Creates the same on this database.
    pub async fn on(database_url: String) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), database_url).await
    }

    async fn in_folder(folder: TempDir, database_url: String) -> Self {
        let key = AppKey::from_private_pem(&process::key()).unwrap();
        let options = Options::new(APP, key, SecretString::from(SECRET), Arc::new(SystemClock));
        let sim = SimForge::start(options).await.unwrap();
        let program = Installed {
            database_url,
            api_url: sim.api_url(),
            secret: SECRET.to_owned(),
            app_id: APP,
            log: folder.path().join("log"),
            alerts: Vec::new(),
            mirrored: None,
            variables: Vec::new(),
        };
        process::empty(&program.log);
        Self {
            sim,
            program,
            running: None,
            waiting: VecDeque::new(),
            acknowledged: BTreeSet::new(),
            repeats: false,
            repeated: 0,
            notices: VecDeque::new(),
            address: None,
            dies_at: None,
            orderly: BTreeSet::new(),
            starts: 0,
            folder,
        }
    }

    /// Creates a repository with the App installed; returns a person with write access, and the
    /// installation.
    pub fn repository(&self, full_name: &str) -> (Person, u64) {
        self.sim.create_repo(full_name).unwrap();
        self.sim.set_role(full_name, "ada", "write").unwrap();
        let installation = self.sim.install("ada", &[full_name]).unwrap().made;
        (self.sim.person("ada", full_name).unwrap(), installation)
    }

    /// Adds a repository to an installation; returns a person with write access.
    pub fn add_repository(&self, installation: u64, full_name: &str) -> Person {
        self.sim.create_repo(full_name).unwrap();
        self.sim.set_role(full_name, "ada", "write").unwrap();
        self.sim.change_installation(installation, "ada", &[full_name], &[]).unwrap();
        self.sim.person("ada", full_name).unwrap()
    }

    /// Starts the program; the previous one is dead.
    pub async fn start(&mut self, crash_at: Option<&str>) {
        if self.starts > 0 {
            leases_run_out(&self.program.database_url).await;
        }
        let running = self.program.start(crash_at).await;
        self.deliver_to(running.address);
        self.running = Some(running);
        self.starts += 1;
    }

    /// Sends deliveries and notifications to the program at this address from now on.
    pub fn deliver_to(&mut self, address: SocketAddr) {
        self.sim.set_webhook_url(&format!("http://{address}/webhooks/github"));
        self.address = Some(address);
    }

    /// Sends for `life`, `at_once` deliveries in parallel. Then, if `dies`, the program is killed
    /// in the middle of its work and restarted.
    pub async fn live(&mut self, life: Duration, dies: bool, at_once: usize) {
        let mut running = self.running.take();
        let over = Cell::new(false);
        tokio::join!(
            async {
                tokio::time::sleep(life).await;
                if let Some(running) = running.as_mut().filter(|_| dies) {
                    running.kill();
                }
                over.set(true);
            },
            async {
                while !over.get() {
                    self.post(at_once).await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        );
        self.running = running;
        self.revive().await;
    }

    /// Restarts the program if it has crashed.
    pub async fn revive(&mut self) {
        if self.running.as_mut().is_none_or(Running::ended) {
            let dies_at = self.dies_at.take();
            self.start(dies_at.as_deref()).await;
        }
    }

    /// Sends each pending delivery once, at most `at_once` in parallel. Unacknowledged ones are
    /// sent again later under the same id.
    pub async fn post(&mut self, at_once: usize) {
        self.post_notice().await;
        self.waiting.extend(self.sim.take_pending());
        let mut sending = JoinSet::new();
        for delivery in self.next(at_once) {
            let sim = self.sim.clone();
            sending.spawn(async move {
                let status = sim.send(&delivery).await;
                (delivery, status)
            });
        }
        let mut refused = false;
        while let Some(sent) = sending.join_next().await {
            let (delivery, status) = sent.unwrap();
            if (200..300).contains(&status) {
                let first = self.acknowledged.insert(delivery.guid.clone());
                assert!(first || self.repeats, "an acknowledged delivery was sent again by this test");
                if first && self.repeats && self.acknowledged.len().is_multiple_of(10) {
                    self.repeated += 1;
                    self.waiting.push_back(delivery);
                }
            } else {
                refused = true;
                self.waiting.push_back(delivery);
            }
        }
        if refused {
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Sends the oldest notification; it stays until it is acknowledged.
    async fn post_notice(&mut self) {
        let (Some(notice), Some(address)) = (self.notices.front(), self.address) else { return };
        let url = format!("http://{address}/alerts/{}", notice.connection);
        let status = self.sim.post(&url, ALERT_TOKEN, notice.body.clone()).await;
        if status.is_ok_and(|status| (200..300).contains(&status)) {
            self.notices.pop_front();
        }
    }

    /// Takes out the next deliveries to send. Of an ordered repository, only the oldest is sent,
    /// until it is acknowledged.
    fn next(&mut self, at_once: usize) -> Vec<Delivery> {
        let mut oldest: BTreeMap<u64, u64> = BTreeMap::new();
        for delivery in &self.waiting {
            if let Some(repo) = delivery.repository.filter(|repo| self.orderly.contains(repo)) {
                let first = oldest.entry(repo).or_insert(delivery.id);
                *first = delivery.id.min(*first);
            }
        }
        let mut next = Vec::new();
        for delivery in std::mem::take(&mut self.waiting) {
            let held =
                delivery.repository.and_then(|repo| oldest.get(&repo)).is_some_and(|first| *first != delivery.id);
            if held || next.len() >= at_once {
                self.waiting.push_back(delivery);
            } else {
                next.push(delivery);
            }
        }
        next
    }

    /// Changes the order of the pending deliveries.
    pub fn shuffle(&mut self, mut pick: impl FnMut(usize) -> usize) {
        self.waiting.extend(self.sim.take_pending());
        for last in (1..self.waiting.len()).rev() {
            self.waiting.swap(last, pick(last + 1));
        }
    }

    /// Returns whether every delivery so far is acknowledged.
    fn posted(&mut self) -> bool {
        self.waiting.extend(self.sim.take_pending());
        self.waiting.is_empty() && self.notices.is_empty()
    }

    /// Sends, and restarts the program after crashes, until `done`.
    pub async fn post_until(&mut self, what: &str, mut done: impl FnMut(&SimForge) -> bool) {
        let begun = Instant::now();
        while !(self.posted() && done(&self.sim)) {
            self.revive().await;
            if self.posted() {
                tokio::time::sleep(AGAIN).await;
            } else {
                self.post(1).await;
            }
            let tail = || self.program.log_tail();
            assert!(begun.elapsed() < PATIENCE, "{what} does not come:\n{}", tail());
        }
    }

    /// Continues until nothing is left to send, decide or do.
    pub async fn quiet(&mut self) {
        let begun = Instant::now();
        loop {
            self.post_until("an acknowledgement", |_| true).await;
            self.revive().await;
            // Opens the database only while nobody is killed: the last connection to close cleans
            // up what the next start should find.
            let store = store::open(&self.program.database_url).await.unwrap();
            let stats = store.stats().await.unwrap();
            let left = stats.pending + stats.queued_effects.iter().sum::<u64>();
            if left == 0 && self.posted() {
                assert_eq!((stats.quarantined, stats.dead_deliveries), (0, 0));
                // Workflow dispatches with an unknown result are left to people.
                let dead = store.effects(true, 1000).await.unwrap().into_iter().map(|effect| effect.effect);
                let dead: Vec<_> = dead.filter(|effect| !matches!(effect, Effect::Dispatch { .. })).collect();
                assert!(dead.is_empty(), "given up: {dead:#?}");
                return;
            }
            drop(store);
            assert!(begun.elapsed() < PATIENCE, "{stats:?} is never done:\n{}", self.program.log_tail());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Checks that every acknowledged delivery is stored and decided.
    pub async fn nothing_is_lost(&self) {
        let store = store::open(&self.program.database_url).await.unwrap();
        let listed =
            store.deliveries(&DeliveryFilter { limit: usize::MAX, ..DeliveryFilter::default() }).await.unwrap();
        let decided = |row: &&DeliveryRow| matches!(row.state, DeliveryState::Done | DeliveryState::Ignored);
        let decided: BTreeSet<&str> = listed.iter().filter(decided).map(|row| row.delivery.as_str()).collect();
        let lost: Vec<&String> = self.acknowledged.iter().filter(|id| !decided.contains(id.as_str())).collect();
        assert!(lost.is_empty(), "acknowledged, and lost or not decided: {lost:?} of {listed:?}");
        assert_eq!(listed.len(), decided.len(), "something is not decided: {listed:?}");
    }

    /// Queues comments in the store, as a decision of the program would.
    pub async fn queue_comments(
        &self,
        person: &Person,
        installation: u64,
        full_name: &str,
        item: u64,
        texts: &[String],
    ) {
        let store = store::open(&self.program.database_url).await.unwrap();
        let repo = RepoKey { forge: ForgeName::github(), id: person.repo() };
        let place = RepositoryRow {
            repo: repo.clone(),
            full_name: full_name.to_owned(),
            installation: Some(installation),
            active: true,
        };
        let effects = texts.iter().enumerate().map(|(n, text)| NewEffect {
            key: format!("comment/{n}"),
            replaces: false,
            installation,
            effect: Effect::UpsertComment { item, marker: format!("test:{n}"), body: text.clone(), sticky: false },
            cause: None,
        });
        let commit = Commit {
            repo: Some(repo),
            now: Some(SystemClock.now()),
            repositories: vec![place],
            effects: effects.collect(),
            ..Commit::default()
        };
        store.commit(commit).await.unwrap();
    }
}
