//! Each working command over HTTP: a simulated GitHub, the real adapter, and the app with a store
//! in memory, or on PostgreSQL if a server is available.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use phasebot::{
    app::{Alerts, Bot, BotSettings, EventConnections, Notices, Parts, clock::SimClock},
    forge::github::{GitHub, GitHubConfig},
    policy,
    port::{
        forge::{Forge, Verified},
        intake::TakeIn,
        store::Store,
    },
};
use phasebot_forge_sim::{AppKey, Fault, FaultKind, Matcher, NewPull, Options, Person, SimForge};
use secrecy::SecretString;

use crate::{
    openapi::check_exchange,
    support::{database::on_postgres, memory_store::MemoryStore},
};

const APP: u64 = 4711;
const REPO: &str = "acme/shop";

struct World {
    sim: SimForge,
    bot: Bot,
    clock: Arc<SimClock>,
    store: Arc<dyn Store>,
    forge: Arc<dyn Forge>,
    alice: Person,
}

impl World {
    async fn new(file: Option<&str>) -> Self {
        let start: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
        let clock = Arc::new(SimClock::new(start));
        let (pem, key) = AppKey::generate().unwrap();
        let sim = SimForge::start(Options::new(APP, key, SecretString::from("s"), clock.clone())).await.unwrap();
        sim.create_repo(REPO).unwrap();
        sim.install("acme", &[REPO]).unwrap();
        for (login, role) in [("alice", "maintain"), ("carol", "triage"), ("bob", "read")] {
            sim.set_role(REPO, login, role).unwrap();
        }
        let forge: Arc<dyn Forge> = Arc::new(
            GitHub::new(GitHubConfig {
                name: phasebot::domain::id::ForgeName::github(),
                app_id: APP,
                private_key: SecretString::from(pem),
                webhook_secrets: vec![SecretString::from("s")],
                api_url: sim.api_url(),
                rate_limits: true,
                clock: clock.clone(),
            })
            .unwrap(),
        );
        let store: Arc<dyn Store> = match on_postgres().await {
            Some(url) => phasebot::store::open(&url).await.unwrap(),
            None => Arc::new(MemoryStore::default()),
        };
        let bot = Bot::start(Parts {
            store: store.clone(),
            forges: vec![forge.clone()],
            clock: clock.clone(),
            policies: Arc::new(Arc::new(
                file.map_or_else(policy::built_in, |text| policy::load(".github/phasebot.yml", text).unwrap()),
            )),
            alerts: Alerts::default(),
            events: EventConnections::default(),
            notices: Notices::default(),
            settings: BotSettings::default(),
        });
        let alice = sim.person("alice", REPO).unwrap();
        Self { sim, bot, clock, store, forge, alice }
    }

    /// Delivers all pending webhooks, until nothing changes any more.
    async fn settle(&self) {
        loop {
            let deliveries = self.sim.take_pending();
            for delivery in &deliveries {
                self.take_in(delivery, &delivery.guid.clone()).await;
            }
            // Writes are rate-limited, so time has to pass.
            for _ in 0..20 {
                self.bot.idle().await;
                self.clock.advance(SignedDuration::from_secs(1));
            }
            self.bot.idle().await;
            if deliveries.is_empty() {
                return;
            }
        }
    }

    async fn take_in(&self, delivery: &phasebot_forge_sim::Delivery, id: &str) {
        let verified = Verified { event: delivery.event.clone(), delivery: id.to_owned(), hook: "1".to_owned() };
        self.bot.intake().take_in(self.forge.name(), verified, delivery.body().into()).await.unwrap();
    }

    /// Writes a comment; returns our reactions to it.
    async fn say(&self, who: &str, item: u64, text: &str) -> Vec<String> {
        let comment = self.alice.colleague(who).comment(item, text).unwrap().made;
        self.settle().await;
        self.sim.reactions(REPO, comment).into_iter().collect()
    }

    fn ours(&self, item: u64) -> Vec<String> {
        let all = self.sim.comments(REPO, item).into_iter();
        all.filter(|(by, _)| by == "phasebot[bot]").map(|(_, text)| text).collect()
    }

    fn status_comment(&self, item: u64) -> String {
        let boards: Vec<String> =
            self.ours(item).into_iter().filter(|text| text.starts_with("<!-- phasebot:status -->")).collect();
        assert!(boards.len() <= 1, "one status comment: {boards:#?}");
        boards.into_iter().next().unwrap_or_default()
    }

