//! Effects on their way to the forge.
//!
//! The effects of deployments wait for the step `send`, so that something can happen between
//! decision and sending. All others are sent at once, and so is what a command asked for; `queue
//! checks` and `queue commands` make these wait, too.

use std::collections::{BTreeSet, VecDeque};

use phasebot_core::{
    domain::effect::{Effect, Lane},
    engine::{Input, recheck::recheck_before_send},
    plan::{EffectOutcome, PlannedEffect, Recheck},
};

use super::{
    forge::{Applied, Outcome},
    stage::{Stage, terms},
    transcript::describe,
};

#[derive(Default)]
pub struct Outbox {
    queued: VecDeque<PlannedEffect>,
    /// Keys of all effects that were ever requested.
    keys: BTreeSet<String>,
    /// Effects of deployments that were sent.
    pub sent: Vec<String>,
    /// Further kinds of effects that wait: `checks`, `commands`.
    pub waits: BTreeSet<String>,
}

impl Outbox {
    /// Queues an effect. Returns false for a one-time effect that was queued before, which the
    /// store skips. A replacing effect takes the place of a queued one with the same key.
    fn push(&mut self, planned: PlannedEffect) -> bool {
        if !self.keys.insert(planned.key.clone()) && !planned.replaces {
            return false;
        }
        self.cancel(&planned.key);
        self.queued.push_back(planned);
        true
    }

    fn cancel(&mut self, key: &str) {
        self.queued.retain(|queued| queued.key != key);
    }

    /// Returns true for a planned effect that would be queued.
    pub fn is_new(&self, planned: &PlannedEffect) -> bool {
        planned.replaces || !self.keys.contains(&planned.key)
    }

    /// Returns the effects that wait to be sent.
    pub fn waiting(&self) -> impl Iterator<Item = &Effect> {
        self.queued.iter().map(|planned| &planned.effect)
    }

    fn is_waiting(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Report { .. } => self.waits.contains("checks"),
            _ if effect.command().is_some() => self.waits.contains("commands"),
            _ => effect.lane() == Lane::Safety,
        }
    }

    /// Takes the next effect; `at_once`: of those that do not wait.
    fn next(&mut self, at_once: bool) -> Option<PlannedEffect> {
        let index = self.queued.iter().position(|planned| !at_once || !self.is_waiting(&planned.effect))?;
        self.queued.remove(index)
    }
}

impl Stage {
    /// Queues the effects of a plan.
    pub(super) fn queue(&mut self, effects: Vec<PlannedEffect>, cancel: &[String]) {
        for key in cancel {
            self.outbox.cancel(key);
        }
        for planned in effects {
            let said = self.outbox.is_waiting(&planned.effect).then(|| at_length(&planned.effect));
            if self.outbox.push(planned)
                && let Some(said) = said
            {
                self.transcript.say(format!("queued: {said}"));
            }
        }
    }

    /// Sends what does not wait, or everything. Returns true if anything was sent.
    pub(super) fn send(&mut self, at_once: bool) -> bool {
        let mut any = false;
        while let Some(planned) = self.outbox.next(at_once) {
            any = true;
            self.send_one(planned);
        }
        any
    }

    fn send_one(&mut self, PlannedEffect { key, effect, .. }: PlannedEffect) {
        let terms = terms(&self.policy, &self.alerts, self.now);
        let waited = self.outbox.is_waiting(&effect);
        let effect = match recheck_before_send(&self.repository.facts, &effect, &terms) {
            Recheck::Send => effect,
            Recheck::Replace(now) => *now,
            Recheck::Withhold(why) => {
                self.transcript.say(format!("withheld: {}: {why}", at_length(&effect)));
                self.ended(&effect, &key, EffectOutcome::Withheld(&why));
                return;
            }
        };
        if waited {
            let name = at_length(&effect);
            self.transcript.say(format!("sent: {name}"));
            self.outbox.sent.push(name);
        }
        let before = self.title_and_labels(&effect);
        match self.forge.apply(&effect, self.now) {
            Outcome::Done(applied) => {
                self.messages.add_effect(&effect, applied.issue);
                if !waited {
                    self.say_done(&effect, &applied, &before);
                }
                let outcome = EffectOutcome::Done { result: applied.result.as_ref(), made: None, issue: applied.issue };
                self.ended(&effect, &key, outcome);
                let labels = applied.labels.as_ref().map(|(item, names)| (*item, names));
                self.take_in(Input::LabelsApplied { labels, made: &BTreeSet::new() });
            }
            Outcome::Failed(why) => {
                self.transcript.say(format!("failed: {}: {why}", first_line(&describe(&effect))));
                self.ended(&effect, &key, EffectOutcome::Failed(&why));
            }
            Outcome::Gone(item) => {
                self.transcript.say(format!("#{item} was deleted, says the forge"));
                self.take_in(Input::Deleted(item));
            }
        }
    }

    /// Passes an outcome on, if something waits for it.
    fn ended(&mut self, effect: &Effect, key: &str, outcome: EffectOutcome<'_>) {
        if effect.is_awaited() {
            self.take_in(Input::EffectEnded { effect, key, outcome });
        }
    }

    fn title_and_labels(&self, effect: &Effect) -> (String, BTreeSet<String>) {
        let issue = effect.item().and_then(|item| self.forge.issues.get(&item));
        issue.map(|issue| (issue.title.clone(), issue.labels.clone())).unwrap_or_default()
    }

    fn say_done(&mut self, effect: &Effect, applied: &Applied, before: &(String, BTreeSet<String>)) {
        let said = match (effect, applied) {
            (Effect::OpenIssue { title, .. }, Applied { issue: Some(number), .. }) => {
                let labels = self.forge.issues[number].labels.iter().cloned().collect::<Vec<_>>();
                format!("#{number} opened: {title} [{}]", labels.join(" "))
            }
            (Effect::EditIssue { item, title, .. }, _) if *title != before.0 => format!("#{item} edited: {title}"),
            (Effect::SetLabels { item, .. }, Applied { labels: Some((_, after)), .. }) => {
                let added = after.difference(&before.1).map(|name| format!("+{name}"));
                let removed = before.1.difference(after).map(|name| format!("-{name}"));
                format!("#{item} {}", added.chain(removed).collect::<Vec<_>>().join(" "))
            }
            _ => describe(effect),
        };
        self.transcript.say(said);
    }
}

/// Describes an effect that waits: a check run with its title.
fn at_length(effect: &Effect) -> String {
    match effect {
        Effect::Report { title, .. } => format!("{}, {title}", describe(effect)),
        _ => first_line(&describe(effect)).to_owned(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
