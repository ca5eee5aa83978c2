//! Replies to the commands that deploy and publish.

use crate::{
    command::messages::{bounded, list},
    domain::{
        id::{ItemId, Sha},
        needs::Answer,
        per_pull::PerPullRule,
        turn::Turn,
    },
    text::{
        headline::Headline,
        message::{forge_words, quoted},
    },
};

pub(crate) fn withheld(why: &str) -> Headline {
    Headline::new(
        format!("the situation changed before it was carried out: {why}"),
        Turn::asker("repeat the command if you still want it"),
    )
}

pub(crate) fn tag_would_move(found: Option<&Sha>) -> Headline {
    match found {
        Some(found) => Headline::new(
            format!(
                "the tag names {} now, which is not the commit that the gate evaluated, so nothing was published",
                found.code()
            ),
            Turn::asker("repeat the command to publish that commit"),
        ),
        None => Headline::new(
            "the tag that the release was published with is gone",
            Turn::asker("push the tag again, and repeat the command"),
        ),
    }
}

pub(crate) fn no_input(name: &str, known: &[&str]) -> Headline {
    let act = match known {
        [] => format!("leave {} out, or declare it under `deploy: inputs:` in the policy", quoted(name)),
        known => format!("use one of {}", list(known.iter().copied())),
    };
    Headline::new(format!("the policy declares no input {} here", quoted(name)), Turn::asker(act))
}

pub(crate) fn no_value(name: &str, value: &str, values: &[String]) -> Headline {
    Headline::new(
        format!("the policy does not allow the value {} for {}", quoted(value), quoted(name)),
        Turn::asker(format!("use one of {}", list(values.iter().map(String::as_str)))),
    )
}

pub(crate) fn merged_meanwhile(pull: ItemId) -> Headline {
    Headline::new(
        format!("#{pull} was merged after the comment, while GitHub gave no answer"),
        Turn::asker("repeat the command to deploy its merge commit"),
    )
}

pub(crate) fn changed_meanwhile(environment: &str) -> Headline {
    Headline::new(
        format!("what runs in {} has changed since the comment, while GitHub gave no answer", quoted(environment)),
        Turn::asker("repeat the command if you still want it"),
    )
}

pub(crate) fn closed_unmerged() -> Headline {
    Headline::new("the pull request was closed without being merged", Turn::asker("name what to deploy with `ref=REF`"))
}

pub(crate) fn nothing_runs(environment: &str) -> Headline {
    let state = format!("no deployment to {} is known, so there is nothing to go back from", quoted(environment));
    Headline::new(state, Turn::Nobody)
}

pub(crate) fn no_way_back(environment: &str, to: Option<&str>, runs: Option<&Sha>, back: &[Sha]) -> Headline {
    let known = bounded(&back.iter().map(Sha::code).collect::<Vec<_>>());
    let environment = quoted(environment);
    match to {
        _ if back.is_empty() => {
            let state = match runs {
                Some(runs) => format!("{environment} has no earlier deployment than {} to go back to", runs.code()),
                None => format!("{environment} has no successful deployment to go back to"),
            };
            Headline::new(state, Turn::asker("deploy a commit that works with `/deploy ENV ref=REF`"))
        }
        Some(name) => Headline::new(
            format!("{} is not a commit that {environment} can go back to", quoted(name)),
            Turn::asker(format!("name one of {known} with `to=`")),
        ),
        None => Headline::new(
            format!("every commit that {environment} can go back to had an incident while it ran"),
            Turn::asker(format!("choose one of {known} with `to=`")),
        ),
    }
}

/// Returns the reply to `/diff` if a name has no commit.
pub(crate) fn ref_unknown(name: &str, answer: &Answer) -> Headline {
    if let Answer::Unavailable { why } = answer {
        let state = format!("GitHub did not say which commit {} names: {}", quoted(name), forge_words(why));
        return Headline::new(state, Turn::asker("repeat the command later"));
    }
    Headline::new(
        format!("{} is no branch, tag or commit of this repository, or is several of these", quoted(name)),
        Turn::asker("give the full name, such as `refs/heads/NAME`"),
    )
}

/// Returns the reply to `/diff` if the forge gave no answer in time.
pub(crate) fn ref_unanswered(name: &str) -> Headline {
    let what = if name.is_empty() { "the default branch's head".to_owned() } else { quoted(name) };
    Headline::new(format!("GitHub did not say which commit {what} is"), Turn::asker("repeat the command later"))
}

/// Returns the reply to `/diff` about a commit that may be a fork's.
pub(crate) fn not_here(name: &str) -> Headline {
    Headline::new(
        format!("{} is on no branch that counts here, and no pull request's head", quoted(name)),
        Turn::asker("name a branch or a tag"),
    )
}

/// Returns that there are as many environments for pull requests as there may be.
pub(crate) fn no_room(made: &PerPullRule) -> Headline {
    let state =
        format!("there are {} environments {} already, the most that the policy allows", made.most, quoted(&made.name));
    let until = if made.ttl.is_some() { ", or when its time is over" } else { "" };
    Headline::new(
        state,
        Turn::asker(format!("repeat the command when one is free: when its pull request is closed{until}")),
    )
}

/// Returns that an environment is made for the head of an open pull request only.
pub(crate) fn only_for_its_pull(made: &PerPullRule) -> Headline {
    let state = format!("an environment {} is made for the head of an open pull request", quoted(&made.name));
    Headline::new(state, Turn::asker("write the command on that pull request, without `ref=`"))
}

pub(crate) fn no_draft(tag: &str, known: &[&str]) -> Headline {
    if known.is_empty() {
        let turn = Turn::asker(format!("draft a release of {} in GitHub first", quoted(tag)));
        return Headline::new("no draft release waits for a gate here", turn);
    }
    let turn = Turn::asker(format!("name one of {}", list(known.iter().copied())));
    Headline::new(format!("there is no draft release of {}", quoted(tag)), turn)
}