    fn answers(&self, item: u64) -> Vec<String> {
        self.ours(item).into_iter().filter(|text| text.starts_with("<!-- phasebot:answer:")).collect()
    }

    async fn finish(self) {
        let effects = self.store.effects(true, 100).await.unwrap();
        assert!(effects.is_empty(), "given up: {effects:#?}");
        let faults: Vec<String> = self.sim.requests().iter().filter_map(|e| check_exchange(e).err()).collect();
        assert!(faults.is_empty(), "GitHub would not have understood: {}", faults.join("\n"));
    }
}

const DONE: [&str; 2] = ["eyes", "rocket"];
const REFUSED: [&str; 2] = ["-1", "eyes"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_works_on_an_issue() {
    let world = World::new(None).await;
    let issue = world.alice.open_issue("A wish", "", &[]).unwrap().made;
    world.sim.add_milestone(REPO, "Sprint 5").unwrap();
    world.settle().await;

    assert_eq!(world.say("carol", issue, "/phase test because I say so").await, DONE);
    assert!(world.sim.visible_labels(REPO, issue).contains("phase/test"));
    assert_eq!(world.say("carol", issue, "/phase auto").await, DONE);
    assert!(world.sim.visible_labels(REPO, issue).contains("phase/plan"));
    assert_eq!(world.say("carol", issue, "/assign").await, DONE);
    assert_eq!(world.say("carol", issue, "/assign @alice").await, DONE);
    assert_eq!(world.say("carol", issue, "/milestone sprint 5").await, DONE);
    let assignment = (vec!["carol".to_owned(), "alice".to_owned()], Some("Sprint 5".to_owned()));
    assert_eq!(world.sim.assignment(REPO, issue), assignment);
    assert!(world.ours(issue).is_empty(), "what speaks for itself gets no words: {:?}", world.ours(issue));

    assert_eq!(world.say("bob", issue, "/status").await, ["rocket"]);
    assert!(world.status_comment(issue).contains("### Plan · "), "{}", world.status_comment(issue));
    assert_eq!(world.say("bob", issue, "/why").await, ["rocket"]);
    assert!(world.status_comment(issue).contains("Rule: [`built-in:"), "{}", world.status_comment(issue));
    assert_eq!(world.say("bob", issue, "/help").await, ["rocket"]);
    let status_comment = world.status_comment(issue);
    assert!(status_comment.contains("**Commands for bob** (read access)"), "{status_comment}");
    assert!(status_comment.contains("- people with write access: "), "{status_comment}");

    assert_eq!(world.say("carol", issue, "/hold waits for legal").await, DONE);
    assert!(world.status_comment(issue).contains("⏸️ **Hold** by **carol**"));
    assert!(world.status_comment(issue).contains("Not enforced: "));
    assert_eq!(world.say("carol", issue, "/unhold h1").await, DONE);
    assert!(!world.status_comment(issue).contains("**Hold**"));
    assert_eq!(world.say("alice", issue, "/lock production for=2h hotfix").await, DONE);
    assert!(
        world.status_comment(issue).contains("🔒 **`production` is locked** by **alice**"),
        "{}",
        world.status_comment(issue)
    );
    assert_eq!(world.say("alice", issue, "/unlock production").await, DONE);
    assert!(!world.status_comment(issue).contains("is locked**"));
    assert_eq!(world.say("alice", issue, "/freeze all until=tomorrow 09:00 holidays").await, DONE);
    assert!(
        world.status_comment(issue).contains("🧊 **All environments are frozen** by **alice**")
            && world.status_comment(issue).contains("3\u{a0}Mar\u{a0}09:00")
    );
    assert_eq!(world.say("alice", issue, "/unfreeze all").await, DONE);
    assert_eq!(world.say("alice", issue, "/audit").await, DONE);
    assert!(world.status_comment(issue).contains("**alice** (maintain access)"), "{}", world.status_comment(issue));

    assert!(world.answers(issue).is_empty());
    // The status comment follows the phase without another command.
    world.alice.label(issue, "phase/build").unwrap();
    world.settle().await;
    assert!(world.status_comment(issue).contains("### Build · "), "{}", world.status_comment(issue));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_jobs_run_again_at_the_head_that_was_meant() {
    let world = World::new(None).await;
    world.alice.push("topic", &["one".into()]).unwrap();
    let new = NewPull { head: "topic".to_owned(), title: "Work".to_owned(), ..NewPull::default() };
    let pull = world.alice.open_pull(&new).unwrap().made;
    let run = world.alice.start_run(".github/workflows/ci.yml", "topic", "pull_request").unwrap().made;
    world.alice.complete_run(run, "failure").unwrap();
    let head = world.sim.commit_of(REPO, "topic").unwrap();
    world.alice.colleague("jenkins").status(&head, "ci/jenkins", "failure").unwrap();
    world.settle().await;

    assert_eq!(world.say("carol", pull, "/retest").await, DONE);
    assert_eq!(world.sim.run_state(REPO, run), Some((2, "queued".to_owned())));
    let answers = world.answers(pull);
    assert!(answers[0].contains("re-run `ci/jenkins` in the system that reports it"), "{answers:?}");

    // A push whose event has not arrived yet.
    world.alice.complete_run(run, "failure").unwrap();
    world.settle().await;
    world.alice.push("topic", &["two".into()]).unwrap();
    let moved = world.sim.commit_of(REPO, "topic").unwrap();
    world.sim.take_pending();
    assert_eq!(world.say("carol", pull, "/retest").await, REFUSED);
    let answer = world.answers(pull).pop().unwrap();
    assert!(answer.contains(&head[..7]) && answer.contains(&moved[..7]), "{answer}");
    assert_eq!(world.sim.run_state(REPO, run), Some((2, "completed".to_owned())));
    assert_eq!(world.sim.folded(REPO, pull).len(), 1, "the answer before it is folded away");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_gets_reactions_too() {
    let world = World::new(None).await;
    world.alice.push("topic", &["one".into()]).unwrap();
    let new = NewPull { head: "topic".to_owned(), title: "Work".to_owned(), ..NewPull::default() };
    let pull = world.alice.open_pull(&new).unwrap().made;
    let review = world.alice.colleague("carol").review(pull, "commented", "Fine.\n\n/phase test").unwrap().made;
    world.settle().await;
    assert!(world.sim.visible_labels(REPO, pull).contains("phase/test"));
    assert_eq!(world.sim.reactions(REPO, review).into_iter().collect::<Vec<_>>(), DONE);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_name_the_rule_and_come_once_an_hour() {
    let world = World::new(Some("commands: { permissions: { lock: { teams: [sre] } } }")).await;
    world.sim.add_to_team("acme/sre", "alice");
    let issue = world.alice.open_issue("A wish", "", &[]).unwrap().made;
    world.settle().await;
    assert_eq!(world.say("bob", issue, "/phase test").await, ["-1"]);
    assert_eq!(world.say("carol", issue, "/lock production").await, REFUSED);
    assert_eq!(world.answers(issue).len(), 1, "{:?}", world.answers(issue));
    assert!(world.answers(issue)[0].contains("`bob` has read access, and `/phase` needs triage access"));
    let status_comment = world.status_comment(issue);
    assert!(
        status_comment.contains("members of `sre`"),
        "what is beyond the hour's comment is in the journal: {status_comment}"
    );
    assert_eq!(world.say("alice", issue, "/lock production").await, DONE);
    assert_eq!(world.say("carol", issue, "/assign @stranger").await, REFUSED);
    assert!(world.answers(issue).pop().unwrap().contains("did not assign `stranger`"));
    assert_eq!(world.say("carol", issue, "/milestone Nowhere").await, REFUSED);
    assert!(world.answers(issue).pop().unwrap().contains("There is no milestone `Nowhere`"));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_refused_for_one_lost_answer() {
    let world = World::new(None).await;
    let issue = world.alice.open_issue("A wish", "", &[]).unwrap().made;
    world.settle().await;
    let asked = Matcher::of("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission");
    for (kind, times) in [(FaultKind::Status502Before, 2), (FaultKind::ResetBefore, 1)] {
        world.sim.inject(Fault { matcher: asked.clone(), kind }, times);
        assert_eq!(world.say("alice", issue, "/why").await, DONE, "{kind:?}");
        assert_eq!(world.sim.faults_left(), 0);
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comment_runs_once_however_often_it_comes() {
    let world = World::new(None).await;
    let issue = world.alice.open_issue("A wish", "", &[]).unwrap().made;
    world.settle().await;
    world.alice.comment(issue, "/hold twice?").unwrap();
    let deliveries = world.sim.take_pending();
    for (n, id) in ["a", "b", "c"].iter().enumerate() {
        world.take_in(&deliveries[0], id).await;
        if n == 1 {
            world.bot.idle().await;
        }
    }
    world.settle().await;
    assert!(
        world.status_comment(issue).contains("/unhold h1`") && !world.status_comment(issue).contains("/unhold h2`"),
        "{}",
        world.status_comment(issue)
    );
    world.finish().await;
}
