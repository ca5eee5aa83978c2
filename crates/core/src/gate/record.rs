//! Keeps the recorded decisions, and the check runs that show them, up to date with facts, policy
//! and time.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    context::EvalContext,
    domain::{
        decision::{Decision, GateName},
        effect::{CheckVerdict, Effect},
        fact::{
            DocumentKey, RepoFacts,
            gate::{DecisionChange, GateFacts, Shown},
        },
        id::{ItemId, Sha},
        policy::{Mode, Policy},
    },
    gate::{
        Subject,
        check_run::{self, Page},
        decide, outcome,
    },
    plan::{DecisionContext, PartialPlan, PlannedEffect, Recheck},
};

/// Age at which a check run that has not completed is sent again: after 14 days GitHub marks it
/// stale (GitHub Docs, "Using the REST API to interact with checks"). The adapter creates a new run
/// if the existing one is older than a day and a half.
const RENEW_AFTER: SignedDuration = SignedDuration::from_hours(12 * 24);

/// Records the unknown facts that deciding all subjects needs.
pub(crate) fn needs(eval: &EvalContext<'_>) {
    if !is_on(eval.policy) {
        return;
    }
    for subject in eval.subjects() {
        decide(eval, &subject);
    }
}

/// Returns whether a policy has gates in force.
fn is_on(policy: &Policy) -> bool {
    policy.mode == Mode::Act && !(policy.gates.is_empty() && policy.environments.is_empty())
}

/// Decides every subject again and plans the difference from the recorded decisions.
pub(crate) fn advance(facts: &mut RepoFacts, terms: &DecisionContext<'_>, advanced: &mut PartialPlan) {
    let mut decisions: Vec<(Subject, Decision)> = Vec::new();
    let mut over: Vec<(Subject, Decision)> = Vec::new();
    if is_on(terms.policy) {
        let eval = EvalContext::new(facts, terms.policy, terms.now);
        let decided = |subject: Subject| (subject.clone(), decide(&eval, &subject));
        decisions = eval.subjects().into_iter().map(decided).collect();
        over = eval.over_at_once().into_iter().map(decided).collect();
        // An unanswered question is asked again even if no event arrives.
        advanced.wake(eval.retry_at());
    }
    let live: BTreeSet<(GateName, Sha)> =
        decisions.iter().map(|(subject, _)| (subject.gate.clone(), subject.sha.clone())).collect();
    // Their check runs say why the deploy did not happen, unless something else is gated there.
    let mut refused: BTreeSet<(GateName, Sha)> = BTreeSet::new();
    for (subject, decision) in over {
        let key = (subject.gate.clone(), subject.sha.clone());
        if live.contains(&key) {
            continue;
        }
        refused.insert(key.clone());
        match facts.gates.get(&key).map(|known| known.decision.says(&decision)) {
            None => drop(facts.gates.insert(key, GateFacts::new(decision, subject.since, subject.tags))),
            Some(false) => {
                advanced.changed.insert(DocumentKey::Gate(key.0.clone(), key.1.clone()));
                facts.gates.update(&key, |known| known.decision = decision);
            }
            Some(true) => {}
        }
    }
    for (subject, decision) in decisions {
        let key = (subject.gate.clone(), subject.sha.clone());
        advanced.wake(decision.next_at);
        keep(facts, &key, Some((subject, decision)), terms, advanced);
    }
    let over = facts.gates.index().live.union(&refused).filter(|key| !live.contains(*key));
    for key in over.cloned().collect::<Vec<_>>() {
        keep(facts, &key, None, terms, advanced);
    }
}

/// Records a new decision, or records that nothing asks for the gate any more.
fn keep(
    facts: &mut RepoFacts,
    key: &(GateName, Sha),
    decided: Option<(Subject, Decision)>,
    terms: &DecisionContext<'_>,
    advanced: &mut PartialPlan,
) {
    let known = facts.gates.get(key);
    let mut gate = match (known.cloned(), decided) {
        (Some(known), Some((subject, decision))) => {
            let decision = if known.decision.says(&decision) { known.decision } else { decision };
            GateFacts { decision, since: subject.since, tags: subject.tags, live: true, ..known }
        }
        (None, Some((subject, decision))) => GateFacts::new(decision, subject.since, subject.tags),
        (Some(known), None) => GateFacts { live: false, ..known },
        (None, None) => return,
    };
    let words = check_run::title(&gate.decision);
    gate.note_waits(terms.now);
    gate.note_person(terms.now);
    let turned = gate.turns.len();
    gate.turned(DecisionChange { at: terms.now, standing: gate.decision.standing, words: words.clone() });
    if gate.turns.len() != turned || known.is_none() {
        let name = gate.decision.gate.check();
        let name = crate::text::message::quoted(&name);
        advanced.notes.push(format!("{name} on {}: {words}", gate.decision.sha.short()));
    }
    if terms.writes_disabled.is_none() {
        check(&mut gate, facts, terms, advanced);
    }
    if facts.gates.get(key) != Some(&gate) {
        advanced.items.extend(shown_on(facts, &key.0));
        facts.gates.insert(key.clone(), gate);
        advanced.changed.insert(DocumentKey::Gate(key.0.clone(), key.1.clone()));
    }
}

