//! Draft releases that are published as soon as their gate is open, and tags that were pushed
//! although theirs is closed.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    context::{EvalContext, rights::WRITERS},
    deploy::{
        draft::{Draft, drafts, drafts_in},
        messages, notes,
    },
    domain::{
        decision::{ConditionState, Decision, GateName},
        effect::{Effect, LabelSpec},
        event::RefName,
        fact::{DocumentKey, RepoFacts, command::CommandId, deploy_request::Publication},
        id::Sha,
        policy::{Mode, Policy},
        rule::GateRule,
        turn::Turn,
    },
    gate::{self, Subject, condition_order},
    plan::{DecisionContext, EffectOutcome, PartialPlan, PlannedEffect},
    text::{
        headline,
        links::{Links, manual},
        message::quoted,
        people,
    },
};

/// Age beyond which a pushed tag is no longer examined.
const NEWS: SignedDuration = SignedDuration::from_hours(24);

/// Returns the tags that were pushed lately, each with the gate that guards it.
fn pushed<'a>(
    facts: &'a RepoFacts,
    policy: &'a Policy,
    now: Timestamp,
) -> Vec<(&'a String, &'a String, &'a GateRule, Subject)> {
    let since = now.checked_sub(NEWS).unwrap_or(Timestamp::MIN);
    let guards: Vec<_> = policy.gates.iter().filter(|(_, rule)| rule.issue_on_violation).collect();
    let mut found = Vec::new();
    if guards.is_empty() {
        return found;
    }
    for (at, tag) in facts.index.tag_moves.range((since, String::new())..) {
        let place = facts.refs.get(&RefName::Tag(tag.clone()));
        let Some((last, Some(sha))) = place.and_then(|place| place.moves().last()) else { continue };
        if last != at {
            continue;
        }
        for (name, rule) in &guards {
            if rule.tag.as_ref().is_some_and(|pattern| pattern.matches(tag)) {
                let mut subject = Subject::new(GateName::Release((*name).clone()), sha.clone(), *at);
                subject.tags.push(tag.clone());
                found.push((tag, *name, *rule, subject));
            }
        }
    }
    found
}

pub(super) fn want_gates(eval: &EvalContext<'_>) {
    if eval.policy.mode != Mode::Act {
        return;
    }
    let drafts = drafts_in(eval).into_iter().flat_map(|draft| [draft.subject].into_iter().chain(draft.others));
    let tags = pushed(eval.facts, eval.policy, eval.now).into_iter().map(|(.., subject)| subject);
    for subject in drafts.chain(tags) {
        for need in gate::needs(eval.facts, eval.policy, &subject, eval.now) {
            eval.want(need);
        }
    }
}

pub(super) fn advance(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if terms.policy.mode != Mode::Act || terms.writes_disabled.is_some() {
        return;
    }
    notes::advance(facts, terms, out);
    publish(facts, terms, out);
    complain(facts, terms, out);
}

fn publish(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    for draft in drafts(facts, terms.policy, terms.now) {
        let GateName::Release(gate) = &draft.subject.gate else { continue };
        if !terms.policy.gates.get(gate).is_some_and(|rule| rule.publish) {
            continue;
        }
        let decision = draft.evaluate(facts, terms.policy, None, terms.now);
        out.wake(decision.next_at);
        let name = format!("release {}", draft.id);
        let known = facts.publications.get(&name).cloned().unwrap_or_default();
        let tried = known.sha.as_ref() == Some(&draft.subject.sha) && known.settled;
        if !decision.standing.is_open() || tried {
            continue;
        }
        let attempts = known.attempts + 1;
        let sha = draft.subject.sha.clone();
        let effect = effect(&draft, None);
        out.notes.push(format!("the draft release of {} is published", quoted(&draft.tag)));
        out.effects.push(PlannedEffect { key: format!("publish/{}/{attempts}", draft.id), replaces: false, effect });
        facts
            .publications
            .insert(name.clone(), Publication { sha: Some(sha), attempts, settled: true, ..Publication::default() });
        out.changed.insert(DocumentKey::Publication(name));
    }
}

/// Returns the effect that publishes a draft.
pub(crate) fn effect(draft: &Draft, command: Option<CommandId>) -> Effect {
    Effect::PublishRelease {
        release: draft.id,
        tag: draft.tag.clone(),
        gate: match &draft.subject.gate {
            GateName::Release(name) | GateName::Deploy(name) => name.clone(),
        },
        sha: draft.subject.sha.clone(),
        branch: draft.branch.clone(),
        command,
    }
}

/// A publication that is about to be sent.
pub(crate) struct Wanted<'a> {
    pub(crate) release: u64,
    pub(crate) tag: &'a str,
    /// Gate under which it was decided.
    pub(crate) gate: &'a str,
    pub(crate) sha: &'a Sha,
    /// Command that asked for it; without one the gate has `publish`.
    pub(crate) command: Option<CommandId>,
}

