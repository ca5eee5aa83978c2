//! Messages about deploys and releases that a gate keeps back.

use crate::{
    deploy::messages::{busy as busy_with, what},
    domain::{
        decision::{Condition, Decision, GateName},
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, Origin},
        },
        policy::Policy,
        turn::Turn,
    },
    gate::{self, check_run},
    text::{
        headline::Headline,
        links::Links,
        message::{quoted, sentence},
    },
};

/// Refuses what a gate blocks for good: what blocks first comes first, the rest beneath it.
pub(crate) fn gate_closed(facts: &RepoFacts, decision: &Decision) -> Headline {
    let links = Links::of(facts);
    let blocking = check_run::blocking(decision);
    let [first, rest @ ..] = blocking.as_slice() else {
        return Headline::new("the gate is not open", Turn::asker("repeat the command"));
    };
    let turn = match gate::turn_of(first, &links) {
        Turn::People { who, act } => Turn::people(who, format!("{act}; then repeat the command")),
        Turn::Nobody => Turn::asker("repeat the command when that has changed"),
        other @ (Turn::ByItself(_) | Turn::Asker(_)) => other,
    };
    let state =
        format!("the gate of {} is closed: {}", what_gate(&decision.gate), first.sentence.trim_end_matches('.'));
    Headline::new(state, turn).with(blocking_list(rest, &links))
}

fn what_gate(gate: &GateName) -> String {
    match gate {
        GateName::Release(name) | GateName::Deploy(name) => quoted(name),
    }
}

/// Returns the command of a dry run without `dry-run`.
fn for_real(facts: &RepoFacts, request: &DeployRequest) -> String {
    let line = match &request.origin {
        Origin::Command(id) => facts.commands.get(id).map(|command| command.line.as_str()),
        Origin::Tag(_) | Origin::Merge(_) | Origin::Incident(_) | Origin::Label(_) => None,
    };
    let words: Vec<&str> = line.unwrap_or_default().split_whitespace().filter(|word| *word != "dry-run").collect();
    quoted(&words.join(" "))
}

/// Lists conditions that block, with whose turn it is at each.
fn blocking_list(conditions: &[&Condition], links: &Links) -> String {
    let rows = conditions.iter().map(|condition| {
        let (symbol, name) = (check_run::symbol(condition), quoted(&condition.name));
        format!("- {symbol} {name}: {}", gate::sentence_of(condition, links))
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// Returns the outcome of a dry run.
pub(in crate::deploy) fn would(
    facts: &RepoFacts,
    request: &DeployRequest,
    decision: &Decision,
    busy: Option<&DeployRequest>,
    carries: &str,
    policy: &Policy,
) -> Headline {
    let (links, what) = (Links::of(facts), what(request));
    let blocking = check_run::blocking(decision);
    let headline = match (blocking.as_slice(), busy) {
        ([], None) => Headline::new(
            format!("dry run: the {what} would start now; nothing was started"),
            Turn::asker(format!("comment {} to start it", for_real(facts, request))),
        ),
        ([], Some(other)) => Headline::new(
            format!("dry run: the {what} would wait, because {}; nothing was started", busy_with(other, policy)),
            Turn::asker(format!("comment {} to let it wait", for_real(facts, request))),
        ),
        ([first, ..], _) => {
            let reason = first.sentence.trim_end_matches('.');
            let state = format!("dry run: the {what} would not start yet: {reason}; nothing was started");
            let list = if blocking.len() == 1 { String::new() } else { blocking_list(&blocking, &links) };
            let headline = Headline::new(state, gate::turn_of(first, &links)).with(list);
            headline.with(
                busy.map_or_else(String::new, |other| format!("⏳ It would also wait: {}.", busy_with(other, policy))),
            )
        }
    };
    let target = if request.note.is_empty() { String::new() } else { format!("Target: {}", sentence(&request.note)) };
    headline.with(target).with(carries)
}
