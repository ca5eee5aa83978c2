//! Notes of draft releases: a block of ours that lists what the release carries.

use sha2::{Digest as _, Sha256};

use crate::{
    context::EvalContext,
    deploy::{
        draft::{drafts, drafts_in},
        messages,
    },
    domain::{
        decision::GateName,
        effect::Effect,
        fact::{DocumentKey, RepoFacts, deploy_request::Publication},
        policy::{Mode, Policy},
    },
    gate::carries::Carried,
    plan::{DecisionContext, PartialPlan, PlannedEffect},
};

/// Asks for what the notes of draft releases need.
pub(super) fn want_contents(eval: &EvalContext<'_>) {
    if eval.policy.mode != Mode::Act || !eval.policy.gates.values().any(|rule| rule.notes) || are_compared(eval) {
        return;
    }
    for draft in drafts_in(eval) {
        if gate_of(eval.policy, &draft.subject.gate, &draft.tag).is_some() {
            eval.carried(&draft.subject);
        }
    }
}

/// Returns whether nothing has changed on which notes rest since they were last compared.
fn are_compared(eval: &EvalContext<'_>) -> bool {
    eval.facts.index.notes_compared.as_ref() == Some(&eval.policy.version)
}

/// Returns the gate's name if it guards drafts of a tag and wants notes.
fn gate_of<'p>(policy: &'p Policy, gate: &GateName, tag: &str) -> Option<&'p str> {
    let GateName::Release(name) = gate else { return None };
    let (name, rule) = policy.gates.get_key_value(name)?;
    (rule.notes && rule.covers_draft(tag)).then_some(name)
}

/// Queues the notes of every draft release whose contents changed.
pub(super) fn advance(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if !terms.policy.gates.values().any(|rule| rule.notes)
        || are_compared(&EvalContext::new(facts, terms.policy, terms.now))
    {
        return;
    }
    let mut all_known = true;
    for draft in drafts(facts, terms.policy, terms.now) {
        let Some(gate) = gate_of(terms.policy, &draft.subject.gate, &draft.tag) else { continue };
        let eval = EvalContext::new(facts, terms.policy, terms.now);
        let carried = eval.carried(&draft.subject);
        if matches!(carried, Carried::Unknown { .. }) {
            all_known = false;
            continue;
        }
        let text = carried.notes(&eval, &draft.subject.sha);
        drop(eval);
        // The push of a merge may arrive before the pull request's own event, so each text counts.
        let digest: String = hex::encode(Sha256::digest(&text)).chars().take(16).collect();
        let name = format!("notes {}", draft.id);
        if facts.publications.get(&name).is_some_and(|written| written.digest == digest) {
            continue;
        }
        let sha = Some(draft.subject.sha.clone());
        let (release, tag, gate) = (draft.id, draft.tag.clone(), gate.to_owned());
        let effect = Effect::SetReleaseNotes { release, tag, gate, text };
        out.effects.push(PlannedEffect { key: format!("notes/{release}"), replaces: true, effect });
        facts.publications.insert(name.clone(), Publication { sha, attempts: 1, settled: true, digest });
        out.changed.insert(DocumentKey::Publication(name));
    }
    facts.index.notes_compared = all_known.then(|| terms.policy.version.clone());
}

/// Rechecks the notes of a draft release before they are sent: it is still a draft of this tag, and
/// its gate still wants notes.
pub(crate) fn recheck(
    facts: &RepoFacts,
    release: u64,
    tag: &str,
    gate: &str,
    terms: &DecisionContext<'_>,
) -> Result<(), String> {
    let state = facts.releases.get(&release).map(|release| &release.state.value);
    if !state.is_some_and(|state| state.tag == tag && !state.withdrawn && state.published_at.is_none()) {
        return Err(messages::draft_gone(tag));
    }
    if terms.policy.mode != Mode::Act {
        return Err(messages::not_acting(terms.policy));
    }
    match gate_of(terms.policy, &GateName::Release(gate.to_owned()), tag) {
        Some(_) => Ok(()),
        None => Err(messages::no_notes(gate)),
    }
}
