//! Replies to the commands about gates.

use crate::{
    command::messages::list,
    context::rights::{self, WRITERS},
    domain::{
        fact::RepoFacts,
        policy::{FILE, Mode, Policy},
        turn::{CommandLine, Turn},
    },
    text::{
        headline::Headline,
        links::Links,
        message::{anyone, quoted},
    },
};

/// Returns why gates don't count here, if they don't.
pub(crate) fn gates_off(facts: &RepoFacts, policy: &Policy) -> Option<Headline> {
    (policy.mode != Mode::Act).then(|| {
        let file = Links::of(facts).edit_policy(&format!("`{FILE}`"));
        let turn = Turn::people(WRITERS, format!("add `mode: act` to {file} on the default branch"));
        Headline::new("gates and deploys are switched off here", turn).with("```yaml\nmode: act\n```")
    })
}

pub(crate) fn no_gate(what: &str, section: &str) -> Headline {
    let turn = Turn::people(WRITERS, format!("add it under `{section}:` with its `require:` in `{FILE}`"));
    Headline::new(format!("the policy has no {what}"), turn)
}

pub(crate) fn nothing_waits(gate: &str, reference: Option<&str>) -> Headline {
    match reference {
        Some(reference) => Headline::new(
            format!("nothing called {} waits for {}", quoted(reference), quoted(gate)),
            Turn::asker("leave `ref=` out, or name what waits"),
        ),
        None => Headline::new(format!("nothing waits for {}", quoted(gate)), Turn::Nobody),
    }
}

pub(crate) fn no_approval_asked(gate: &str) -> Headline {
    Headline::new(format!("{} requires no approval", quoted(gate)), Turn::Nobody)
}

pub(crate) fn not_by_oneself(by: &str, why: &str, line: CommandLine) -> Headline {
    let state = format!("{} {why}, so someone else has to approve it", quoted(by));
    Headline::new(state, Turn::people("anyone else who may approve", line))
}

pub(crate) fn approval_does_not_count(by: &str, teams: &[String], line: CommandLine) -> Headline {
    let who = anyone(&rights::approvers(teams));
    let state = match teams {
        [] => format!("the approval takes maintain access, which {} does not have", quoted(by)),
        teams => {
            format!(
                "the approval takes a member of {}; {} is not one",
                list(teams.iter().map(String::as_str)),
                quoted(by)
            )
        }
    };
    Headline::new(state, Turn::people(who, line))
}

/// Replies that the authors are unknown; `why` is a sentence without a capital and a full stop.
pub(crate) fn authors_unknown(why: &str) -> Headline {
    let state = format!("nobody may approve their own deploy, and {why}");
    Headline::new(state, Turn::asker("repeat the command later"))
}

pub(crate) fn no_condition(name: &str, known: &[&str]) -> Headline {
    let turn = Turn::asker(format!("name one of {}", list(known.iter().copied())));
    Headline::new(format!("there is no condition {}", quoted(name)), turn)
}

pub(crate) fn not_required(name: &str, gate: &str) -> Headline {
    Headline::new(format!("{} does not require {}", quoted(gate), quoted(name)), Turn::Nobody)
}

pub(crate) fn never_overridden(name: &str) -> Headline {
    let state = format!("nobody may override {}, because `override.never` in the policy lists it", quoted(name));
    Headline::new(state, Turn::asker("wait until the condition holds"))
}

pub(crate) fn not_in_the_way(name: &str) -> Headline {
    Headline::new(format!("{} does not block anything now", quoted(name)), Turn::Nobody)
}

pub(crate) fn which_gate(gates: &[String]) -> Headline {
    if gates.is_empty() {
        return Headline::new("nothing waits for these conditions", Turn::Nobody);
    }
    let gates = gates.iter().map(String::as_str);
    let state = format!("several gates wait for them: {}", list(gates));
    Headline::new(state, Turn::asker("repeat the command with `release` or `deploy ENV`"))
}
