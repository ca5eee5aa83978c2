//! Computes what an event would do, with the same functions that the bot uses.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    domain::{
        alert::AlertRules,
        decision::Decision,
        derived::{Derived, Reason},
        effect::Effect,
        event::{Event, Seen},
        fact::{DocumentKey, RepoFacts},
        id::ItemId,
        needs::Need,
        policy::{Mode, Policy},
    },
    engine::{Asking, Context, Input, Repository, Step},
    gate,
    ingest::Us,
    phase,
    plan::{DecisionContext, PlannedEffect},
    port::forge::Undecodable,
};

/// Result of processing a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// It would be processed.
    Done,
    /// It would be stored, but has no content for phasebot.
    Ignored,
    /// It would be stored as undecodable, and can be replayed after an upgrade.
    Quarantined,
}

/// Everything that an event would do.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    /// Name of the event with its action.
    pub(super) event: String,
    /// Repository of the event.
    pub(super) repository: Option<String>,
    /// Time of the event.
    pub(super) at: Option<Timestamp>,
    /// Result of processing it.
    pub(super) outcome: Outcome,
    /// Reason why it would be ignored or quarantined, or effects other than phase changes.
    pub(super) note: String,
    /// Facts that it adds.
    pub(super) facts: Vec<DocumentKey>,
    /// Results for the items that it concerns.
    pub(super) items: Vec<ItemAccount>,
    /// Decisions of the gates, based on this one event.
    pub(super) gates: Vec<Decision>,
    /// Effects other than phase labels: check runs, comments, issues, deployments.
    pub(super) effects: Vec<Effect>,
    /// Queries that the bot would send to the forge before it decides.
    pub(super) asks: Vec<Need>,
}

/// Result for one item.
#[derive(Debug, Serialize)]
pub(super) struct ItemAccount {
    /// Number of the item.
    pub(super) item: ItemId,
    /// Phase, if the item has one.
    pub(super) phase: Option<String>,
    /// Time since when the item has the phase.
    pub(super) since: Option<Timestamp>,
    /// Whether phasebot may change the item's labels.
    pub(super) ours: bool,
    /// Reason for the phase.
    pub(super) reason: Reason,
    /// Conditions for the next phase.
    pub(super) next: Vec<String>,
    /// Time of the next change that needs no further event.
    pub(super) wake_at: Option<Timestamp>,
    /// Effects of the bot on the forge.
    pub(super) effects: Vec<Effect>,
    /// Phase labels that would be removed.
    pub(super) takes_off: Vec<String>,
}

impl Account {
    /// Computes the result at the time of the event, without any earlier facts.
    pub(super) fn of(name: &str, decoded: Result<Event, Undecodable>, policy: &Policy) -> Self {
        let event = match decoded {
            Ok(event) => event,
            Err(error) => return Self::empty(name.to_owned(), Outcome::Quarantined, error.to_string()),
        };
        let mut account = Self::empty(event.name.clone(), Outcome::Done, String::new());
        account.repository = event.repo.as_ref().map(|repo| repo.full_name.clone());
        account.at = Some(event.at);
        match (&event.seen, &event.repo) {
            (Seen::Nothing { reason }, _) => {
                account.outcome = Outcome::Ignored;
                account.note.clone_from(reason);
            }
            (Seen::Revoked { .. }, _) => {
                "the person's sessions on the web pages end".clone_into(&mut account.note);
            }
            (Seen::Connection(seen), _) => {
                account.note = format!(
                    "the installation is {}; {} repositories come, {} go. Installing writes nothing by itself",
                    if seen.active { "active" } else { "no longer active" },
                    seen.added.len(),
                    seen.removed.len(),
                );
            }
            (_, None) => {
                account.outcome = Outcome::Ignored;
                "it concerns no repository".clone_into(&mut account.note);
            }
            (_, Some(repo)) => account.decide(RepoFacts::new(repo.key.clone()), &event, policy),
        }
        account
    }

    fn empty(event: String, outcome: Outcome, note: String) -> Self {
        Self {
            event,
            repository: None,
            at: None,
            outcome,
            note,
            facts: Vec::new(),
            items: Vec::new(),
            gates: Vec::new(),
            effects: Vec::new(),
            asks: Vec::new(),
        }
    }

    /// Decides as the bot does, but leaves queries unanswered.
    fn decide(&mut self, facts: RepoFacts, event: &Event, policy: &Policy) {
        let alerts = AlertRules::default();
        let writes_disabled = (policy.mode == Mode::Observe).then_some("mode: observe, so that nothing is written");
        let decision = DecisionContext { policy, alerts: &alerts, now: event.at, writes_disabled };
        let mut repository = Repository::new(facts, BTreeMap::new());
        repository.ingest(Input::Event { event, us: &Us::default() }, &decision);
        let mut items = repository.concerned().clone();
        let mut step = repository.step(&Context { terms: decision, asking: Asking::First });
        if let Step::Ask(needs) = step {
            self.asks = needs;
            step = repository.step(&Context { terms: decision, asking: Asking::Never });
        }
        // With [`Asking::Never`], the step always returns a plan.
        let Step::Plan(plan) = step else { return };
        items.extend(plan.items.iter().map(|stored| stored.item));
        let facts = &repository.facts;
        let mut of_items: BTreeMap<ItemId, Vec<Effect>> = BTreeMap::new();
        for PlannedEffect { effect, .. } in plan.effects {
            match &effect {
                Effect::SetPhase { item, .. } => of_items.entry(*item).or_default().push(effect),
                _ => self.effects.push(effect),
            }
        }
        for item in items {
            let effects = of_items.remove(&item).unwrap_or_default();
            self.items.push(item_account(facts, phase::derive(facts, item, policy, event.at), effects));
        }
        if policy.mode == Mode::Act {
            let subjects = gate::subjects(facts, policy, event.at);
            let decide = |subject| gate::evaluate(facts, policy, &subject, event.at);
            self.gates = subjects.into_iter().map(decide).collect();
        }
        self.facts = plan.changed.into_iter().collect();
        if let Some(why) = writes_disabled {
            why.clone_into(&mut self.note);
        }
    }
}

fn item_account(facts: &RepoFacts, derived: Derived, effects: Vec<Effect>) -> ItemAccount {
    let takes_off = effects.iter().flat_map(|effect| taken_off(facts, effect)).collect();
    let Derived { item, phase, ours, since, reason, next, wake_at, .. } = derived;
    ItemAccount { item, phase, since, ours, reason, next, wake_at, effects, takes_off }
}

/// Returns the labels that an effect removes from its item.
fn taken_off(facts: &RepoFacts, effect: &Effect) -> Vec<String> {
    let Effect::SetPhase { item, label, phase_labels } = effect else { return Vec::new() };
    let among = |name: &str| phase_labels.iter().any(|label| label.eq_ignore_ascii_case(name));
    let wanted = |name: &str| label.as_ref().is_some_and(|label| label.name.eq_ignore_ascii_case(name));
    let on = facts.item_labels(*item).into_iter().flatten();
    on.filter(|name| among(name) && !wanted(name)).cloned().collect()
}
