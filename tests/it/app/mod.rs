//! The app with a store in memory and a scripted forge, in simulated time.

mod clock;
mod deliveries;
mod effects;
mod postgres;
mod steady;
mod tenants;
mod timers;

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use phasebot::{
    app::{Alerts, Bot, BotSettings, EventConnections, Notices, Parts, clock::SimClock},
    domain::{
        effect::{Effect, LabelSpec},
        event::{Association, Event, ItemChange, ItemSeen, PullSeen, RepoSeen, Seen, StackSeen},
        id::{Account, AccountId, Actor, ConnectionId, ForgeName, ItemId, RepoKey},
        policy::{CheckRules, Evidence, EvidenceKind, Ignore, Mode, PhaseRule, Policy},
    },
    port::{
        clock::Clock,
        forge::Verified,
        intake::TakeIn,
        store::{Accepted, Commit, DeliveryRow, NewEffect, RepositoryRow, Seq, Store, StoredEffect},
    },
};

use crate::support::{memory_store::MemoryStore, scripted_forge::ScriptedForge};

pub const INSTALLATION: ConnectionId = 7;

/// A running bot with its environment.
pub struct World {
    pub store: Arc<MemoryStore>,
    pub forge: Arc<ScriptedForge>,
    pub clock: Arc<SimClock>,
    pub bot: Bot,
}

pub fn start() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub fn repo(id: u64) -> RepoKey {
    RepoKey { forge: ForgeName::github(), id }
}

impl World {
    pub fn new() -> Self {
        Self::with(Mode::Label, BotSettings::default())
    }

    pub fn with(mode: Mode, settings: BotSettings) -> Self {
        let clock = Arc::new(SimClock::new(start()));
        let forge = Arc::new(ScriptedForge::new(clock.clone()));
        Self::over(Arc::default(), forge, clock, mode, settings)
    }

    pub fn over(
        store: Arc<MemoryStore>,
        forge: Arc<ScriptedForge>,
        clock: Arc<SimClock>,
        mode: Mode,
        settings: BotSettings,
    ) -> Self {
        let bot = Bot::start(Parts {
            store: store.clone(),
            forges: vec![forge.clone()],
            clock: clock.clone(),
            policies: Arc::new(Arc::new(policy(mode))),
            alerts: Alerts::default(),
            events: EventConnections::default(),
            notices: Notices::default(),
            settings,
        });
        Self { store, forge, clock, bot }
    }

    pub async fn take_in_raw(&self, event: &str, delivery: &str, body: impl Into<bytes::Bytes>) -> Accepted {
        let verified = Verified { event: event.to_owned(), delivery: delivery.to_owned(), hook: "1".to_owned() };
        self.bot.intake().take_in(&ForgeName::github(), verified, body.into()).await.unwrap()
    }

    /// Accepts an event; its name is its delivery id.
    pub async fn take_in(&self, event: &Event) -> Seq {
        match self.take_in_raw("event", &event.name, serde_json::to_vec(event).unwrap()).await {
            Accepted::New(seq) | Accepted::Duplicate(seq) => seq,
        }
    }

    pub async fn delivery(&self, seq: Seq) -> DeliveryRow {
        self.store.delivery(seq).await.unwrap().unwrap().row
    }

    pub async fn effect(&self, key: &str) -> StoredEffect {
        let effects = self.store.effects(false, usize::MAX).await.unwrap();
        effects.into_iter().find(|e| e.key == key).unwrap_or_else(|| panic!("no effect {key}"))
    }

    /// Advances simulated time by `by`, stopping at each time that somebody waits for.
    pub async fn run(&self, by: SignedDuration) {
        let end = self.clock.now().checked_add(by).unwrap();
        loop {
            self.bot.idle().await;
            match self.bot.next_wake() {
                Some(at) if at <= end => self.clock.set(at),
                _ => break,
            }
        }
        self.clock.set(end);
        self.bot.idle().await;
    }

    /// Registers a repository, and queues effects there.
    pub async fn queue(&self, id: u64, effects: impl IntoIterator<Item = (String, Effect)>) {
        let row = RepositoryRow {
            repo: repo(id),
            full_name: format!("acme/shop-{id}"),
            installation: Some(INSTALLATION),
            active: true,
        };
        let effects = effects.into_iter().map(|(key, effect)| NewEffect {
            key,
            replaces: effect.kind() == "set_phase",
            installation: INSTALLATION,
            effect,
            cause: None,
        });
        let commit = Commit {
            repo: Some(repo(id)),
            now: Some(self.clock.now()),
            repositories: vec![row],
            effects: effects.collect(),
            ..Commit::default()
        };
        self.store.commit(commit).await.unwrap();
    }
}

