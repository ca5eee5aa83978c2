//! Runs the commands of one comment in order, each seeing what the one before did.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    command::{
        Place, Row,
        extract::Request,
        messages,
        parse::{Call, Line},
        permissions::{self, Asks, CallerPermissions},
        reaction::Reaction,
        reply::{self, AnswerText},
        share::Share,
        wait::{self, Verdict},
    },
    domain::{
        effect::{Effect, RefGuard},
        event::{CloseReason, RefName},
        fact::{
            DocumentKey, RepoFacts,
            command::{CommandAction, CommandFacts, CommandId, Ending},
            deploy_request::{DeployRequest, Origin, RequestKind},
            item::{ItemFacts, OverrideKind, PhaseOverride},
        },
        id::{ItemNumber, Sha},
        permission::Role,
        policy::Policy,
        rule::name_key,
    },
    ingest::Observed,
    phase,
    plan::{DecisionContext, PlannedEffect},
    text,
};

/// Status comments that one guard rewrites: of 500 writes to an installation
/// in an hour a single command must not take more than a few.
const BOARDS_REFRESHED: usize = 20;
/// Commands, newest first, among whose items those are looked for.
const COMMANDS_LOOKED_AT: usize = 1000;

/// What came of a comment's commands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CommandRun {
    /// What changed.
    pub observed: Observed,
    /// What to do.
    pub effects: Vec<PlannedEffect>,
    /// A sentence for each command, for the delivery's note.
    pub notes: Vec<String>,
}

/// How a command answers.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandResult {
    /// Done; words for the journal.
    Done(String),
    /// The forge has to do something first; [`crate::command::conclude`] goes on from there.
    Errand(Box<Effect>),
    /// A deploy is asked for; it goes its own way from here.
    Deploy(Box<DeployRequest>),
    /// Not done, because of how things stand.
    Refused(String),
    /// Not understood.
    Misread(String),
}

/// What a command sees and changes.
pub struct Invocation<'a> {
    pub(super) facts: &'a mut RepoFacts,
    pub(super) policy: &'a Policy,
    pub(super) request: &'a Request,
    pub(super) standing: &'a CallerPermissions,
    pub(super) id: CommandId,
    /// The command's name.
    pub(super) verb: &'static str,
    /// When it was said: the comment's time, a millisecond later for each command.
    pub(super) at: Timestamp,
    pub(super) now: Timestamp,
    pub(super) action: Option<CommandAction>,
    share: Share,
    observed: &'a mut Observed,
}

/// What to ask of the forge before [`run`].
pub fn asks(facts: &RepoFacts, policy: &Policy, request: &Request) -> Asks {
    permissions::asks(facts, policy, request)
}

/// Runs what was not run before.
pub fn run(
    facts: &mut RepoFacts,
    request: &Request,
    standing: &CallerPermissions,
    terms: &DecisionContext<'_>,
) -> CommandRun {
    let mut ran = CommandRun::default();
    let mut sayings: Vec<AnswerText> = Vec::new();
    let mut moods: BTreeSet<Reaction> = BTreeSet::new();
    let lines: Vec<(CommandId, Line)> = request.undecided(facts).map(|(id, line)| (id, line.clone())).collect();
    let share = Share::of(facts, request, standing);
    for (id, line) in lines {
        let given_up;
        let standing = match wait::verdict(facts, request, (id, &line), standing, terms) {
            Verdict::Decide => standing,
            Verdict::GiveUp(standing) => {
                given_up = standing;
                &given_up
            }
            Verdict::Wait(waiting) => {
                if facts.waiting.insert(id, *waiting).is_none() {
                    moods.insert(Reaction::Taken);
                    ran.notes.push(wait::told(request, &line));
                }
                ran.observed.changed.insert(DocumentKey::WaitingCommand(id));
                continue;
            }
        };
        if facts.waiting.remove(&id).is_some() {
            ran.observed.changed.insert(DocumentKey::WaitingCommand(id));
        }
        let mut turn = Invocation {
            at: request.said_at(line.index),
            policy: terms.policy,
            now: terms.now,
            action: None,
            observed: &mut ran.observed,
            facts,
            request,
            standing,
            id,
            verb: "",
            share,
        };
        let Some(heard) = turn.line(&line) else { continue };
        let (at, mut action) = (turn.at, turn.action.take());
        let mut answer = heard.answer;
        if let (CommandResult::Errand(_) | CommandResult::Deploy(_), Some(why)) = (&answer, terms.writes_disabled) {
            answer = CommandResult::Refused(messages::silent(why));
        }
        let ending = match answer {
            CommandResult::Done(words) => Ending::Done(words),
            CommandResult::Errand(effect) => {
                let key = format!("command/{}", reply::name(id));
                ran.effects.push(PlannedEffect { key, replaces: false, effect: *effect });
                Ending::Pending
            }
            CommandResult::Deploy(request) => {
                let request_id = format!("pb-{}", reply::name(id));
                action = Some(CommandAction::Deploy { request: request_id.clone() });
                ran.effects.extend(reply::note(id, &line.text, &request.note));
                let key = DocumentKey::Request(request_id.clone());
                facts.requests.insert(request_id, *request);
                ran.observed.changed.insert(key);
                Ending::Pending
            }
            CommandResult::Refused(words) => Ending::Refused(words),
            CommandResult::Misread(words) => Ending::Misread(words),
        };
        moods.extend([Reaction::Taken].iter().filter(|_| heard.verb.is_some()));
        moods.extend(Reaction::of(&ending));
        ran.notes.push(reply::told(request, heard.verb, &ending));
        sayings.extend(AnswerText::of(id, &line.text, &ending, heard.unasked));
        let record = CommandFacts {
            at,
            by: request.by.clone(),
            verb: heard.verb.unwrap_or_default().to_owned(),
            line: line.text,
            evidence: standing.evidence(),
            ending,
            action,
            reply: None,
            node: request.node.clone(),
        };
        // A stranger's refused command shows nowhere: nothing is derived for it.
        if !record.is_noise() || record.action.is_some() {
            ran.observed.items.insert(id.item);
        }
        ran.observed.changed.extend(permissions::learn(facts, standing, &record));
        facts.commands.insert(id, record);
        ran.observed.changed.insert(DocumentKey::Command(id));
    }
    let moods = share.moods(moods);
    let mut effects: Vec<PlannedEffect> = moods.into_iter().filter_map(|mood| reply::reaction(request, mood)).collect();
    effects.append(&mut ran.effects);
    effects.extend(reply::say(facts, request, &sayings, share, terms));
    ran.observed.changed.extend(facts.bound_commands(request.item, &request.by, terms.now));
    ran.effects = if terms.writes_disabled.is_none() { effects } else { Vec::new() };
    ran
}

