//! Runs scenarios with commands against the core, as the app does.
//!
//! Steps are those of `tests/scenarios`, and:
//!
//! - `roles alice=write bob=read`: the roles that the forge reports; other accounts have `none`;
//! - `team sre alice`: alice is a member of a team; `team sre left alice`: she no longer is;
//!   `renamed ada bob`: an account gets another login; `mute`: the forge answers no query about
//!   permissions; `mute teams`: none about teams; `mute Named`: no query of this kind, until
//!   `unmute`; `deny Checks`: it refuses queries of this kind, `deny rights` and `deny teams` those
//!   about people;
//! - `head COMMIT [fork]`: the head of a pull request on the forge;
//! - `outcome moved COMMIT | tag-at COMMIT | tag-gone | reran WORKFLOW… [but CHECK] | nothing |
//!   unassignable LOGIN | no-milestone NAME… | failed WHY`: the result of the next forge action;
//!   without it, the action succeeds;
//! - `10:00 comment on 1 by alice`, `review 2 commented by alice`, each followed by the text in
//!   lines `  : …`; `again` at the end delivers it twice, `edited` makes it an edit;
//! - `show 1`: the status comment;
//! - `gates`: every stored decision with its conditions;
//! - `policy`, followed by its text in lines `  : …`: replaces the policy; its consequences are
//!   decided with the next step, because an effect may be sent before that;
//! - `queue checks`, `queue errands`: from now on check runs, or the forge actions of commands,
//!   wait for `send`, too;
//! - `send`: sends the effects of deployments (`sending.rs`).
//!
//! In `mode: act`, gates are evaluated after each step and at each time that one of them waits for.
//! Changes are written to the output with the check run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use jiff::Timestamp;
use phasebot_core::{
    command::{
        conclude::conclude,
        extract::{Request, hear},
        permissions::{CallerPermissions, Unanswered},
        run, status_comment, wait,
    },
    domain::{
        alert::AlertRules,
        decision::Condition,
        effect::{Effect, ForgeResult},
        event::{Event, Seen},
        fact::RepoFacts,
        id::{AccountId, Actor, Sha},
        needs::{Answer, Answered, Need, PullHead},
        permission::Role,
        policy::Policy,
    },
    engine,
    ingest::{self, Us},
    phase,
    plan::{DecisionContext, EffectOutcome, PlannedEffect},
};

use super::sending::Ending;
use crate::gallery::Messages;
use crate::scenario::{
    accounts::Accounts,
    play::{answer, clock, kind},
    world::{Act, Acts, World, read, repo},
};

pub struct Stage {
    pub(super) policy: Policy,
    pub(super) facts: RepoFacts,
    roles: BTreeMap<AccountId, Role>,
    /// Present logins of the accounts.
    accounts: Accounts,
    teams: BTreeSet<(String, AccountId)>,
    head: Option<Sha>,
    head_from_fork: bool,
    mute: bool,
    mute_teams: bool,
    /// Kinds of queries that the forge does not answer, by variant name.
    muted: BTreeSet<String>,
    denied: BTreeSet<String>,
    outcomes: VecDeque<String>,
    names: BTreeMap<String, String>,
    pub(super) out: String,
    world: World,
    wake: Option<Timestamp>,
    /// Queued effects, with their keys.
    pub(super) queued: VecDeque<(String, Effect)>,
    pub(super) sent: Vec<String>,
    /// Keys of all effects that were ever requested.
    pub(super) keys: BTreeSet<String>,
    /// Number of deployments and runs started.
    pub(super) started: u64,
    /// Further kinds of effects that are queued: `checks`, `errands`.
    pub(super) queues: BTreeSet<String>,
    probe: Option<Probe>,
    /// Messages for people, for the gallery.
    pub(super) messages: Messages,
}

/// State at a time when everything is decided again.
pub struct Moment<'a> {
    pub facts: &'a RepoFacts,
    pub policy: &'a Policy,
    /// Queued effects.
    pub queued: Vec<&'a Effect>,
    pub now: Timestamp,
}

