//! Decides about one repository.
//!
//! A decision has two halves. [`Repository::ingest`] adds what arrived to the
//! facts, as often as something arrives. [`Repository::step`] then works out
//! what follows: either questions that the forge has to answer first, or a
//! [`Plan`] to store and carry out. Both are pure: whoever decides (worker,
//! timers, catch-up, `phasebot explain`, tests) differs only in where inputs
//! come from and what becomes of the plan.

mod item;
mod needs;
mod policy_diff;
pub mod policy_report;
pub mod preview;
pub mod proposal;
pub mod recheck;
mod service_labels;
mod stages;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

pub use crate::engine::item::{StoredItem, unwritten};
pub use crate::engine::needs::needs;
pub use crate::engine::stages::{advance, ended};
pub use crate::plan::{Plan, PlannedEffect, TimerKey};

use crate::{
    command::{addressed, caller::CallerPermissions, conclude::conclude, extract::Request, run, status_comment},
    context::EvalContext,
    domain::{
        effect::Effect,
        event::Event,
        fact::{DocumentKey, RepoFacts},
        id::ItemId,
        needs::{Answered, Need},
    },
    ingest::{self, Observed, SurveyTerms, Us},
    insight::{self, Former, TermsRow},
    notice, phase,
    plan::{DecisionContext, EffectOutcome, PartialPlan},
};

/// No timer is set closer than this, so that none can keep the program busy.
const CLOSEST_TIMER: SignedDuration = SignedDuration::from_secs(1);
/// When to go on with questions that came up too late to be asked.
const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// Everything known and shown of one repository.
#[derive(Debug)]
pub struct Repository {
    /// Facts.
    pub facts: RepoFacts,
    /// The last decision for each item.
    pub items: BTreeMap<ItemId, StoredItem>,
    /// When the repository's own timer fires, as far as it is known to be set.
    pub wake_at: Option<Timestamp>,
    /// Terms of the rows for delivery metrics, as they were last stored.
    terms: Option<TermsRow>,
    /// Input since the last plan.
    pending: Pending,
}

/// Input that is not decided yet.
#[derive(Debug, Default)]
struct Pending {
    changed: BTreeSet<DocumentKey>,
    items: BTreeSet<ItemId>,
    effects: Vec<PlannedEffect>,
    cancel: Vec<String>,
    /// Timers that fired.
    fired: BTreeSet<TimerKey>,
    /// What events replaced, for the rows of delivery metrics.
    former: Box<Former>,
    /// Something changed that the repository's incidents, deploys or gates rest on.
    repository: bool,
    /// Commands that were decided.
    commands: usize,
    /// A sentence for each command.
    command_notes: Vec<String>,
    /// A sentence for each other change.
    notes: Vec<String>,
}

/// Under what is decided.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Policy, settings and time.
    pub terms: DecisionContext<'a>,
    /// Whether the forge can be asked.
    pub asking: Asking,
}

/// Treatment of facts that are wanted and not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// They are asked for before anything is decided.
    First,
    /// As much was asked as can be now. What is not known stays unknown, and the
    /// decision is looked at again at this time, if one is given.
    Done(Option<Timestamp>),
    /// Nobody can be asked.
    Never,
}

