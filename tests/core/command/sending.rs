//! Queue of the effects of deployments. They wait for the step `send`, so that something can happen
//! between decision and sending.
//!
//! - `send`: sends everything that is queued and still wanted;
//! - `send moved COMMIT | gone | made COMMIT | not-started | unnamed | failed WHY`: the result of
//!   the next start; without it, the start succeeds at the intended commit.
//!
//! The first deployment has the number 901, the first run 801.

use std::fmt::Write as _;

use jiff::Timestamp;
use phasebot_core::{
    command::conclude::conclude,
    domain::{
        alert::AlertRules,
        decision::Condition,
        effect::{Effect, ForgeResult},
        fact::deploy_request::RequestState,
        id::Sha,
    },
    engine::{self, recheck::recheck_before_send},
    gate,
    plan::{DecisionContext, EffectOutcome, PlannedEffect, Recheck},
};

use super::stage::Stage;

/// Results that must not depend on repeated deliveries.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    /// Effects that were sent.
    pub sent: Vec<String>,
    /// State of each deployment request.
    pub requests: Vec<String>,
    /// State of each gate.
    pub gates: Vec<String>,
}

/// Returns a short description of an effect that waits for `send`; `None` for other effects.
pub(super) fn words(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::CreateDeployment { environment, sha, .. } => format!("deployment of {} to {environment}", sha.short()),
        Effect::Dispatch { environment, sha, workflow, reference, .. } => {
            format!("{workflow} from {reference} for {} in {environment}", sha.short())
        }
        Effect::SetDeployment { deployment, state, .. } => format!("deployment {deployment} is {state:?}"),
        Effect::CancelRun { run } => format!("cancel run {run}"),
        Effect::AnswerProtection { run, approve, comment, .. } => {
            let word = match approve {
                Some(true) => "approve",
                Some(false) => "reject",
                None => "report on",
            };
            format!("{word} run {run}: {comment}")
        }
        Effect::SetCheck { name, sha, verdict, title, .. } => {
            format!("check {name} on {}: {verdict:?}, {title}", sha.short())
        }
        Effect::PublishRelease { tag, sha, branch, .. } => {
            let from = branch.as_ref().map_or_else(String::new, |branch| format!(" from {branch}"));
            format!("publish {tag} at {}{from}", sha.short())
        }
        _ => return None,
    })
}

fn commit(name: &str) -> Sha {
    Sha(format!("{:0<40}", hex::encode(name)))
}

impl Stage {
    /// Queues an effect, or reports it as done if it is applied immediately. Skips a one-time
    /// effect that was queued before, as the store does.
    pub(super) fn queue(&mut self, PlannedEffect { key, replaces, effect }: PlannedEffect) {
        if !self.keys.insert(key.clone()) && !replaces {
            return;
        }
        if matches!(effect, Effect::SetCheck { .. }) {
            self.messages.add_effect(&effect);
        }
        match (&effect, words(&effect)) {
            (Effect::SetCheck { .. }, Some(words)) if self.queues.contains("checks") => {
                let _ = writeln!(self.out, "    queued: {words}");
                self.queued.retain(|(queued, _)| *queued != key);
                self.queued.push_back((key, effect));
            }
            (Effect::SetCheck { name, sha, verdict, .. }, _) => {
                let _ = writeln!(self.out, "    check {name} on {}: {verdict:?}", sha.short());
            }
            (_, Some(words)) => {
                let _ = writeln!(self.out, "    queued: {words}");
                self.queued.push_back((key, effect));
            }
            _ => self.effect(&effect),
        }
    }