/// Callback that inspects each such moment of a scenario.
pub type Probe = Box<dyn FnMut(&Moment<'_>)>;

/// Runs the steps and passes each moment to `probe`.
pub fn probed(steps: &str, probe: Probe) {
    play_with(steps, false, Some(probe));
}

/// Steps that configure the forge or request output.
const SETTINGS: [&str; 14] = [
    "renamed", "readers", "roles", "team", "show", "gates", "head", "send", "outcome", "mute", "unmute", "deny",
    "policy", "queue",
];

/// Placeholder for `"` in a text, because the steps use quotes themselves.
const QUOTE: &str = "\u{1}";

/// Returns the results of the steps as text.
pub fn narrate(steps: &str) -> String {
    let (stage, _) = play(steps, false);
    let mut out = stage.out;
    for (short, name) in &stage.names {
        out = out.replace(short, name);
    }
    while let Some(at) = out.find("0000000") {
        let end = out[at..].find(|c: char| c != '0').map_or(out.len(), |n| at + n);
        out.replace_range(at..end, "");
    }
    out
}

/// Returns the messages that people get in the course of the steps.
pub fn messages(steps: &str) -> Messages {
    play(steps, false).0.messages
}

/// Returns the final state. `doubled`: every delivery arrives twice, and all of them once more at
/// the end.
pub fn ending(steps: &str, doubled: bool) -> Ending {
    let (stage, end) = play(steps, doubled);
    stage.ending(end)
}

/// Returns the final state after all deliveries: in the order of the steps, or in that of `keys`
/// with every third delivery doubled. Runs only events; decides everything after each of them, at
/// the time of the scenario's end.
pub fn in_order(steps: &str, keys: Option<&[u32]>) -> Ending {
    let plain = |line: &&str| {
        let word = line.split(' ').next().unwrap_or_default();
        !SETTINGS.contains(&word) || ["renamed", "readers"].contains(&word)
    };
    let acts = read(&steps.lines().filter(plain).collect::<Vec<_>>().join("\n"));
    let mut order: Vec<usize> = (0..acts.events.len()).collect();
    if let Some(keys) = keys {
        order.extend((0..acts.events.len()).step_by(3));
        let mut keyed: Vec<(u32, usize)> = order.drain(..).zip(keys.iter().cycle()).map(|(i, k)| (*k, i)).collect();
        keyed.sort_unstable();
        order = keyed.into_iter().map(|(_, i)| i).collect();
    }
    let (events, end) = (acts.events.clone(), acts.end);
    let mut stage = Stage::new(acts);
    for index in order {
        stage.event(&events[index]);
        stage.advance(end);
    }
    stage.ending(end)
}

fn play(steps: &str, doubled: bool) -> (Stage, Timestamp) {
    play_with(steps, doubled, None)
}

fn play_with(steps: &str, doubled: bool, probe: Option<Probe>) -> (Stage, Timestamp) {
    let (mut plain, mut extra) = (String::new(), Vec::new());
    for line in steps.lines() {
        let word = line.split(' ').next().unwrap_or_default();
        if let Some(text) = line.strip_prefix("  :") {
            let text = text.strip_prefix(' ').unwrap_or(text).replace('"', QUOTE);
            let Some((place, body)) =
                extra.last_mut().filter(|(place, _): &&mut (usize, String)| *place == plain.lines().count())
            else {
                extra.push((plain.lines().count(), text));
                continue;
            };
            let _ = place;
            body.push('\n');
            body.push_str(&text);
        } else if SETTINGS.contains(&word) {
            // A tick with the words represents the setting among the events.
            let _ = writeln!(plain, "#! {line}");
        } else {
            let _ = writeln!(plain, "{line}");
        }
    }
    // The text belongs to the previous step.
    let bodies: BTreeMap<usize, String> = extra.into_iter().collect();
    let mut texts: VecDeque<String> = VecDeque::new();
    let mut settings: Vec<(usize, String)> = Vec::new();
    let mut steps = String::new();
    let mut events = 0;
    for (index, line) in plain.lines().enumerate() {
        if let Some(setting) = line.strip_prefix("#! ") {
            let body = bodies.get(&(index + 1)).map_or_else(String::new, |body| body.replace(QUOTE, "\""));
            settings.push((events, format!("{setting}\n{body}")));
            // Account names on the forge are read with the events.
            if setting.starts_with("renamed ") {
                let _ = writeln!(steps, "{setting}");
            }
            continue;
        }
        if line.contains(" comment on ") {
            let (head, tail) = line.split_at(line.find(" by ").unwrap());
            let _ = writeln!(steps, "{head} \"\"{tail}");
        } else {
            let _ = writeln!(steps, "{line}");
        }
        let is_step = line.starts_with(|c: char| c.is_ascii_digit());
        if is_step {
            events += 1;
            texts.push_back(bodies.get(&(index + 1)).cloned().unwrap_or_default().replace(QUOTE, "\""));
        }
    }
    let mut acts = read(&steps);
    let lines = std::mem::take(&mut acts.lines);
    let mut stage = Stage::new(acts);
    stage.probe = probe;
    let mut settings = settings.into_iter().peekable();
    let mut now = crate::scenario::world::start();
    let mut late = Vec::new();
    for (index, (line, act)) in lines.iter().enumerate() {
        while let Some((_, setting)) = settings.next_if(|(at, _)| *at == index) {
            stage.set(&setting, now);
        }
        let body = texts.pop_front().unwrap_or_default();
        let event = match act {
            Act::Event(event) => event,
            Act::Tick(at) => {
                stage.until(*at);
                now = *at;
                let _ = writeln!(stage.out, "{line}");
                stage.advance(now);
                continue;
            }
        };
        let mut event = event.as_ref().clone();
        stage.until(event.at);
        now = event.at;
        match &mut event.seen {
            Seen::Comment(comment) => {
                comment.body.clone_from(&body);
                comment.created = !line.ends_with("edited");
            }
            Seen::Review(review) => review.body.clone_from(&body),
            _ => {}
        }
        let _ = writeln!(stage.out, "{}", line.replace(" \"\"", ""));
        for text in body.lines() {
            let _ = writeln!(stage.out, "  : {text}");
        }
        for _ in 0..if doubled || line.ends_with("again") { 2 } else { 1 } {
            stage.event(&event);
            stage.advance(event.at);
        }
        late.extend(doubled.then_some(event));
    }
    for (_, setting) in settings {
        stage.set(&setting, now);
    }
    for event in late {
        stage.event(&event);
        stage.advance(now);
    }
    (stage, now)
}

/// Formats conditions as the record stores them.
fn conditions(all: &[Condition], depth: usize, out: &mut String) {
    for condition in all {
        let standing = format!("{:?}", condition.standing).to_lowercase();
        let next = condition.next_at.map_or_else(String::new, |at| format!(" → {}", clock(at)));
        let _ = writeln!(
            out,
            "{}{} {standing} [{}] {}{next}",
            "    ".repeat(depth),
            condition.name,
            condition.code,
            condition.sentence
        );
        conditions(&condition.parts, depth + 1, out);
    }
}

fn commit(name: &str) -> Sha {
    Sha(format!("{:0<40}", hex::encode(name)))
}

impl Stage {
    fn new(acts: Acts) -> Self {
        Self {
            policy: crate::policy_of(acts.policy.as_deref()),
            facts: RepoFacts::new(repo().key),
            roles: BTreeMap::new(),
            accounts: Accounts::default(),
            teams: BTreeSet::new(),
            head: None,
            head_from_fork: false,
            mute: false,
            mute_teams: false,
            muted: BTreeSet::new(),
            denied: BTreeSet::new(),
            outcomes: VecDeque::new(),
            names: acts.world.names.clone(),
            out: String::new(),
            world: acts.world,
            wake: None,
            queued: VecDeque::new(),
            sent: Vec::new(),
            keys: BTreeSet::new(),
            started: 0,
            queues: BTreeSet::new(),
            probe: None,
            messages: Messages::default(),
        }
    }

    fn set(&mut self, setting: &str, now: Timestamp) {
        let (setting, body) = setting.split_once('\n').unwrap_or((setting, ""));
        let words: Vec<&str> = setting.split(' ').collect();
        match words[0] {
            "policy" => {
                self.policy = crate::policy_of(Some(body));
                self.out.push_str("policy\n");
                for line in body.lines() {
                    let _ = writeln!(self.out, "  : {line}");
                }
            }
            "queue" => drop(self.queues.insert(words[1].to_owned())),
            "roles" => self.roles.extend(words[1..].iter().map(|word| {
                let (login, role) = word.split_once('=').unwrap();
                (self.accounts.id(login), Role::from_name(role).unwrap())
            })),
            "team" if words[2] == "left" => drop(self.teams.remove(&(words[1].to_owned(), self.accounts.id(words[3])))),
            "team" => drop(self.teams.insert((words[1].to_owned(), self.accounts.id(words[2])))),
            "renamed" => self.accounts.rename(words[1], words[2]),
            "readers" => self.world.readers.extend(words[1..].iter().map(|login| self.accounts.id(login))),
            "mute" if words.get(1) == Some(&"teams") => self.mute_teams = true,
            "mute" if words.len() > 1 => drop(self.muted.insert(words[1].to_owned())),
            "mute" => self.mute = true,
            "unmute" => {
                self.muted.clear();
                (self.mute, self.mute_teams) = (false, false);
                self.advance(now);
            }
            "deny" => drop(self.denied.insert(words[1].to_owned())),
            "head" => {
                self.names.insert(commit(words[1]).0[..7].to_owned(), words[1].to_owned());
                self.head = Some(commit(words[1]));
                self.head_from_fork = words.contains(&"fork");
            }
            "outcome" => {
                if words[1] == "moved" {
                    self.names.insert(commit(words[2]).0[..7].to_owned(), words[2].to_owned());
                }
                self.outcomes.push_back(words[1..].join(" "));
            }
            "show" => {
                let item = words[1].parse().unwrap();
                let derived = phase::derive(&self.facts, item, &self.policy, now);
                let text = status_comment::render(&self.facts, &derived, &self.policy, now);
                let _ = writeln!(self.out, "show {item}");
                if let Some(text) = &text {
                    self.messages.add("Status comment", &format!("#{item}"), "", text);
                }
                for line in text.as_deref().unwrap_or("nothing").lines() {
                    let _ = writeln!(self.out, "{}", format!("    | {line}").trim_end());
                }
            }
            "send" => self.send(&words[1..], now),
            "gates" => {
                self.out.push_str("gates\n");
                for gate in self.facts.gates.values() {
                    let _ = writeln!(self.out, "    {} on {}", gate.decision.gate.check(), gate.decision.sha.short());
                    conditions(&gate.decision.conditions, 2, &mut self.out);
                }
            }
            other => panic!("unknown setting {other}"),
        }
    }

    /// Advances the time, stopping whenever a gate changes without an event.
    fn until(&mut self, at: Timestamp) {
        while let Some(wake) = self.wake.filter(|wake| *wake < at) {
            let before = self.out.len();
            let _ = writeln!(self.out, "{} by itself", clock(wake));
            let told = self.out.len();
            self.advance(wake);
            if self.out.len() == told {
                self.out.truncate(before);
            }
            assert!(self.wake.is_none_or(|next| next > wake), "it would wake for ever");
        }
    }

    /// Sends queries, decides, and writes the changes to the output.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.world.now = Some(now);
        for request in wait::due(&self.facts, &self.policy, now) {
            self.request(&request, now);
        }
        let policy = self.policy.clone();
        let terms = DecisionContext { policy: &policy, alerts: &AlertRules::default(), now, writes_disabled: None };
        // New work may need further queries; these are sent a moment later.
        for _ in 0..20 {
            let needs = self.needs(now);
            let asks = !needs.is_empty();
            for need in needs {
                let answer = if self.denied.contains(&kind(&need)) {
                    Answer::Unavailable { why: "403 from the forge".into() }
                } else {
                    self.answer(&need)
                };
                ingest::learn(&mut self.facts, &Answered { need, answer, at: now }, &self.policy);
            }
            if asks {
                continue;
            }
            if let Some(probe) = &mut self.probe {
                let queued = self.queued.iter().map(|(_, effect)| effect).collect();
                probe(&Moment { facts: &self.facts, policy: &policy, queued, now });
            }
            let advanced = engine::advance(&mut self.facts, &terms);
            self.wake = advanced.wake_at;
            for told in &advanced.notes {
                let _ = writeln!(self.out, "    {told}");
            }
            for wish in advanced.effects {
                self.queue(wish);
            }
            if self.needs(now).is_empty() {
                break;
            }
        }
        // Another run must change nothing.
        let again = engine::advance(&mut self.facts, &terms);
        let new = again.effects.iter().any(|wish| wish.replaces || !self.keys.contains(&wish.key));
        assert!(again.changed.is_empty() && !new && again.notes.is_empty(), "{again:?}");
    }

    /// Returns the forge's answer at the present time; for people, as the steps so far say.
    fn answer(&self, need: &Need) -> Answer {
        let denied = |what: &str| self.denied.contains("rights") || self.denied.contains(what);
        match need {
            Need::Role { .. } if denied("rights") => Answer::Unavailable { why: "403 from the forge".into() },
            Need::Member { .. } if denied("teams") => Answer::Unavailable { why: "403 from the forge".into() },
            Need::Role { id, .. } => Answer::Role(self.roles.get(id).copied().unwrap_or_default()),
            Need::Member { id, team, .. } => Answer::Member(self.teams.contains(&(team.clone(), *id))),
            other => answer(&self.world, other),
        }
    }

    /// Returns the queries to send, without those that the forge does not answer.
    fn needs(&self, now: Timestamp) -> Vec<Need> {
        let needs = engine::needs(&self.facts, &BTreeSet::new(), &self.policy, now).into_iter();
        let mute = |need: &Need| match need {
            Need::Role { .. } => self.mute,
            Need::Member { .. } => self.mute || self.mute_teams,
            _ => false,
        };
        needs.filter(|need| !self.muted.contains(&kind(need)) && !mute(need)).collect()
    }

    fn event(&mut self, event: &Event) {
        let us = Us { bot: Some(Actor { id: None, login: "phasebot[bot]".into(), bot: true }) };
        let number = event.seen.item();
        let phase = |facts: &RepoFacts, policy: &Policy| {
            number.map(|n| phase::derive(facts, n, policy, event.at).phase.unwrap_or_else(|| "none".into()))
        };
        ingest::observe(&mut self.facts, event, &self.policy, &us);
        let before = phase(&self.facts, &self.policy);
        let Some(request) = hear(event, &self.policy, &us) else { return };
        self.request(&request, event.at);
        let after = phase(&self.facts, &self.policy);
        if before != after {
            let _ = writeln!(self.out, "    phase {} → {}", before.unwrap_or_default(), after.unwrap_or_default());
        }
    }

    /// Runs commands, as far as the forge reports the permissions of their senders.
    fn request(&mut self, request: &Request, now: Timestamp) {
        if request.undecided(&self.facts).next().is_none() {
            return;
        }
        let asks = run::asks(&self.facts, &self.policy, request);
        let silence = |refused: bool| {
            if refused { Unanswered::refused("no answer") } else { Unanswered::until(now, "no answer") }
        };
        let member = |team: &String| {
            let denied = self.denied.contains("rights") || self.denied.contains("teams");
            if self.mute || self.mute_teams || denied {
                Err(silence(denied))
            } else {
                Ok(request.by.id.is_some_and(|id| self.teams.contains(&(team.clone(), id))))
            }
        };
        let role = if self.mute || self.denied.contains("rights") {
            Err(silence(self.denied.contains("rights")))
        } else {
            Ok(request.by.id.and_then(|id| self.roles.get(&id)).copied().unwrap_or_default())
        };
        let standing = CallerPermissions {
            role,
            teams: asks.teams.iter().map(|team| (team.clone(), member(team))).collect(),
            head: asks.head.then(|| {
                let head = self.head.clone().map(|sha| PullHead { sha, from_fork: self.head_from_fork });
                head.ok_or_else(|| silence(!self.mute))
            }),
            asked_at: now,
        };
        let terms =
            DecisionContext { policy: &self.policy, alerts: &AlertRules::default(), now, writes_disabled: None };
        let ran = run::run(&mut self.facts, request, &standing, &terms);
        for told in &ran.notes {
            let _ = writeln!(self.out, "    {told}");
        }
        let mut effects: VecDeque<PlannedEffect> = ran.effects.into();
        while let Some(wish) = effects.pop_front() {
            if wish.effect.command().is_some() && self.queues.contains("errands") {
                self.queue(wish);
                continue;
            }
            self.effect(&wish.effect);
            if wish.effect.command().is_some() {
                let outcome = self.outcome();
                let told = match &outcome {
                    Ok(told) => EffectOutcome::Done { told: told.as_ref(), made: None, issue: None },
                    Err(why) => EffectOutcome::Failed(why),
                };
                effects.extend(conclude(&mut self.facts, &wish.effect, told, now).effects);
            }
        }
    }

    fn outcome(&mut self) -> Result<Option<ForgeResult>, String> {
        let Some(words) = self.outcomes.pop_front() else { return Ok(None) };
        let words: Vec<&str> = words.split(' ').collect();
        let strings = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let command = self.facts.pull(2).and_then(|p| p.shape.as_ref()).map(|s| s.value.head_sha.clone());
        Ok(Some(match words[0] {
            "moved" => ForgeResult::HeadMoved { known: command.unwrap(), found: commit(words[1]) },
            "reran" => {
                let but = words.iter().position(|w| *w == "but").unwrap_or(words.len());
                let others =
                    words[but..].iter().skip(1).map(|w| ((*w).to_owned(), Some("Jenkins".to_owned()))).collect();
                ForgeResult::Reran { workflows: strings(&words[1..but]), others }
            }
            "unassignable" => ForgeResult::NotAssignable(strings(&words[1..])),
            "no-milestone" => ForgeResult::NoMilestone { known: strings(&words[1..]) },
            "tag-at" => ForgeResult::NameMoved { found: Some(commit(words[1])) },
            "tag-gone" => ForgeResult::NameMoved { found: None },
            "failed" => return Err(words[1..].join(" ")),
            other => panic!("unknown outcome {other}"),
        }))
    }

    pub(super) fn effect(&mut self, effect: &Effect) {
        self.messages.add_effect(effect);
        let text = match effect {
            Effect::React { content, .. } => format!("react {content}"),
            Effect::ReactTo { node, content } => format!("react {content} to {node}"),
            Effect::UpsertComment { item, body, .. } => format!("comment on #{item}\n{body}"),
            Effect::FoldComment { marker, .. } => format!("fold {marker}"),
            Effect::OpenIssue { title, body, .. } => format!("issue {title:?}\n{body}"),
            Effect::Assign { logins, .. } => format!("assign {}", logins.join(" ")),
            Effect::SetMilestone { milestone, .. } => format!("milestone {milestone:?}"),
            Effect::RerunFailed { sha, .. } => format!("rerun at {sha}"),
            other => super::sending::words(other).unwrap_or_else(|| format!("{other:?}")),
        };
        let mut lines = text.lines();
        let _ = writeln!(self.out, "    {}", lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(self.out, "{}", format!("    > {line}").trim_end());
        }
    }
}
