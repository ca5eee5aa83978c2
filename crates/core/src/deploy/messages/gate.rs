//! Messages about deploys and releases that a gate keeps back.

use crate::{
    context::rights::WRITERS,
    deploy::messages::{busy as busy_with, what},
    domain::{
        decision::{Condition, Decision, GateName},
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, Origin},
        },
        policy::{FILE, Policy},
        turn::{Act, CommandLine, Turn},
    },
    gate::{self, condition_order},
    text::{
        headline::Headline,
        links::Links,
        message::{quoted, sentence, written},
    },
};

/// Refuses what a gate blocks for good: what blocks first comes first, the rest beneath it.
pub(crate) fn gate_closed(facts: &RepoFacts, decision: &Decision) -> Headline {
    let links = Links::of(facts);
    let blocking = condition_order::blocking(decision);
    let [first, rest @ ..] = blocking.as_slice() else {
        return Headline::new("the gate is not open", Turn::asker("repeat the command"));
    };
    let turn = after_refusal(&decision.gate, gate::turn_of(first, &links));
    let state =
        format!("the gate of {} is closed: {}", what_gate(&decision.gate), first.sentence.trim_end_matches('.'));
    let rows = rest.iter().map(|condition| {
        let turn = after_refusal(&decision.gate, gate::turn_of(condition, &links));
        row(condition, &turn.after(&condition.sentence))
    });
    Headline::new(state, turn).with(rows.collect::<Vec<_>>().join("\n"))
}

/// Returns whose turn it is once a request has been refused. Nothing waits at an environment's gate
/// any more, so nobody can approve it or override the gate.
fn after_refusal(gate: &GateName, turn: Turn) -> Turn {
    let repeat = || Turn::asker("repeat the command when that has changed");
    let is_deploy = matches!(gate, GateName::Deploy(_));
    if is_deploy && turn.starts_with("override") {
        let change = format!("change what {} requires in `{FILE}`; then repeat the command", what_gate(gate));
        return Turn::people(WRITERS, change);
    }
    if is_deploy && turn.starts_with("approve") {
        return repeat();
    }
    match turn {
        Turn::People { who, act } => Turn::people(who, act.and("; then repeat the command")),
        Turn::Untold | Turn::Nobody | Turn::ByItself(_) => repeat(),
        asker @ Turn::Asker(_) => asker,
    }
}

fn what_gate(gate: &GateName) -> String {
    match gate {
        GateName::Release(name) | GateName::Deploy(name) => quoted(name),
    }
}

/// Returns the command of a dry run without `dry-run`.
fn for_real(facts: &RepoFacts, request: &DeployRequest) -> CommandLine {
    let line = match &request.origin {
        Origin::Command(id) => facts.commands.get(id).map(|command| command.line.as_str()),
        Origin::Tag(_) | Origin::Merge(_) | Origin::Incident(_) | Origin::Label(_) => None,
    };
    let words: Vec<&str> = line.unwrap_or_default().split_whitespace().filter(|word| *word != "dry-run").collect();
    written(&words.join(" "))
}

/// Lists conditions that block, with whose turn it is at each.
fn blocking_list(conditions: &[&Condition], links: &Links) -> String {
    let rows = conditions.iter().map(|condition| row(condition, &gate::sentence_of(condition, links)));
    rows.collect::<Vec<_>>().join("\n")
}

fn row(condition: &Condition, words: &str) -> String {
    format!("- {} {}: {words}", condition_order::symbol(condition), quoted(&condition.name))
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
    let blocking = condition_order::blocking(decision);
    let headline = match (blocking.as_slice(), busy) {
        ([], None) => Headline::new(
            format!("dry run: the {what} would start now; nothing was started"),
            Turn::asker(Act::comment(for_real(facts, request)).and(" to start it")),
        ),
        ([], Some(other)) => Headline::new(
            format!("dry run: the {what} would wait, because {}; nothing was started", busy_with(other, policy)),
            Turn::asker(Act::comment(for_real(facts, request)).and(" to let it wait")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_overrides_or_approves_what_was_refused() {
        let gate = GateName::Deploy("production".to_owned());
        for line in ["/override deploy production checks reason: TEXT", "/approve deploy production"] {
            let turn = after_refusal(&gate, Turn::people("**bob**", written(line)));
            assert!(turn.is_of_people() && !turn.words().contains("`/"), "{}", turn.words());
        }
        for turn in [Turn::Untold, Turn::Nobody, Turn::by_itself("the freeze ends")] {
            assert!(after_refusal(&gate, turn).is_of_people());
        }
        let draft = GateName::Release("release".to_owned());
        let line = written("/override release checks reason: TEXT");
        assert!(after_refusal(&draft, Turn::people("**bob**", line)).words().contains("`/override"));
    }
}