    pub(super) fn send(&mut self, how: &[&str], now: Timestamp) {
        let _ = writeln!(self.out, "{}", ["send"].iter().chain(how).copied().collect::<Vec<_>>().join(" "));
        let mut how = Some(how).filter(|how| !how.is_empty());
        while let Some((key, effect)) = self.queued.pop_front() {
            let policy = self.policy.clone();
            let terms = DecisionContext { policy: &policy, alerts: &AlertRules::default(), now, writes_disabled: None };
            let is_start = matches!(effect, Effect::CreateDeployment { .. } | Effect::Dispatch { .. });
            let (effect, allowed) = match recheck_before_send(&self.facts, &effect, &terms) {
                Recheck::Send => (effect, Ok(())),
                Recheck::Replace(now) => (*now, Ok(())),
                Recheck::Withhold(why) => (effect, Err(why)),
            };
            let name = words(&effect).unwrap_or_default();
            let told = match &allowed {
                Ok(()) => {
                    let _ = writeln!(self.out, "    sent: {name}");
                    self.sent.push(name);
                    self.told(&effect, how.take_if(|_| is_start), now)
                }
                Err(why) => {
                    let _ = writeln!(self.out, "    withheld: {name}: {why}");
                    Ok(None)
                }
            };
            let outcome = match (&allowed, &told) {
                (Err(why), _) => EffectOutcome::Withheld(why),
                (_, Err(why)) => EffectOutcome::Failed(why),
                (_, Ok(told)) => EffectOutcome::Done { told: told.as_ref(), made: None, issue: None },
            };
            if effect.command().is_some() {
                for wish in conclude(&mut self.facts, &effect, outcome, now).effects {
                    self.effect(&wish.effect);
                }
                continue;
            }
            let ended = engine::ended(&mut self.facts, &effect, &key, outcome, &terms);
            for told in &ended.notes {
                let _ = writeln!(self.out, "    {told}");
            }
            for wish in ended.effects {
                self.queue(wish);
            }
        }
        self.advance(now);
    }

    /// Returns the forge's result for a sent effect.
    fn told(&mut self, effect: &Effect, how: Option<&[&str]>, now: Timestamp) -> Result<Option<ForgeResult>, String> {
        let (Effect::CreateDeployment { sha, .. } | Effect::Dispatch { sha, .. }) = effect else { return Ok(None) };
        let made = match how {
            None => sha.clone(),
            Some(["made", name]) => commit(name),
            Some(["moved", name]) => return Ok(Some(ForgeResult::NameMoved { found: Some(commit(name)) })),
            Some(["gone"]) => return Ok(Some(ForgeResult::NameMoved { found: None })),
            Some(["not-started"]) => return Ok(Some(ForgeResult::NotStarted("it made none".to_owned()))),
            Some(["unnamed"]) => return Ok(Some(ForgeResult::Started { run: None, sha: None, pinned: true })),
            Some(["failed", why @ ..]) => return Err(why.join(" ")),
            Some(other) => panic!("unknown outcome {other:?}"),
        };
        self.started += 1;
        let Effect::Dispatch { strict, .. } = effect else {
            return Ok(Some(ForgeResult::Deployed { deployment: 900 + self.started, sha: made, at: Some(now) }));
        };
        Ok(Some(ForgeResult::Started { run: Some(800 + self.started), sha: Some(made), pinned: *strict }))
    }

    /// Returns the final state at `now`.
    pub(super) fn ending(&self, now: Timestamp) -> Ending {
        let mut requests: Vec<_> = self.facts.requests.values().collect();
        requests.sort_by_key(|request| (request.at, request.environment.clone()));
        let state = |state: &RequestState| match state {
            RequestState::Ended { how, why } => format!("{how:?}: {why}"),
            other => format!("{other:?}"),
        };
        let requests = requests.into_iter().map(|r| format!("{} {:?} {}", r.environment, r.kind, state(&r.state)));
        Ending { sent: self.sent.clone(), requests: requests.collect(), gates: self.gates(now) }
    }

    /// Returns the state of every gate at `now`.
    pub(super) fn gates(&self, now: Timestamp) -> Vec<String> {
        let decide = |subject: &gate::Subject| {
            let decision = gate::evaluate(&self.facts, &self.policy, subject, now);
            let mut text = format!("{} on {}: {:?}\n", subject.gate.check(), subject.sha.short(), decision.standing);
            conditions(&decision.conditions, 1, &mut text);
            text
        };
        let mut all: Vec<String> = gate::subjects(&self.facts, &self.policy, now).iter().map(decide).collect();
        all.sort();
        all
    }
}

fn conditions(all: &[Condition], depth: usize, out: &mut String) {
    for condition in all {
        let (name, code, sentence) = (&condition.name, &condition.code, &condition.sentence);
        let _ = writeln!(out, "{:depth$}{name} {:?} [{code}] {sentence}", "", condition.standing);
        conditions(&condition.parts, depth + 1, out);
    }
}
