//! Replicas on one PostgreSQL; one of them takes over another's lease.

use std::{sync::Arc, time::Duration};

use phasebot::{
    app::{Alerts, Bot, BotSettings, EventConnections, Notices, Parts, clock::SimClock},
    domain::{
        effect::Effect,
        event::{ConnectionSeen, Seen},
        id::ForgeName,
        policy::Mode,
    },
    port::{
        clock::Clock,
        forge::{ForgeError, Verified},
        intake::TakeIn,
        store::{Commit, EffectState, LeaseKey, NewEffect, RepositoryRow, Store},
    },
};
use phasebot_forge_sim::{NewCommit, Worker};
use tokio::sync::Semaphore;

use super::{INSTALLATION, event, open_issue, policy, repo, start};
use crate::{
    flow::{REPO, Setup, World},
    store::Database,
    support::{postgres::PostgresDatabase, scripted_forge::ScriptedForge},
};

/// A running replica, and the database as another replica sees it.
struct Replica {
    bot: Bot,
    forge: Arc<ScriptedForge>,
    clock: Arc<SimClock>,
    other: Arc<dyn Store>,
}

impl Replica {
    async fn new() -> Self {
        let database = PostgresDatabase::new().await;
        let (store, other) = (database.open().await, database.open().await);
        let clock = Arc::new(SimClock::new(start()));
        let forge = Arc::new(ScriptedForge::new(clock.clone()));
        let bot = Bot::start(Parts {
            store,
            forges: vec![forge.clone()],
            clock: clock.clone(),
            policies: Arc::new(Arc::new(policy(Mode::Label))),
            alerts: Alerts::default(),
            events: EventConnections::default(),
            notices: Notices::default(),
            settings: BotSettings::default(),
        });
        Self { bot, forge, clock, other }
    }

    async fn queue(&self, (key, effect): (String, Effect)) {
        let full_name = "acme/shop-1".to_owned();
        let place = RepositoryRow { repo: repo(1), full_name, installation: Some(INSTALLATION), active: true };
        let new = NewEffect { key, replaces: false, installation: INSTALLATION, effect, cause: None };
        let commit = Commit {
            repo: Some(repo(1)),
            now: Some(self.clock.now()),
            repositories: vec![place],
            effects: vec![new],
            ..Commit::default()
        };
        self.other.commit(commit).await.unwrap();
        self.bot.resume();
    }
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..300 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} does not come");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn a_failure_says_nothing_of_what_another_replica_is_sending() {
    let replica = Replica::new().await;
    replica.forge.permits.forget_permits(Semaphore::MAX_PERMITS);
    replica.forge.apply_with(|_, _, _| Err(ForgeError::Transient("502".to_owned())));
    replica.queue(open_issue(1)).await;
    until("a request", async || !replica.forge.sent().is_empty()).await;
    let other = &replica.other;
    let leases = other.seize(&[LeaseKey::Installation(ForgeName::github(), INSTALLATION)]).await.unwrap();
    let effect = other.effects(false, 9).await.unwrap().remove(0);
    assert!(other.mark_sending(effect.id, effect.version, &leases).await.unwrap());
    replica.forge.permits.add_permits(1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let left = other.effects(false, 9).await.unwrap().remove(0);
    assert_eq!((left.state, left.attempts), (EffectState::Sending, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn what_an_installation_event_seized_is_free_at_once() {
    let replica = Replica::new().await;
    let added = vec![(repo(1), "acme/shop-1".to_owned()), (repo(2), "acme/shop-2".to_owned())];
    let seen = Seen::Connection(ConnectionSeen { active: true, added, removed: vec![] });
    let event = phasebot::domain::event::Event { repo: None, ..event("installed", 1, seen) };
    let verified = Verified { event: "event".to_owned(), delivery: "1".to_owned(), hook: "1".to_owned() };
    let body = serde_json::to_vec(&event).unwrap().into();
    replica.bot.intake().take_in(&ForgeName::github(), verified, body).await.unwrap();
    replica.bot.idle().await;
    assert!(replica.other.repository(&repo(2)).await.unwrap().unwrap().active);
    let keys = [LeaseKey::of(&repo(1)), LeaseKey::of(&repo(2))];
    assert_eq!(replica.other.lease(&keys).await.unwrap().len(), 2);
}

/// While a workflow is being started, another replica takes the repository for a few seconds.
const TAKEN_MEANWHILE: &str = "
    CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE lease SET owner = 4711, epoch = epoch + 1, until = now() + INTERVAL '4 seconds' WHERE kind = 1;
        RETURN NULL;
    END $$;
    CREATE TRIGGER taken AFTER UPDATE ON effect FOR EACH ROW
    WHEN (NEW.state = 'sending' AND NEW.effect::text LIKE '%Dispatch%') EXECUTE FUNCTION taken();";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn what_was_heard_of_a_workflow_outlasts_a_lease_of_another_replica() {
    const FILE: &str = ".github/workflows/deploy.yml";
    // Its runs cannot be found by our id.
    const WORKFLOW: &str = "on: { workflow_dispatch: { inputs: { phasebot_sha: {} } } }\n";
    const POLICY: &str = "version: 1\nmode: act\nenvironments:\n  staging: \
                          { deploy: { via: workflow_dispatch, workflow: deploy.yml } }\n";
    let database = PostgresDatabase::new().await;
    let store = Some(database.open().await);
    let world = World::with(Setup { policy: POLICY, store, ..Setup::default() }).await;
    let bob = world.person("bob");
    let files = vec![(FILE.to_owned(), Some(WORKFLOW.to_owned()))];
    bob.push("main", &[NewCommit { message: "A workflow".to_owned(), files }]).unwrap();
    let worker = Worker { environment: Some("staging".to_owned()), ..Worker::new(FILE, "workflow_dispatch") };
    bob.add_worker(&worker).unwrap();
    let issue = bob.open_issue("Ship it", "", &[]).unwrap().made;
    world.minute().await;
    database.execute(TAKEN_MEANWHILE).await;
    let comment = bob.comment(issue, "/deploy staging").unwrap().made;
    until("an end", async || {
        world.minute().await;
        bob.work().unwrap();
        let reactions = world.forge.reactions(REPO, comment);
        reactions.contains("rocket") || reactions.contains("-1")
    })
    .await;
    assert_eq!(world.forge.dispatched(REPO).len(), 1);
    assert!(world.forge.reactions(REPO, comment).contains("rocket"), "{:#?}", world.comments_of_ours(issue));
}
