//! Runs alerts through the core, with a forge that opens every issue.
//!
//! Steps are those of `tests/scenarios`, where everybody may use every command, and:
//!
//! - `refuse`: the forge does not open the next issue;
//! - `heartbeat prod 5m`: this connection must send a heartbeat at this interval;
//! - `11:00 show 50`: title, text and labels of an issue, and its history;
//! - `11:00 vanish 50`: an issue is deleted without an event;
//! - `11:00 open`: the open incidents, as a gate sees them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use jiff::Timestamp;
use phasebot_core::{
    command::{self, extract::hear, permissions::CallerPermissions, run},
    domain::{
        alert::{AlertRules, ConnectionRules},
        effect::{Effect, ForgeResult},
        event::{Event, ItemChange, ItemSeen, Seen},
        fact::RepoFacts,
        id::{Actor, ItemNumber},
        needs::Answered,
        permission::Role,
        policy::Policy,
    },
    engine::{self, recheck::recheck_before_send},
    incident::open_incidents,
    ingest::{self, Us},
    phase,
    plan::{DecisionContext, EffectOutcome, PartialPlan, PlannedEffect, Recheck},
};

use crate::gallery::Messages;
use crate::scenario::{
    play::{answer, clock},
    world::{Act, Acts, read, repo},
};

/// Number of the first issue that phasebot opens.
const FIRST: ItemNumber = 50;

/// An issue as the forge stores it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Issue {
    pub marker: String,
    pub title: String,
    pub body: String,
    pub labels: BTreeSet<String>,
    pub closed: bool,
    pub comments: Vec<String>,
}

pub struct Stage {
    acts: Acts,
    policy: Policy,
    rules: AlertRules,
    pub facts: RepoFacts,
    pub issues: BTreeMap<ItemNumber, Issue>,
    wake_at: Option<Timestamp>,
    refuse: usize,
    /// Issues that were deleted without an event.
    vanished: BTreeSet<ItemNumber>,
    pub out: String,
    /// Messages for people, for the gallery.
    messages: Messages,
}

/// Returns the messages that people get in the course of the steps.
pub fn messages(steps: &str) -> Messages {
    play(steps).messages
}

pub fn narrate(steps: &str) -> String {
    let mut stage = play(steps);
    let mut out = std::mem::take(&mut stage.out);
    for (short, name) in &stage.acts.world.names {
        out = out.replace(short, name);
    }
    for (index, id) in stage.facts.incidents.keys().enumerate() {
        out = out.replace(id, &format!("ID{}", index + 1));
    }
    out
}

fn play(steps: &str) -> Stage {
    let settings = ["refuse", "heartbeat"];
    let is_setting = |line: &&str| settings.iter().any(|word| line.starts_with(word));
    let is_look = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        words.len() > 1 && ["show", "open", "vanish"].contains(&words[1])
    };
    let plain: Vec<String> = steps
        .lines()
        .filter(|line| !is_setting(line))
        .map(
            |line| if is_look(line) { format!("{} tick {line}", line.split(' ').next().unwrap()) } else { line.into() },
        )
        .collect();
    let mut stage = Stage::new(&plain.join("\n"));
    for line in steps.lines().filter(is_setting) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "refuse" => stage.refuse += 1,
            _ => stage.expect(words[1], words[2].parse().unwrap()),
        }
    }
    let lines: Vec<(String, Option<Event>, Timestamp)> = stage
        .acts
        .lines
        .iter()
        .map(|(line, act)| match act {
            Act::Event(event) => (line.clone(), Some(event.as_ref().clone()), event.at),
            Act::Tick(at) => (line.clone(), None, *at),
        })
        .collect();
    for (line, event, at) in lines {
        stage.until(at);
        let shown = line.split_once(" tick ").map_or(line.as_str(), |(_, rest)| rest);
        writeln!(stage.out, "{}", if line.ends_with(" tick") { &line } else { shown }).unwrap();
        let words: Vec<&str> = shown.split(' ').collect();
        match event {
            Some(event) => stage.event(&event, at),
            None if words.get(1) == Some(&"show") => stage.show(words[2].parse().unwrap(), at),
            None if words.get(1) == Some(&"open") => stage.open(at),
            None if words.get(1) == Some(&"vanish") => drop(stage.vanished.insert(words[2].parse().unwrap())),
            None => stage.advance(at),
        }
    }
    stage
}

impl Stage {
    pub fn new(steps: &str) -> Self {
        let acts = read(steps);
        let policy = crate::policy_of(acts.policy.as_deref());
        Self {
            acts,
            policy,
            rules: AlertRules::default(),
            facts: RepoFacts::new(repo().key),
            issues: BTreeMap::new(),
            wake_at: None,
            refuse: 0,
            vanished: BTreeSet::new(),
            out: String::new(),
            messages: Messages::default(),
        }
    }

