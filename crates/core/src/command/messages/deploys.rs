//! Replies to the commands that deploy and publish.

use crate::{
    command::messages::{bounded, list},
    domain::{
        id::{ItemId, Sha},
        needs::Answer,
        per_pull::PerPullRule,
        policy::{Mode, Policy},
    },
    text::message::{forge_words, quoted},
};

pub(crate) fn withheld(why: &str) -> String {
    format!("The situation changed before it was carried out: {why}. Repeat the command if you still want it.")
}

pub(crate) fn tag_would_move(found: Option<&Sha>) -> String {
    match found {
        Some(found) => format!(
            "The tag names {} now, which is not the commit that the gate evaluated. Nothing was published.",
            found.code()
        ),
        None => "The tag that the release was published with is gone.".to_owned(),
    }
}

/// Returns what the policy lacks before phasebot deploys to an environment.
pub(crate) fn no_deploys(policy: &Policy, environment: &str) -> String {
    let mut wants = Vec::new();
    if policy.mode != Mode::Act {
        wants.push("`mode: act`".to_owned());
    }
    if policy.environment(environment).is_none_or(|rule| rule.deploy.is_none()) {
        wants.push(format!("{} under `environments:` with its `deploy:`", quoted(environment)));
    }
    let line = if policy.mode == Mode::Act { String::new() } else { "\n\n```yaml\nmode: act\n```".to_owned() };
    let needs = wants.join(" and ");
    format!("**phasebot does not deploy to {}.** Add {needs} to `.github/phasebot.yml`.{line}", quoted(environment))
}

pub(crate) fn no_input(name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!(
            "The policy declares no inputs here. Remove {}, or declare it under `deploy: inputs:`.",
            quoted(name)
        );
    }
    format!("The policy declares no input {} here. Declared inputs: {}.", quoted(name), list(known.iter().copied()))
}

pub(crate) fn no_value(name: &str, value: &str, values: &[String]) -> String {
    format!(
        "The policy does not allow the value {1} for {0}. Allowed values: {2}.",
        quoted(name),
        quoted(value),
        list(values.iter().map(String::as_str))
    )
}

pub(crate) fn merged_meanwhile(pull: ItemId) -> String {
    format!(
        "#{pull} was merged after you wrote this, while GitHub gave no answer. Repeat the command to deploy its merge \
         commit."
    )
}

pub(crate) fn changed_meanwhile(environment: &str) -> String {
    format!(
        "What runs in {} has changed since you wrote this, while GitHub gave no answer. Repeat the command if you \
         still want it.",
        quoted(environment)
    )
}

pub(crate) fn closed_unmerged() -> String {
    "The pull request was closed without being merged. Name what to deploy with `ref=`.".to_owned()
}

pub(crate) fn nothing_runs(environment: &str) -> String {
    format!("No deployment to {} is known, so there is nothing to go back from.", quoted(environment))
}

pub(crate) fn no_way_back(environment: &str, to: Option<&str>, runs: Option<&Sha>, back: &[Sha]) -> String {
    let known = bounded(&back.iter().map(Sha::code).collect::<Vec<_>>());
    match to {
        _ if back.is_empty() => match runs {
            Some(runs) => {
                format!("{} has no earlier deployment than {} to go back to.", quoted(environment), runs.code())
            }
            None => format!("{} has no successful deployment to go back to.", quoted(environment)),
        },
        Some(name) => {
            format!("{} is not a commit that {} can go back to. Possible: {known}.", quoted(name), quoted(environment))
        }
        None => format!(
            "Every commit that {} can go back to had an incident while it ran: {known}. Choose one with `to=`.",
            quoted(environment)
        ),
    }
}

/// Returns the reply to `/diff` if a name has no commit.
pub(crate) fn ref_unknown(name: &str, answer: &Answer) -> String {
    if let Answer::Unavailable { why } = answer {
        return format!("GitHub did not say which commit {} names: {}.", quoted(name), forge_words(why));
    }
    format!("{} is no branch, tag or commit of this repository, or is several of these.", quoted(name))
}

/// Returns the reply to `/diff` if the forge gave no answer in time.
pub(crate) fn ref_unanswered(name: &str) -> String {
    let what = if name.is_empty() { "the default branch's head".to_owned() } else { quoted(name) };
    format!("GitHub did not say which commit {what} is. Repeat the command later.")
}

/// Returns the reply to `/diff` about a commit that may be a fork's.
pub(crate) fn not_here(name: &str) -> String {
    format!("{} is on no branch that counts here, and no pull request's head: name a branch or a tag.", quoted(name))
}

pub(crate) fn no_draft(tag: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return "No draft release waits for a gate here.".to_owned();
    }
    format!("There is no draft release of {}. Draft releases: {}.", quoted(tag), list(known.iter().copied()))
}

pub(crate) fn gate_closed(why: &str) -> String {
    format!(
        "**The gate blocks the release:**\n\n{why}\n\nRepeat the command when this is fixed, or set `publish: true` on the gate."
    )
}

/// Returns that there are as many environments for pull requests as there may be.
pub(crate) fn no_room(made: &PerPullRule) -> String {
    format!(
        "There are {} environments {} already, the most that the policy allows. One becomes free when its pull request \
         is closed{}.",
        made.most,
        quoted(&made.name),
        if made.ttl.is_some() { ", or when its time is over" } else { "" },
    )
}

/// Returns that an environment is made for the head of an open pull request only.
pub(crate) fn only_for_its_pull(made: &PerPullRule) -> String {
    format!(
        "An environment {} is made for the head of an open pull request: write the command there, without `ref=`.",
        quoted(&made.name)
    )
}