/// Something that arrived.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// An event of the forge or of a monitoring system.
    Event {
        /// The event.
        event: &'a Event,
        /// By what the bot tells itself from others.
        us: &'a Us,
    },
    /// Something that was read as it is, without an event.
    Survey {
        /// Facts that an event would have shown.
        event: &'a Event,
        /// Extent to which it counts.
        terms: SurveyTerms,
        /// By what the bot tells itself from others.
        us: &'a Us,
    },
    /// An answer of the forge.
    Answer(&'a Answered),
    /// The commands of a comment, with what the forge says of their sender.
    Commands {
        /// The commands.
        request: &'a Request,
        /// The sender's permissions.
        caller: &'a CallerPermissions,
    },
    /// The end of an effect.
    EffectEnded {
        /// The effect.
        effect: &'a Effect,
        /// Its key.
        key: &'a str,
        /// The effect's outcome.
        outcome: EffectOutcome<'a>,
    },
    /// Labels in the answers to our own writes.
    LabelsApplied {
        /// The labels on an item after the write.
        labels: Option<(ItemId, &'a BTreeSet<String>)>,
        /// Labels that now exist.
        made: &'a BTreeSet<String>,
    },
    /// An item is gone, as the forge says although no event told.
    Deleted(ItemId),
    /// Timers that fired.
    Timers(&'a BTreeSet<TimerKey>),
    /// Documents that the caller changed itself, and items to decide again.
    Changed {
        /// The documents.
        documents: &'a BTreeSet<DocumentKey>,
        /// The items.
        items: &'a BTreeSet<ItemId>,
    },
}

/// Result of everything that was ingested.
#[derive(Debug)]
pub enum Step {
    /// These facts are wanted first.
    Ask(Vec<Need>),
    /// This is to be stored and carried out.
    Plan(Box<Plan>),
}

impl Repository {
    /// A repository as it was stored.
    pub fn new(facts: RepoFacts, items: BTreeMap<ItemId, StoredItem>) -> Self {
        Self { facts, items, wake_at: None, terms: None, pending: Pending::default() }
    }

    /// Items that are to be decided again because of what was ingested.
    pub fn concerned(&self) -> &BTreeSet<ItemId> {
        &self.pending.items
    }

    /// Whether somebody waits for what comes of a command.
    pub fn is_urgent(&self) -> bool {
        !self.pending.command_notes.is_empty()
    }

    /// Adds what arrived to the facts. Nothing is decided before [`Self::step`].
    pub fn ingest(&mut self, input: Input<'_>, terms: &DecisionContext<'_>) {
        let (facts, policy) = (&mut self.facts, terms.policy);
        match input {
            Input::Event { event, us } => {
                self.pending.former.note(facts, event);
                let observed = ingest::observe(facts, event, policy, us);
                self.observed(observed, terms);
            }
            Input::Survey { event, terms: survey, us } => {
                self.pending.former.note(facts, event);
                let observed = ingest::survey(facts, event, survey, policy, us);
                self.observed(observed, terms);
            }
            Input::Answer(answered) => {
                let observed = ingest::learn(facts, answered, policy);
                self.observed(observed, terms);
            }
            Input::Commands { request, caller } => {
                let ran = run::run(facts, request, caller, terms);
                // Records that were let go of are among what changed, too.
                let is_decided =
                    |key: &&DocumentKey| matches!(key, DocumentKey::Command(id) if facts.commands.contains_key(id));
                self.pending.commands += ran.observed.changed.iter().filter(is_decided).count();
                self.pending.effects.extend(ran.effects);
                self.pending.command_notes.extend(ran.notes);
                self.observed(ran.observed, terms);
            }
            Input::EffectEnded { effect, key, outcome } => self.effect_ended(effect, key, outcome, terms),
            Input::LabelsApplied { labels, made } => {
                if let Some((item, _)) = labels {
                    self.pending.former.note_labels(facts, item);
                }
                self.pending.changed.extend(ingest::applied(facts, labels, made, terms.now));
            }
            Input::Deleted(item) => {
                let changed = ingest::deleted(facts, item, terms.now);
                self.pending.items.extend((!changed.is_empty()).then_some(item));
                self.pending.repository |= !changed.is_empty();
                self.pending.changed.extend(changed);
            }
            Input::Timers(fired) => {
                if fired.contains(&TimerKey::Repository) {
                    self.wake_at = None;
                }
                self.pending.items.extend(fired.iter().filter_map(TimerKey::item));
                self.pending.fired.extend(fired.iter().copied());
            }
            Input::Changed { documents, items } => {
                self.pending.changed.extend(documents.iter().cloned());
                self.pending.items.extend(items);
            }
        }
    }

    /// Lets go of evidence that is older than `before` and on which nothing rests.
    pub fn forget(&mut self, before: Timestamp) {
        let gone = ingest::forget(&mut self.facts, before);
        let until = &mut self.facts.about.forgotten_before;
        if !gone.is_empty() && until.is_none_or(|until| until < before) {
            *until = Some(before);
            self.pending.changed.insert(DocumentKey::About);
        }
        self.pending.changed.extend(gone);
    }

    fn observed(&mut self, observed: Observed, terms: &DecisionContext<'_>) {
        let eval = EvalContext::new(&self.facts, terms.policy, terms.now);
        for key in &observed.changed {
            if let DocumentKey::Checks(sha) = key {
                self.pending.items.extend(status_comment::showing_checks(&eval, sha));
            }
        }
        self.pending.changed.extend(observed.changed);
        self.pending.items.extend(observed.items);
    }

    fn effect_ended(&mut self, effect: &Effect, key: &str, outcome: EffectOutcome<'_>, terms: &DecisionContext<'_>) {
        if let Some(command) = effect.command() {
            let conclusion = conclude(&mut self.facts, effect, outcome, terms.now);
            self.pending.changed.extend(conclusion.changed);
            self.pending.effects.extend(conclusion.effects);
            self.pending.items.extend(conclusion.status_comment.then_some(command.item));
        } else {
            let advanced = ended(&mut self.facts, effect, key, outcome, terms);
            self.pending.changed.extend(advanced.changed);
            self.pending.effects.extend(advanced.effects);
            self.pending.cancel.extend(advanced.cancel);
            self.pending.items.extend(advanced.items);
            self.pending.notes.extend(advanced.notes);
            self.pending.repository = true;
        }
    }

    /// Works out what follows from everything that was ingested.
    pub fn step(&mut self, context: &Context<'_>) -> Step {
        let missing = self.missing(context);
        if !missing.is_empty() && context.asking == Asking::First {
            return Step::Ask(missing);
        }
        let terms = &context.terms;
        let mut pending = std::mem::take(&mut self.pending);
        // Incidents, then deployments, then gates.
        let mut advanced = advance(&mut self.facts, terms);
        if insight::retro::note(&mut self.facts, terms.policy, terms.now) {
            pending.changed.insert(DocumentKey::About);
        }
        advanced.wake(insight::retro::wake_at(&self.facts, terms.policy, terms.now));
        self.ask_later(context, &mut advanced);
        pending.items.append(&mut advanced.items);
        pending.changed.append(&mut advanced.changed);
        let mut plan = Plan::new(terms.now);
        plan.notes.append(&mut advanced.notes);
        plan.effects.extend(advanced.effects);
        plan.cancel.append(&mut advanced.cancel);
        self.set_repository_timer(advanced.wake_at, &pending, &mut plan);
        if insight::note_phases(&mut self.facts, terms.policy, terms.now) {
            pending.changed.insert(DocumentKey::About);
        }
        // Phases, and what of them is not shown yet.
        let derived = phase::derive_all(&self.facts, &pending.items, terms.policy, terms.now);
        plan.notices = notice::changed(&self.facts, pending.changed.iter(), terms);
        let changed = pending.changed.iter();
        plan.insight = insight::changed_rows(&self.facts, changed, &pending.former, &derived, terms, &mut self.terms);
        for derived in derived {
            let fired = pending.fired.contains(&TimerKey::Item(derived.item));
            item::decide(self, derived, fired, context, &mut plan);
        }
        add(&mut plan, pending, terms);
        Step::Plan(Box::new(plan))
    }

    /// Facts that are wanted and not known.
    fn missing(&self, context: &Context<'_>) -> Vec<Need> {
        match context.asking {
            Asking::First => needs(&self.facts, &self.pending.items, context.terms.policy, context.terms.now),
            Asking::Done(_) | Asking::Never => Vec::new(),
        }
    }

    /// What could not be asked now is asked later, and so is what something that
    /// was only now begun wants to know.
    fn ask_later(&self, context: &Context<'_>, advanced: &mut PartialPlan) {
        let (policy, now) = (context.terms.policy, context.terms.now);
        let again_at = match context.asking {
            Asking::Done(again_at @ Some(_)) => again_at,
            Asking::First | Asking::Done(None) => {
                let wants_more = !needs(&self.facts, &BTreeSet::new(), policy, now).is_empty();
                wants_more.then(|| after(now, ASK_AGAIN_AFTER))
            }
            Asking::Never => None,
        };
        advanced.wake(again_at);
    }

    fn set_repository_timer(&mut self, wake_at: Option<Timestamp>, pending: &Pending, plan: &mut Plan) {
        let wake_at = wake_at.map(|at| at.max(after(plan.now, CLOSEST_TIMER)));
        if self.wake_at != wake_at || pending.fired.contains(&TimerKey::Repository) {
            self.wake_at = wake_at;
            plan.timers.push((TimerKey::Repository, wake_at));
        }
    }

    /// Keeps what was ingested without deciding on it: timers bring it up again
    /// at once. For what is noted while the repository is not ours to decide on.
    pub fn put_off(&mut self, terms: &DecisionContext<'_>) -> Plan {
        let now = terms.now;
        let mut plan = Plan::new(now);
        let mut pending = std::mem::take(&mut self.pending);
        // They are told with the decision.
        self.pending.notes = std::mem::take(&mut pending.notes);
        // Rows of items are derived with it, too; those of documents now, because after a restart nothing
        // shows that these changed.
        plan.notices = notice::changed(&self.facts, pending.changed.iter(), terms);
        let changed = pending.changed.iter();
        plan.insight = insight::changed_rows(&self.facts, changed, &pending.former, &[], terms, &mut self.terms);
        self.pending.former = std::mem::take(&mut pending.former);
        plan.timers.extend(pending.items.iter().map(|item| (TimerKey::Item(*item), Some(now))));
        if pending.repository {
            self.wake_at = Some(now);
            plan.timers.push((TimerKey::Repository, Some(now)));
        }
        add(&mut plan, pending, terms);
        plan
    }
}

/// Adds what was ingested to what follows from it.
fn add(plan: &mut Plan, pending: Pending, terms: &DecisionContext<'_>) {
    plan.changed.extend(pending.changed);
    // A command was seen before anything came of it.
    plan.effects.splice(0..0, pending.effects);
    plan.effects.iter_mut().for_each(|planned| addressed::address(&mut planned.effect, terms.policy));
    plan.cancel.extend(pending.cancel);
    plan.command_notes.extend(pending.command_notes);
    plan.notes.splice(0..0, pending.notes);
    plan.commands += pending.commands;
}

fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}