/// Returns the items whose status comment shows a gate.
fn shown_on<'a>(facts: &'a RepoFacts, gate: &'a GateName) -> impl Iterator<Item = ItemId> + 'a {
    facts.commands.index().shows.of(gate).map(|id| id.item)
}

/// Queues the check run if the decision or its contents changed, or it is due for renewal.
fn check(gate: &mut GateFacts, facts: &RepoFacts, terms: &DecisionContext<'_>, advanced: &mut PartialPlan) {
    let (page, now) = (Page { facts, policy: terms.policy }, terms.now);
    let eval = EvalContext::new(facts, terms.policy, now);
    // A re-requested check run is answered even if nothing changed.
    let again = std::mem::take(&mut gate.rerequested);
    let kept_as_is = || again.then(|| check_run::check(page, &gate.decision, gate.live, None));
    let Some(effect) = rendered(page, gate, None).or_else(kept_as_is) else { return };
    let Effect::Report { name, sha, verdict, title, summary, .. } = &effect else { return };
    let hash = Sha256::digest(format!("{verdict:?}\n{title}\n{summary}"));
    let hash: String = hex::encode(hash).chars().take(16).collect();
    let running = *verdict == CheckVerdict::InProgress;
    let old_at = |shown: &Shown| shown.at.checked_add(RENEW_AFTER).unwrap_or(Timestamp::MAX);
    let known = gate.shown.as_ref().map_or(&[][..], |shown| &shown.bases);
    let subject = subject_of(facts, &(gate.decision.gate.clone(), sha.clone()), gate, eval.policy);
    // An open gate needs nobody to look at the list again.
    let is_kept = !gate.live || (gate.decision.standing.is_open() && gate.shown.is_some());
    let bases = if is_kept { known.to_vec() } else { eval.bases_of(&subject, known) };
    let is_shown =
        |shown: &Shown| shown.hash == hash && shown.bases == bases && !(shown.running && old_at(shown) <= now);
    if again || !gate.shown.as_ref().is_some_and(is_shown) {
        let key = format!("check/{name}/{sha}");
        let carries = gate.live.then(|| eval.carried(&subject).list(&eval, &subject.sha));
        let effect = rendered(page, gate, carries.as_deref()).unwrap_or(effect);
        advanced.effects.push(PlannedEffect { key, replaces: true, effect });
        gate.shown = Some(Shown { hash, at: now, running, bases });
    }
    if running && gate.live {
        advanced.wake(gate.shown.as_ref().map(old_at));
    }
}

/// Returns the check run that shows a gate; `None`: the existing one stays as it is.
fn rendered(page: Page<'_>, gate: &GateFacts, carries: Option<&str>) -> Option<Effect> {
    let is_open = gate.decision.standing.is_open();
    outcome::check(page, gate, outcome::of(page.facts, page.policy, gate)).or_else(|| {
        // The gate passed, so its check run stays correct.
        (gate.live || !is_open).then(|| check_run::check(page, &gate.decision, gate.live, carries))
    })
}

/// Rechecks a gate's check run before it is sent. It is sent with the gate's current state, and
/// never reports a pass under a rule that no longer exists.
pub(crate) fn recheck(facts: &RepoFacts, name: &GateName, effect: &Effect, terms: &DecisionContext<'_>) -> Recheck {
    let Effect::Report { sha, .. } = effect else { return Recheck::Send };
    let key = (name.clone(), sha.clone());
    let Some(kept) = facts.gates.get(&key) else {
        return Recheck::Withhold("nothing is recorded of this gate on this commit".to_owned());
    };
    let listed = is_on(terms.policy) && crate::gate::required(terms.policy, name).is_some();
    let page = Page { facts, policy: terms.policy };
    let now = if !listed {
        let over = rendered(page, &GateFacts { live: false, ..kept.clone() }, None);
        let is_pass = |effect: &Effect| matches!(effect, Effect::Report { verdict: CheckVerdict::Success, .. });
        over.filter(|over| !is_pass(over)).unwrap_or_else(|| outcome::abolished(page, &kept.decision))
    } else if kept.live {
        let subject = subject_of(facts, &key, kept, terms.policy);
        let decision = crate::gate::evaluate(facts, terms.policy, &subject, terms.now);
        let eval = EvalContext::new(facts, terms.policy, terms.now);
        let carries = eval.carried(&subject).list(&eval, &subject.sha);
        let now = GateFacts { decision, ..kept.clone() };
        rendered(page, &now, Some(&carries)).unwrap_or_else(|| check_run::check(page, &now.decision, true, None))
    } else {
        match rendered(page, kept, None) {
            Some(now) => now,
            None => return Recheck::Send,
        }
    };
    Recheck::Replace(Box::new(now))
}

/// Returns the subject of a gate's recorded decision.
fn subject_of(facts: &RepoFacts, (name, sha): &(GateName, Sha), kept: &GateFacts, policy: &Policy) -> Subject {
    let plain = || Subject { tags: kept.tags.clone(), ..Subject::new(name.clone(), sha.clone(), kept.since) };
    let GateName::Deploy(environment) = name else { return plain() };
    let requests = facts.requests_for(environment);
    let open = requests.filter(|(_, r)| r.is_open() && !r.dry_run && r.sha.as_ref() == Some(sha));
    open.max_by_key(|(id, _)| *id)
        .and_then(|(id, request)| crate::gate::subject::of_request(facts, policy, id, request))
        .unwrap_or_else(plain)
}