    pub fn expect(&mut self, connection: &str, every: jiff::SignedDuration) {
        let rules = ConnectionRules { heartbeat: Some(every), template: None };
        self.rules.connections.insert(connection.to_owned(), rules);
    }

    /// Advances the time from timer to timer.
    pub fn until(&mut self, at: Timestamp) {
        while let Some(due) = self.wake_at.filter(|due| *due < at) {
            let before = self.out.len();
            self.advance(due);
            if self.out.len() > before {
                self.out.insert_str(before, &format!("{} by itself\n", clock(due)));
            }
        }
    }

    fn us() -> Us {
        Us { bot: Some(Actor { id: None, login: "phasebot[bot]".into(), bot: true }) }
    }

    pub fn event(&mut self, event: &Event, now: Timestamp) {
        let observed = ingest::observe(&mut self.facts, event, &self.policy, &Self::us());
        self.command(event, now);
        self.settle(observed.items, now);
        self.advance(now);
    }

    /// Processes a message without its consequences; these are decided when the next timer is due,
    /// a second later at most.
    pub fn observe(&mut self, event: &Event, now: Timestamp) {
        ingest::observe(&mut self.facts, event, &self.policy, &Self::us());
        let soon = now + jiff::SignedDuration::from_secs(1);
        self.wake_at = Some(self.wake_at.map_or(soon, |at| at.min(soon)));
    }

    fn settle(&mut self, mut items: BTreeSet<ItemNumber>, now: Timestamp) {
        for _ in 0..8 {
            let needs = engine::needs(&self.facts, &items, &self.policy, now);
            if needs.is_empty() {
                break;
            }
            for need in needs {
                let answer = answer(&self.acts.world, &need);
                let learnt = ingest::learn(&mut self.facts, &Answered { need, answer, at: now }, &self.policy);
                items.extend(learnt.items);
            }
        }
    }

    fn command(&mut self, event: &Event, now: Timestamp) {
        let Some(request) = hear(event, &self.policy, &Self::us()) else { return };
        let asked_at = event.at;
        let standing = CallerPermissions { role: Ok(Role::Maintain), teams: BTreeMap::new(), head: None, asked_at };
        let terms = DecisionContext { policy: &self.policy, alerts: &self.rules, now, writes_disabled: None };
        for told in run::run(&mut self.facts, &request, &standing, &terms).notes {
            writeln!(self.out, "    {told}").unwrap();
        }
    }

    /// Advances until nothing more follows at this time.
    pub fn advance(&mut self, now: Timestamp) {
        for round in 0.. {
            assert!(round < 50, "it never comes to rest");
            let terms = DecisionContext { policy: &self.policy, alerts: &self.rules, now, writes_disabled: None };
            let advanced = engine::advance(&mut self.facts, &terms);
            self.wake_at = advanced.wake_at;
            assert!(advanced.wake_at.is_none_or(|at| at > now), "it would wake at once");
            let PartialPlan { effects, items, .. } = advanced;
            self.settle(items, now);
            if effects.is_empty() {
                return;
            }
            let mut effects: VecDeque<PlannedEffect> = effects.into();
            while let Some(wish) = effects.pop_front() {
                self.effect(&wish, now);
            }
        }
    }

