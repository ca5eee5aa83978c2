//! `/where`: lists what runs where, what locks it, and what waits for it.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, may},
        locks, messages,
        run::{CommandResult, Invocation},
    },
    context::EvalContext,
    deploy,
    domain::{fact::command::ALL, id::Sha, permission::Role},
    text::message::{deployment_name, quoted},
};

/// Limit on the environments that are listed.
const MOST: usize = 20;
/// Limit on the tags that are named for a commit, and on what waits for an environment.
const MOST_NAMED: usize = 3;

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
    let seen = turn.facts.deployments.index().environments.keys();
    let mut all: BTreeSet<&str> = turn.policy.environments.keys().chain(seen).map(String::as_str).collect();
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
    let (facts, policy) = (eval.facts, eval.policy);
    let name = quoted(policy.environments.get(environment).map_or(environment, |rule| rule.name.as_str()));
    match eval.history(environment).current() {
        Some(run) => {
            let what = run.commit.map_or_else(
                || format!("{}, whose commit is not known yet", deployment_name(run.deployment)),
                |sha| format!("{}{}", sha.code(), tags(eval, sha)),
            );
            let by = match (facts.request_of(run.deployment), &run.facts.creator) {
                (Some((_, request)), _) => format!(", {}", deploy::asker(request)),
                (None, Some(creator)) => format!(", by {}", quoted(&creator.login)),
                (None, None) => run
                    .facts
                    .source
                    .as_ref()
                    .map_or_else(String::new, |source| format!(", reported by {}", quoted(source))),
            };
            let _ = writeln!(text, "- {name} runs {what} since {}{by}", messages::time(run.from, policy));
        }
        None => {
            let _ = writeln!(text, "- {name}: nothing runs there, as far as phasebot has seen");
        }
    }
    let mut details: Vec<String> = Vec::new();
    details.extend(facts.lock(environment, eval.now).map(|lock| format!("locked: {}", messages::guard(&lock, policy))));
    let freezes = facts.freezes(eval.now);
    let freezes = freezes.iter().filter(|(name, _)| **name == ALL || **name == environment);
    details.extend(freezes.map(|(_, freeze)| format!("frozen: {}", messages::guard(freeze, policy))));
    details.extend(locks::calendar_freezes(policy, Some(environment), eval.now));
    let open = deploy::open_requests_to(facts, environment, policy);
    let more = open.len().saturating_sub(MOST_NAMED);
    details.extend(open.into_iter().take(MOST_NAMED));
    details.extend((more > 0).then(|| format!("{more} more wait")));
    for waiting in eval.history(environment).waiting().take(MOST_NAMED) {
        let sha = waiting.commit.map_or_else(String::new, |sha| format!(" of {}", sha.code()));
        let since = messages::time(waiting.begun, policy);
        details.push(format!("{}{sha} waits since {since}", deployment_name(waiting.deployment)));
    }
    for detail in details {
        let _ = writeln!(text, "  - {detail}");
    }
}

/// Returns the tags that name a commit, in parentheses.
fn tags(eval: &EvalContext<'_>, sha: &Sha) -> String {
    let names: Vec<String> = eval.tags_on(sha).into_iter().take(MOST_NAMED).map(quoted).collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}