pub fn label(name: &str) -> LabelSpec {
    LabelSpec { name: name.to_owned(), color: "0072b2".to_owned(), description: String::new() }
}

pub fn set_phase(item: ItemId, name: &str) -> (String, Effect) {
    let effect = Effect::SetPhase { item, label: Some(label(name)), phase_labels: BTreeSet::from([name.to_owned()]) };
    (format!("phase/{item}"), effect)
}

pub fn open_issue(number: u64) -> (String, Effect) {
    let (marker, title, body) = (format!("incident:{number}"), "Down".to_owned(), String::new());
    (format!("issue/{number}"), Effect::OpenIssue { marker, title, body, labels: Vec::new(), gate: None })
}

/// Returns an effect in the safety lane whose result may be unknown.
pub fn rollback() -> (String, Effect) {
    let (environment, comment) = ("production".to_owned(), "It waits.".to_owned());
    ("rollback".to_owned(), Effect::AnswerProtection { run: 1, environment, approve: None, comment })
}

fn item(number: ItemId, at: Timestamp) -> ItemSeen {
    ItemSeen {
        number,
        is_pull: false,
        title: "A wish".to_owned(),
        body: String::new(),
        author: Some(person()),
        association: Association::Owner,
        created_at: start(),
        updated_at: at,
        open: true,
        closed_at: None,
        close_reason: None,
        labels: Some(BTreeSet::new()),
        locked: false,
        change: ItemChange::Opened,
    }
}

fn person() -> Actor {
    Actor { id: Some(AccountId(1)), login: "ada".to_owned(), bot: false }
}

pub fn event(name: &str, id: u64, seen: Seen) -> Event {
    Event {
        name: name.to_owned(),
        connection: Some(INSTALLATION),
        repo: Some(RepoSeen {
            key: repo(id),
            full_name: format!("acme/shop-{id}"),
            default_branch: Some("main".to_owned()),
            owner: Account { id: Some(AccountId(2)), login: "acme".to_owned() },
            private: None,
            web_host: Some("github.com".into()),
        }),
        sender: Some(person()),
        at: start(),
        seen,
    }
}

/// Returns the event of an opened issue.
pub fn issue(name: &str, id: u64, number: ItemId) -> Event {
    event(name, id, Seen::Issue(Box::new(item(number, start()))))
}

/// Returns the event of an opened pull request.
pub fn pull(name: &str, id: u64, number: ItemId) -> Event {
    let pull = PullSeen {
        item: ItemSeen { is_pull: true, body: "No link in here".to_owned(), ..item(number, start()) },
        draft: false,
        head_ref: "topic".to_owned(),
        head_sha: "1111111111111111111111111111111111111111".parse().unwrap(),
        from_fork: false,
        base_ref: "main".to_owned(),
        merged_at: None,
        merge_sha: None,
        merged_by: None,
        pusher: None,
        stack: StackSeen::Unsaid,
        queued: None,
    };
    event(name, id, Seen::Pull(Box::new(pull)))
}

fn policy(mode: Mode) -> Policy {
    let rule = |name: &str, kind: EvidenceKind| PhaseRule {
        name: name.to_owned(),
        label: format!("phase/{name}"),
        color: "0072b2".to_owned(),
        description: String::new(),
        when: vec![Evidence { kind, labels: Vec::new(), branches: Vec::new() }],
        line: 1,
    };
    Policy {
        source: "built-in".to_owned(),
        version: "1".to_owned(),
        mode,
        phases: vec![rule("plan", EvidenceKind::IssueOpen), rule("code", EvidenceKind::PullRequestOpen)],
        branches: Vec::new(),
        checks: CheckRules { ignore: Vec::new(), settle: SignedDuration::from_secs(60) },
        ignore: Ignore::default(),
        environments: std::collections::BTreeMap::new(),
        services: std::collections::BTreeMap::new(),
        shared: Vec::new(),
        notes: Vec::new(),
        gates: std::collections::BTreeMap::new(),
        freezes: Vec::new(),
        overrides: phasebot::domain::rule::OverrideRule::default(),
        commands: phasebot::domain::policy::CommandRules::default(),
        alerts: phasebot::domain::alert_policy::AlertPolicy::default(),
        insight: phasebot::policy::built_in().insight,
        notices: Vec::new(),
        policy_check_required: false,
    }
}
