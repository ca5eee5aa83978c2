//! Notices about gates that wait for a person.

use crate::{
    context::EvalContext,
    domain::{
        decision::{Condition, GateName},
        fact::gate::GateFacts,
        id::Sha,
        notice::NoticeKind,
    },
    gate::sentence_of,
    notice::{Draft, PATIENCE, words},
    text::{
        links::Links,
        message::{capitalized, quoted},
    },
};

/// Returns the notice that a gate waits for a person, or does no longer.
pub(super) fn of_gate(eval: &EvalContext<'_>, name: &GateName, sha: &Sha) -> Option<Draft> {
    let gate = eval.facts.gates.get(&(name.clone(), sha.clone()))?;
    let noticed = gate.noticed?;
    let environment = match name {
        GateName::Deploy(environment) => Some(environment.clone()),
        GateName::Release(_) => None,
    };
    // The thread of the deploy that waits says so already.
    if environment.as_ref().is_some_and(|environment| is_asked_for(eval, environment, sha)) {
        return None;
    }
    let pages = Links::of(eval.facts);
    let what = format!("{} on {}", quoted(&name.check()), named(gate, sha));
    let waits = gate.person_since.is_some_and(|since| since <= noticed);
    let due_at = gate.person_since.and_then(|since| since.checked_add(PATIENCE).ok());
    let (headline, lines, at) = if waits {
        let reasons = gate.decision.conditions.iter().filter(|condition| waits_for_person(condition));
        let reasons = reasons.map(|condition| capitalized(&sentence_of(condition, &pages)));
        (format!("{what} waits for a person"), reasons.collect(), due_at.unwrap_or(noticed))
    } else {
        let how = if gate.decision.standing.is_open() { "is open" } else { "waits for nobody any more" };
        (format!("{what} {how}"), Vec::new(), eval.now)
    };
    let page = words::link("Checks", pages.checks_page(sha));
    Some(Draft {
        thread: format!("gate/{}/{sha}", name.check()),
        kind: NoticeKind::PersonNeeded,
        is_news: waits,
        environment,
        headline,
        lines,
        links: page.into_iter().collect(),
        needs_person: waits,
        at,
    })
}

fn named(gate: &GateFacts, sha: &Sha) -> String {
    let tags: Vec<String> = gate.tags.iter().take(3).map(|tag| quoted(tag)).collect();
    if tags.is_empty() { sha.code() } else { format!("{} ({})", sha.code(), tags.join(", ")) }
}

fn waits_for_person(condition: &Condition) -> bool {
    !condition.standing.is_open() && condition.turn.is_of_people()
}

/// Returns whether an open deploy of the commit asked people for an approval.
fn is_asked_for(eval: &EvalContext<'_>, environment: &str, sha: &Sha) -> bool {
    let mut open = eval.facts.open_requests();
    open.any(|(_, request)| {
        request.environment == environment && request.sha.as_ref() == Some(sha) && request.approval.is_some()
    })
}
