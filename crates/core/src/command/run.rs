//! Runs the commands of one comment in order; each sees the changes of the previous ones.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    command::{
        Place, Row,
        caller::{Asks, CallerPermissions},
        extract::Request,
        messages,
        parse::{Call, Line},
        permissions,
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
        id::{ItemId, Sha},
        permission::Role,
        policy::Policy,
        rule::name_key,
    },
    ingest::Observed,
    phase,
    plan::{DecisionContext, PlannedEffect},
    text::{self, headline::Headline},
};

/// Limit on the status comments that one guard rewrites: GitHub allows an installation 500 writes
/// in an hour, and one command must not take more than a few.
const BOARDS_REFRESHED: usize = 20;
/// Number of commands, newest first, among which their items are searched.
const COMMANDS_LOOKED_AT: usize = 1000;

/// Result of running a comment's commands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CommandRun {
    /// Changes to the facts.
    pub observed: Observed,
    /// Effects to queue.
    pub effects: Vec<PlannedEffect>,
    /// One sentence per command, for the delivery's notes.
    pub notes: Vec<String>,
}

/// Result of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandResult {
    /// Done, with text for the journal.
    Done(String),
    /// The forge has to act first; [`crate::command::conclude`] continues from there.
    Effect(Box<Effect>),
    /// Done, with text that is posted as the reply.
    Answer(String),
    /// It is answered by a later decision, as its action says.
    Later,
    /// A deploy is requested; the deploy queue takes it from here.
    Deploy(Box<DeployRequest>),
    /// Not done, with the reason.
    Refused(Headline),
    /// Not understood, with the reason.
    Misread(Headline),
}

/// Context of a running command: its inputs and the changes it makes.
pub struct Invocation<'a> {
    pub(super) facts: &'a mut RepoFacts,
    pub(super) policy: &'a Policy,
    pub(super) request: &'a Request,
    pub(super) standing: &'a CallerPermissions,
    pub(super) id: CommandId,
    /// Name of the command.
    pub(super) verb: &'static str,
    /// Time of the command: the comment's time, plus a millisecond for each command before it.
    pub(super) at: Timestamp,
    pub(super) now: Timestamp,
    pub(super) action: Option<CommandAction>,
    share: Share,
    observed: &'a mut Observed,
}

/// Returns the questions to ask the forge before [`run`].
pub fn asks(facts: &RepoFacts, policy: &Policy, request: &Request) -> Asks {
    permissions::asks(facts, policy, request)
}

/// Runs the commands that did not run before.
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
                    ran.notes.push(wait::log_line(request, &line));
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
        if let (CommandResult::Effect(_) | CommandResult::Deploy(_) | CommandResult::Later, Some(why)) =
            (&answer, terms.writes_disabled)
        {
            action = action.filter(|_| answer != CommandResult::Later);
            answer = CommandResult::Refused(messages::silent(why));
        }
        let ending = match answer {
            CommandResult::Done(words) => Ending::Done(words.into()),
            CommandResult::Answer(words) => {
                sayings.push(AnswerText::answer(id, &line.text, &words, heard.unasked));
                Ending::Done(String::new().into())
            }
            CommandResult::Later => Ending::Pending,
            CommandResult::Effect(effect) => {
                let key = format!("command/{}", reply::name(id));
                ran.effects.push(PlannedEffect { key, replaces: false, effect: *effect });
                Ending::Pending
            }
            CommandResult::Deploy(request) => {
                let request_id = format!("pb-{}", reply::name(id));
                action = Some(CommandAction::Deploy { request: request_id.clone() });
                if !request.dry_run {
                    ran.effects.extend(reply::note(facts, id, &line.text, &request.note));
                }
                let key = DocumentKey::Request(request_id.clone());
                facts.requests.insert(request_id, *request);
                ran.observed.changed.insert(key);
                Ending::Pending
            }
            CommandResult::Refused(why) => Ending::Refused(why.statement(&request.by.login)),
            CommandResult::Misread(why) => Ending::Misread(why.statement(&request.by.login)),
        };
        moods.extend([Reaction::Taken].iter().filter(|_| heard.verb.is_some()));
        moods.extend(Reaction::of(&ending));
        ran.notes.push(reply::log_line(request, heard.verb, &ending));
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
        // A refused command of someone without permissions shows nowhere, so its item is not
        // derived again.
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

/// Result of reading a line.
struct Heard {
    verb: Option<&'static str>,
    answer: CommandResult,
    /// Nobody who may use the command asked for a reply.
    unasked: bool,
}