/// Rechecks a publication before it is sent: the gate under which it was decided still guards the
/// draft, with `publish` if no command asked, and is open at this commit.
pub(crate) fn recheck(facts: &RepoFacts, wanted: &Wanted<'_>, terms: &DecisionContext<'_>) -> Result<(), String> {
    let Wanted { release, tag, gate, sha, command } = *wanted;
    let state = facts.releases.get(&release).map(|release| &release.state.value);
    match state {
        Some(state) if state.withdrawn => return Err(messages::draft_gone(tag)),
        // It has been published meanwhile: the adapter then changes nothing and returns the
        // release's commit.
        Some(state) if state.published_at.is_some() => return Ok(()),
        Some(_) => {}
        None => return Err(messages::draft_gone(tag)),
    }
    if terms.policy.mode != Mode::Act {
        return Err(messages::not_acting(terms.policy));
    }
    let Some(rule) = terms.policy.gates.get(gate).filter(|rule| rule.covers_draft(tag)) else {
        return Err(messages::no_gate(gate, tag));
    };
    if command.is_none() && !rule.publish {
        return Err(messages::no_publish(gate));
    }
    let draft = drafts(facts, terms.policy, terms.now).into_iter().find(|draft| draft.id == release);
    let Some(draft) = draft else { return Err(messages::draft_commit_unknown(tag)) };
    if draft.subject.gate != GateName::Release(gate.to_owned()) || draft.tag != tag {
        return Err(messages::no_gate(gate, tag));
    }
    if draft.subject.sha != *sha {
        return Err(messages::moved(&draft.tag, Some(sha), Some(&draft.subject.sha)).state().to_owned());
    }
    let requester = command.and_then(|id| facts.commands.get(&id)).map(|command| &command.by);
    let decision = draft.evaluate(facts, terms.policy, requester, terms.now);
    if decision.standing.is_open() { Ok(()) } else { Err(messages::closed(&decision)) }
}

/// Checks whether an issue about a tag that broke a gate may still be opened.
pub(crate) fn recheck_violation(gate: &str, terms: &DecisionContext<'_>) -> Result<(), String> {
    let asks =
        terms.policy.mode == Mode::Act && terms.policy.gates.get(gate).is_some_and(|rule| rule.issue_on_violation);
    if asks { Ok(()) } else { Err(messages::no_violations(gate)) }
}

/// Records the outcome of a publication: one that was not sent is tried again when the gate opens
/// again.
pub(super) fn published(
    facts: &mut RepoFacts,
    release: u64,
    outcome: EffectOutcome<'_>,
    _terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    let name = format!("release {release}");
    let Some(publication) = facts.publications.get_mut(&name) else { return };
    // If the forge has the tag at another commit, the publication is tried again once that commit
    // is known here: the draft then has that commit.
    if matches!(outcome, EffectOutcome::Withheld(_)) && publication.settled {
        publication.settled = false;
        out.changed.insert(DocumentKey::Publication(name));
    }
}

/// Opens one issue for each tag that was pushed although its gate fails.
fn complain(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let mut settled = Vec::new();
    for (tag, gate, _, subject) in pushed(facts, terms.policy, terms.now) {
        let name = format!("tag {gate} {tag}");
        let known = facts.publications.get(&name);
        if known.is_some_and(|known| known.settled && known.sha.as_ref() == Some(&subject.sha)) {
            continue;
        }
        let decision = gate::evaluate(facts, terms.policy, &subject, terms.now);
        out.wake(decision.next_at);
        let attempts = known.map_or(0, |known| known.attempts);
        match decision.standing {
            ConditionState::Fail => {
                let attempts = attempts + 1;
                let effect = issue(facts, tag, gate, &decision);
                out.notes.push(format!("the tag {} broke its gate", quoted(tag)));
                let key = format!("violation/{gate}/{tag}/{}", subject.sha);
                out.effects.push(PlannedEffect { key, replaces: false, effect });
                settled.push((
                    name,
                    Publication { sha: Some(subject.sha), attempts, settled: true, ..Publication::default() },
                ));
            }
            ConditionState::Waived | ConditionState::Pass => {
                settled.push((
                    name,
                    Publication { sha: Some(subject.sha), attempts, settled: true, ..Publication::default() },
                ));
            }
            ConditionState::Error | ConditionState::Pending => {}
        }
    }
    for (name, publication) in settled {
        facts.publications.insert(name.clone(), publication);
        out.changed.insert(DocumentKey::Publication(name));
    }
}

fn issue(facts: &RepoFacts, tag: &str, gate: &str, decision: &Decision) -> Effect {
    let links = Links::of(facts);
    let rows: Vec<String> = condition_order::blocking(decision)
        .into_iter()
        .map(|condition| {
            let (symbol, name) = (condition_order::symbol(condition), quoted(&condition.name));
            format!("- {symbol} {name}: {}", gate::sentence_of(condition, &links))
        })
        .collect();
    let state = format!(
        "the tag {} was pushed at {} although the gate {} is closed there",
        quoted(tag),
        decision.sha.code(),
        quoted(gate)
    );
    let who = people::makers(facts, &decision.sha).unwrap_or_else(|| WRITERS.to_owned());
    let turn = Turn::people(who, format!("delete the tag {}, and push it again when its gate is open", quoted(tag)));
    let body = format!(
        "❌ {}\n\n{}\n\nWhat was built from it may be out already. A tag ruleset keeps this from happening: see {}.",
        headline::line(&state, &turn),
        rows.join("\n"),
        manual("gates.md", "the documentation of gates"),
    );
    // Anyone can choose a tag's name, so the marker contains none of it. A commit has many tags.
    let digest = hex::encode(Sha256::digest(format!("{gate}\0{tag}\0{}", decision.sha)));
    Effect::OpenIssue {
        marker: format!("violation:{}", &digest[..12]),
        title: format!("A tag broke its gate: {}", quoted(tag).replace('`', "")),
        body: links.dress(&body),
        labels: vec![LabelSpec {
            name: "gate/broken".to_owned(),
            color: "D73A4A".to_owned(),
            description: "A release went past its gate".to_owned(),
        }],
        gate: Some(gate.to_owned()),
    }
}