    fn effect(&mut self, wish: &PlannedEffect, now: Timestamp) {
        if let Some(item) = wish.effect.item().filter(|item| self.vanished.contains(item)) {
            let terms = DecisionContext { policy: &self.policy, alerts: &self.rules, now, writes_disabled: None };
            if recheck_before_send(&self.facts, &wish.effect, &terms) == Recheck::Send {
                writeln!(self.out, "    #{item} was deleted, says the forge").unwrap();
                ingest::deleted(&mut self.facts, item, now);
            }
            return;
        }
        let said = match &wish.effect {
            Effect::OpenIssue { marker, title, body, labels, .. } => {
                let number = FIRST + ItemNumber::try_from(self.issues.len()).unwrap();
                let refused = self.refuse > 0;
                self.refuse = self.refuse.saturating_sub(1);
                let outcome = if refused {
                    EffectOutcome::Failed("issues are turned off")
                } else {
                    EffectOutcome::Done { told: None, made: None, issue: Some(number) }
                };
                let terms = DecisionContext { policy: &self.policy, alerts: &self.rules, now, writes_disabled: None };
                engine::ended(&mut self.facts, &wish.effect, &wish.key, outcome, &terms);
                let names: BTreeSet<String> = labels.iter().map(|look| look.name.clone()).collect();
                let told = names.iter().cloned().collect::<Vec<_>>().join(" ");
                if refused {
                    format!("refused: {title}")
                } else {
                    let same = self.issues.values().any(|issue| issue.marker == *marker);
                    assert!(!same, "{marker} was opened twice");
                    let (marker, title, body) = (marker.clone(), title.clone(), body.clone());
                    let said = format!("#{number} opened: {title} [{told}]");
                    let issue = Issue { marker, title, body, labels: names, ..Issue::default() };
                    self.issues.insert(number, issue);
                    self.echo(number, ItemChange::Opened, now);
                    said
                }
            }
            Effect::EditIssue { item, title, body, .. } => {
                let issue = self.issues.get_mut(item).unwrap();
                let retitled = if issue.title == *title { String::new() } else { format!(": {title}") };
                (issue.title, issue.body) = (title.clone(), body.clone());
                format!("#{item} edited{retitled}")
            }
            Effect::SetIssueState { item, open } => {
                self.issues.get_mut(item).unwrap().closed = !open;
                self.echo(*item, if *open { ItemChange::Reopened } else { ItemChange::Closed }, now);
                format!("#{item} {}", if *open { "reopened" } else { "closed" })
            }
            Effect::SetLabels { item, add, remove } => {
                let on = &mut self.issues.get_mut(item).unwrap().labels;
                let before = on.clone();
                on.retain(|name| !remove.contains(name));
                on.extend(add.iter().map(|look| look.name.clone()));
                let mut told: Vec<String> = on.difference(&before).map(|name| format!("+{name}")).collect();
                told.extend(before.difference(on).map(|name| format!("-{name}")));
                format!("#{item} {}", told.join(" "))
            }
            Effect::UpsertComment { item, body, .. } => {
                self.messages.add_effect(&wish.effect);
                if let Some(issue) = self.issues.get_mut(item) {
                    issue.comments.push(body.clone());
                }
                format!("#{item} comment: {body}")
            }
            // Starts immediately, as run 801.
            Effect::Dispatch { sha, environment, .. } => {
                let told = ForgeResult::Started { run: Some(801), sha: None, pinned: true };
                let outcome = EffectOutcome::Done { told: Some(&told), made: None, issue: None };
                let terms = DecisionContext { policy: &self.policy, alerts: &self.rules, now, writes_disabled: None };
                engine::ended(&mut self.facts, &wish.effect, &wish.key, outcome, &terms);
                format!("dispatched: {} to {environment}", sha.short())
            }
            Effect::SetCheck { name, sha, verdict, .. } => format!("check {name} on {}: {verdict:?}", sha.short()),
            Effect::Assign { item, logins, .. } => format!("#{item} assign {}", logins.join(" ")),
            other => format!("{other:?}"),
        };
        writeln!(self.out, "    {said}").unwrap();
    }

    /// The delivery that phasebot's own change of an issue causes.
    fn echo(&mut self, number: ItemNumber, change: ItemChange, now: Timestamp) {
        let issue = &self.issues[&number];
        let item = ItemSeen {
            number,
            is_pull: false,
            title: issue.title.clone(),
            body: format!("<!-- phasebot:{} -->\n{}", issue.marker, issue.body),
            author: Some(Actor { id: None, login: "phasebot[bot]".into(), bot: true }),
            association: phasebot_core::domain::event::Association::Other,
            created_at: now,
            updated_at: now,
            open: !issue.closed,
            closed_at: issue.closed.then_some(now),
            close_reason: None,
            labels: Some(issue.labels.clone()),
            locked: false,
            change,
        };
        let event = Event {
            name: "issues".into(),
            installation: Some(1),
            repo: Some(repo()),
            sender: item.author.clone(),
            at: now,
            seen: Seen::Issue(Box::new(item)),
        };
        ingest::observe(&mut self.facts, &event, &self.policy, &Self::us());
    }

    fn show(&mut self, number: ItemNumber, now: Timestamp) {
        let derived = phase::derive(&self.facts, number, &self.policy, now);
        if let Some(issue) = self.issues.get(&number) {
            let labels: Vec<&str> = issue.labels.iter().map(String::as_str).collect();
            self.messages.add("Feedback issue", &format!("#{number}"), &issue.title, &issue.body);
            writeln!(self.out, "    | {} [{}]", issue.title, labels.join(" ")).unwrap();
            for line in issue.body.lines() {
                writeln!(self.out, "{}", format!("    | {line}").trim_end()).unwrap();
            }
        }
        for step in &derived.history {
            let to = step.to.as_deref().unwrap_or("none");
            writeln!(self.out, "    {} {to}: {}", clock(step.at), step.reason.sentence).unwrap();
        }
        let comment = command::status_comment::render(&self.facts, &derived, &self.policy, now);
        for line in comment.iter().flat_map(|text| text.lines()).filter(|line| line.contains("Suspected of")) {
            writeln!(self.out, "    status comment: {line}").unwrap();
        }
    }

    fn open(&mut self, now: Timestamp) {
        for open in open_incidents(&self.facts, &self.policy, None, now) {
            let issue = open.issue.map_or_else(|| "no issue".to_owned(), |n| format!("#{n}"));
            let place = open.environment.as_deref().unwrap_or("nowhere");
            let ends = open.ends_at.map_or_else(String::new, |at| format!(", over at {}", clock(at)));
            writeln!(self.out, "    {issue} {} in {place} since {}{ends}", open.title, clock(open.since)).unwrap();
        }
    }
}