impl Invocation<'_> {
    /// Runs a line; `None` if it is ignored.
    fn line(&mut self, line: &Line) -> Option<Heard> {
        let may_speak = self.standing.role.as_ref().is_ok_and(|role| *role >= Role::Triage);
        let heard = |verb, answer, unasked| Some(Heard { verb, answer, unasked });
        match &line.call {
            Call::Near(row) => {
                // It may be another bot's command or a typo, so only people who may use this
                // command are answered.
                let by = (self.request.by.login.as_str(), line.text.as_str());
                permissions::permit(self.policy, row, self.standing, by, &[]).ok()?;
                heard(None, CommandResult::Misread(messages::did_you_mean(row, &line.unaddressed())), true)
            }
            Call::Unknown if may_speak => heard(None, CommandResult::Misread(messages::unknown()), false),
            Call::Unknown => heard(None, CommandResult::Misread(Headline::untold()), true),
            Call::TooMany => heard(None, CommandResult::Misread(messages::too_many()), true),
            Call::Known(row, given) => {
                let denied = permissions::permit_line(
                    self.policy,
                    &line.call,
                    self.standing,
                    &self.request.by.login,
                    &line.text,
                );
                let unasked = denied.is_err() || self.share.is_strangers;
                let room = || self.share.has_room(self.facts, self.request, row);
                let answer = match (denied.and_then(|()| room()).and_then(|()| self.fits(row)), given) {
                    (Err(why), _) => CommandResult::Refused(why),
                    (Ok(()), Err(why)) => CommandResult::Misread(messages::usage(why, row, &line.unaddressed())),
                    (Ok(()), Ok(given)) => {
                        self.verb = row.name;
                        (row.run)(self, given)
                    }
                };
                heard(Some(row.name), answer, unasked)
            }
        }
    }

    /// Checks whether the command may be used on this item.
    fn fits(&self, row: &Row) -> Result<(), Headline> {
        let item = self.item().ok_or_else(messages::no_item)?;
        match row.place {
            Place::Pulls if !item.is_pull => return Err(messages::only_on_pulls(row)),
            Place::Feedback if !self.is_feedback() => return Err(messages::only_on_feedback(row)),
            Place::Anywhere | Place::Pulls | Place::Feedback => {}
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

    /// Returns the item on which the comment was written.
    pub(super) fn item(&self) -> Option<&ItemFacts> {
        self.facts.items.get(&self.id.item)
    }

    /// Returns whether the item is an issue that shows an incident.
    pub(super) fn shows_incident(&self) -> bool {
        self.facts.index.shown_in.contains_key(&self.id.item)
    }

    /// Returns a change by the name that people give it: a known item, a known tag, or a commit's
    /// digits.
    pub(super) fn change(&self, name: &str) -> Option<String> {
        let number = name.strip_prefix('#').and_then(|digits| digits.parse::<ItemId>().ok());
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

    /// Returns why an override of the phase would have no effect, if it would not.
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

    /// Adds an override of the phase to the item; refused where phasebot does not manage the item's
    /// labels.
    pub(super) fn mark(&mut self, word: OverrideKind, reason: Option<String>) -> Result<(), Headline> {
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

    /// Records a guard on an environment. Status comments show it: those of open items with recent
    /// commands are updated now, others with their item's next change.
    pub(super) fn guard(&mut self, action: CommandAction) {
        self.action = Some(action);
        let open = |number: &ItemId| {
            let item = self.facts.items.get(number);
            item.is_some_and(|i| i.gone.is_none() && i.closed(self.now).is_none())
        };
        let mut boards: BTreeSet<ItemId> = BTreeSet::new();
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

    /// Returns a deploy request by this command.
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

    /// Records that an item changed.
    fn touch(&mut self, item: ItemId) {
        self.observed.changed.insert(DocumentKey::Item(item));
        self.observed.items.insert(item);
    }

    /// Records a head commit that the forge has just returned.
    pub(super) fn learn_head(&mut self, sha: &Sha) {
        let (number, now) = (self.id.item, self.now);
        if let Some(pull) = self.facts.items.get_mut(&number).map(|item| item.pull.get_or_insert_default()) {
            pull.heads.entry(sha.clone()).or_insert(now);
            self.touch(number);
        }
    }

    /// Returns an environment's key, if it is known or no environment is known at all.
    pub(super) fn environment(&self, name: &str) -> Result<String, Headline> {
        let wanted = name_key(name);
        let known = self.environments();
        if known.is_empty() || known.contains(wanted.as_str()) || self.policy.instance(&wanted).is_some() {
            return Ok(wanted);
        }
        Err(messages::no_environment(name, &known))
    }
}
