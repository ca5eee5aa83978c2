//! `/where`: lists what runs where, what locks it, and what waits for it.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    command::{
        Place, Row,
        environments::{self, MOST_NAMED},
        grammar::{Given, Kind, may},
        messages,
        run::{CommandResult, Invocation},
    },
    context::EvalContext,
    domain::permission::Role,
    text::message::{deployment_name, quoted},
};

/// Limit on the environments that are listed.
const MOST: usize = 20;

pub(super) static ROW: Row = Row {
    name: "where",
    forms: &[&[may("ENV", Kind::Word)]],
    least: Role::Read,
    place: Place::Anywhere,
    forks: true,
    help: "Lists what runs where, since when and by whom, and what waits",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let named = match given.optional("ENV").map(|name| turn.environment(name)).transpose() {
        Ok(named) => named,
        Err(why) => return CommandResult::Misread(why),
    };
    let eval = EvalContext::new(turn.facts, turn.policy, turn.now);
    let mut all = environments::names(&eval);
    if let Some(named) = &named {
        all = BTreeSet::from([named.as_str()]);
    }
    if all.is_empty() {
        return CommandResult::Answer("No environment is known here.".to_owned());
    }
    let mut text = String::new();
    for environment in all.iter().take(MOST) {
        entry(&eval, environment, &mut text);
    }
    if all.len() > MOST {
        let _ = writeln!(text, "- and {} more: name one with `/where ENV`", all.len() - MOST);
    }
    CommandResult::Answer(text.trim_end().to_owned())
}

fn entry(eval: &EvalContext<'_>, environment: &str, text: &mut String) {
    let state = environments::state(eval, environment);
    let name = quoted(&state.name);
    match &state.running {
        Some(run) => {
            let what = run.commit.as_ref().map_or_else(
                || format!("{}, whose commit is not known yet", deployment_name(run.deployment)),
                |sha| format!("{}{}", sha.code(), tags(&run.tags)),
            );
            let by = if run.by.is_empty() { String::new() } else { format!(", {}", run.by) };
            let _ = writeln!(text, "- {name} runs {what} since {}{by}", messages::time(run.since, eval.policy));
        }
        None => {
            let _ = writeln!(text, "- {name}: nothing runs there, as far as phasebot has seen");
        }
    }
    for detail in state.guards.iter().chain(&state.waiting) {
        let _ = writeln!(text, "  - {detail}");
    }
}

/// Returns the tags that name a commit, in parentheses.
fn tags(tags: &[String]) -> String {
    let names: Vec<String> = tags.iter().take(MOST_NAMED).map(|tag| quoted(tag)).collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}