/// How a line was taken.
struct Heard {
    verb: Option<&'static str>,
    answer: CommandResult,
    /// Nobody who may use the command asked for an answer.
    unasked: bool,
}

impl Invocation<'_> {
    /// Takes a line; `None` if it is left alone.
    fn line(&mut self, line: &Line) -> Option<Heard> {
        let may_speak = self.standing.role.as_ref().is_ok_and(|role| *role >= Role::Triage);
        let heard = |verb, answer, unasked| Some(Heard { verb, answer, unasked });
        match &line.call {
            Call::Near(row) => {
                // Somebody else's command, or a slip: only who may use ours is asked.
                permissions::permit(self.policy, row, self.standing, &self.request.by.login).ok()?;
                heard(None, CommandResult::Misread(messages::did_you_mean(row)), true)
            }
            Call::Unknown if may_speak => heard(None, CommandResult::Misread(messages::unknown()), false),
            Call::Unknown => heard(None, CommandResult::Misread(String::new()), true),
            Call::TooMany => heard(None, CommandResult::Misread(messages::too_many()), true),
            Call::Known(row, given) => {
                let denied = permissions::permit_line(self.policy, &line.call, self.standing, &self.request.by.login);
                let unasked = denied.is_err() || self.share.is_strangers;
                let room = || self.share.has_room(self.facts, self.request, row);
                let answer = match (denied.and_then(|()| room()).and_then(|()| self.fits(row)), given) {
                    (Err(why), _) => CommandResult::Refused(why),
                    (Ok(()), Err(why)) => CommandResult::Misread(messages::usage(why, row)),
                    (Ok(()), Ok(given)) => {
                        self.verb = row.name;
                        (row.run)(self, given)
                    }
                };
                heard(Some(row.name), answer, unasked)
            }
        }
    }

    /// Whether the command may be used on this item.
    fn fits(&self, row: &Row) -> Result<(), String> {
        let item = self.item().ok_or_else(messages::no_item)?;
        match row.place {
            Place::Pulls if !item.is_pull => return Err(messages::only_on_pulls(row)),
            Place::Feedback if !self.is_feedback() => return Err(messages::only_on_feedback(row)),
            _ => {}
        }
        if row.forks || !item.is_pull {
            return Ok(());
        }
        let shape = item.pull.as_ref().and_then(|pull| pull.shape.as_ref());
        let asked = self.standing.head.as_ref().and_then(|head| head.as_ref().ok());
        match shape.map(|shape| shape.value.from_fork).or(asked.map(|head| head.from_fork)) {
            Some(false) => Ok(()),
            Some(true) => Err(messages::not_on_forks(row)),
            None => Err(messages::fork_unknown(row)),
        }
    }

    /// The item that the comment stands on.
    pub(super) fn item(&self) -> Option<&ItemFacts> {
        self.facts.items.get(&self.id.item)
    }

    /// Whether the item is an issue that shows an incident.
    pub(super) fn shows_incident(&self) -> bool {
        self.facts.index.shown_in.contains_key(&self.id.item)
    }

    /// A change by its name, as people write it: an item that is known, a
    /// version tag that is, or a commit's digits.
    pub(super) fn change(&self, name: &str) -> Option<String> {
        let number = name.strip_prefix('#').and_then(|digits| digits.parse::<ItemNumber>().ok());
        if let Some(number) = number {
            return self.facts.items.contains_key(&number).then(|| format!("#{number}"));
        }
        let tag = RefName::Tag(name.to_owned());
        let digits = (7..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_hexdigit());
        let known = digits || self.facts.refs.contains_key(&tag);
        known.then(|| text::message::quoted(name))
    }

    fn is_feedback(&self) -> bool {
        let labelled = self.item().and_then(|item| item.labels.as_ref()).is_some_and(|l| l.names.contains("feedback"));
        (labelled || self.shows_incident()) && self.item().is_some_and(|item| !item.is_pull)
    }

    /// Why a word about the phase would come to nothing, if so.
    pub(super) fn closed_for_phases(&self) -> Option<&'static str> {
        let item = self.item()?;
        let (_, reason) = item.closed(self.now)?;
        let merged = item.pull.as_ref().is_some_and(|pull| pull.merged.is_some());
        match reason {
            _ if item.is_pull => (!merged).then_some("it was closed without being merged"),
            CloseReason::NotPlanned => Some("it was closed as not planned"),
            CloseReason::Duplicate => Some("it was closed as a duplicate"),
            CloseReason::Completed => None,
        }
    }

    /// Sets a mark on the item; refused where the item's labels are not ours at all.
    pub(super) fn mark(&mut self, word: OverrideKind, reason: Option<String>) -> Result<(), String> {
        let mark = PhaseOverride { at: self.at, word: word.clone(), by: self.request.by.login.clone() };
        let number = self.id.item;
        let Some(item) = self.facts.items.get_mut(&number) else { return Err(messages::no_item()) };
        item.marks.insert(mark.clone());
        let derived = phase::derive(self.facts, number, self.policy, self.now.max(self.at));
        if !derived.ours {
            if let Some(item) = self.facts.items.get_mut(&number) {
                item.marks.remove(&mark);
            }
            return Err(messages::not_ours(&derived.reason.sentence));
        }
        self.action = Some(CommandAction::Phase { word, reason });
        self.touch(number);
        Ok(())
    }

    /// Notes a guard on an environment. Status comments show it: those of open
    /// items where someone gave a command lately are brought up to date now,
    /// others when something else moves them.
    pub(super) fn guard(&mut self, action: CommandAction) {
        self.action = Some(action);
        let open = |number: &ItemNumber| {
            let item = self.facts.items.get(number);
            item.is_some_and(|i| i.gone.is_none() && i.closed(self.now).is_none())
        };
        let mut boards: BTreeSet<ItemNumber> = BTreeSet::new();
        let newest_first = self.facts.commands.index().by_time.iter().rev().take(COMMANDS_LOOKED_AT);
        for (_, id) in newest_first {
            if boards.len() >= BOARDS_REFRESHED {
                break;
            }
            if open(&id.item) {
                boards.insert(id.item);
            }
        }
        self.observed.items.extend(boards);
    }

    /// A deploy that is asked for here.
    pub(super) fn ask(
        &self,
        environment: &str,
        kind: RequestKind,
        reference: &str,
        watched: RefGuard,
        sha: Option<Sha>,
    ) -> DeployRequest {
        DeployRequest {
            by: self.request.by.clone(),
            reference: reference.to_owned(),
            watched,
            ..DeployRequest::new(environment, kind, Origin::Command(self.id), self.at, sha)
        }
    }

    /// Notes that an item changed.
    fn touch(&mut self, item: ItemNumber) {
        self.observed.changed.insert(DocumentKey::Item(item));
        self.observed.items.insert(item);
    }

    /// Notes a head commit that the forge told just now.
    pub(super) fn learn_head(&mut self, sha: &Sha) {
        let (number, now) = (self.id.item, self.now);
        if let Some(pull) = self.facts.items.get_mut(&number).map(|item| item.pull.get_or_insert_default()) {
            pull.heads.entry(sha.clone()).or_insert(now);
            self.touch(number);
        }
    }

    /// An environment's name, if one is known by it or none is known at all.
    pub(super) fn environment(&self, name: &str) -> Result<String, String> {
        let wanted = name_key(name);
        let known: BTreeSet<&str> = self
            .policy
            .environments
            .keys()
            .chain(self.facts.deployments.index().environments.keys())
            .map(String::as_str)
            .collect();
        if known.is_empty() || known.contains(wanted.as_str()) {
            return Ok(wanted);
        }
        Err(messages::no_environment(name, &known))
    }
}
