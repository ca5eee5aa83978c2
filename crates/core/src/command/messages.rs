//! Messages of the replies to commands.
//!
//! Names and text from outside are quoted, so that no reply can mention, link or command anything.

mod deploys;
mod gates;
mod guards;
pub(super) mod permission;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    command::{Row, grammar},
    context::rights::WRITERS,
    domain::{
        id::Sha,
        policy::Policy,
        turn::{Act, Turn},
    },
    text::{
        headline::Headline,
        message::{command_line, forge_words, moment, quoted, written},
    },
};

pub(super) use crate::command::messages::deploys::*;
pub(super) use crate::command::messages::gates::*;
pub(super) use crate::command::messages::guards::*;
pub(super) use crate::command::messages::permission::*;

/// Limit on the names in one sentence.
const MOST_NAMES: usize = 12;

pub(super) fn list(names: impl IntoIterator<Item: AsRef<str>>) -> String {
    bounded(&names.into_iter().map(|name| quoted(name.as_ref())).collect::<Vec<_>>())
}

/// Joins the first few of these, and the number of the others.
fn bounded(names: &[String]) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let shown = names[..names.len() - more].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// Formats a time in the repository's time zone.
pub(super) fn time(at: Timestamp, policy: &Policy) -> String {
    moment(at, &policy.commands.zone)
}

// ── Form ──

pub(super) fn forms(row: &Row) -> Vec<String> {
    row.forms.iter().map(|form| format!("/{} {}", row.name, grammar::usage(form)).trim_end().to_owned()).collect()
}

/// Returns why a line is not understood, and how the command is written.
pub(super) fn usage(why: &str, row: &Row, line: &str) -> Headline {
    let word = line.split_whitespace().nth(1).unwrap_or_default();
    // The form that begins with the line's own word, else the one that begins with none.
    let forms = forms(row);
    let begins = |form: &&String| form.split_whitespace().nth(1) == Some(word);
    let is_free = |form: &&String| {
        form.split_whitespace().nth(1).is_none_or(|next| next.starts_with(|c: char| !c.is_lowercase()))
    };
    let form = forms.iter().find(begins).or_else(|| forms.iter().find(is_free)).or_else(|| forms.first());
    let form = form.cloned().unwrap_or_else(|| format!("/{}", row.name));
    let missing = why
        .strip_suffix(" is missing")
        .map(|arg| arg.trim_matches('`'))
        .filter(|arg| !arg.contains(' ') || arg.contains(": "));
    let act = match missing.filter(|_| !line.is_empty()) {
        Some(arg) => {
            let blank = arg.rsplit([':', '=', ' ']).next().unwrap_or_default();
            let whole = written(&format!("{} {arg}", line.trim_end()));
            Act::comment(whole).and(format!(", with your own words in place of `{blank}`"))
        }
        None => Act::from(format!("correct that and repeat the command, which is written `{form}`")),
    };
    let headline = Headline::new(why, Turn::asker(act));
    if forms.len() == 1 && missing.is_none() {
        return headline;
    }
    let others: Vec<String> = forms.iter().map(|form| format!("`{form}`")).collect();
    headline.with(format!("It is written {}.", others.join(" or ")))
}

pub(super) fn did_you_mean(row: &Row, line: &str) -> Headline {
    let rest = line.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim());
    let meant = written(format!("/{} {rest}", row.name).trim_end());
    Headline::new("no command has this name", Turn::asker(Act::comment(meant).and(", if you meant that")))
}

pub(super) fn unknown() -> Headline {
    let help = Act::comment(command_line(&["help"]));
    let turn = Turn::asker(help.and(" to see the commands that you may use here"));
    Headline::new("phasebot has no such command", turn)
}

pub(super) fn too_many() -> Headline {
    let most = crate::command::parse::MOST_COMMANDS;
    Headline::new(
        format!("only the first {most} commands of a comment run"),
        Turn::asker("write the others in another comment"),
    )
}

pub(super) fn too_many_here(most: usize) -> Headline {
    Headline::new(
        format!("one person may have {most} commands on an item that still count"),
        Turn::asker("comment on another issue or pull request"),
    )
}

pub(super) fn too_many_people(most: usize) -> Headline {
    Headline::new(format!("at most {most} people can be assigned"), Turn::asker("name fewer people"))
}

pub(super) fn metrics_too_long(most: u16) -> Headline {
    let shorter = Act::comment(command_line(&["metrics", "14d"]));
    let turn = Turn::asker(shorter.and(", or run `phasebot report`, which looks back further"));
    Headline::new(format!("`/metrics` looks back 1 to {most} whole days"), turn)
}

// ── Place ──

pub(super) fn no_item() -> Headline {
    Headline::new("phasebot has no record of this item", Turn::asker("edit it, and repeat the command"))
}

pub(super) fn only_on_pulls(row: &Row) -> Headline {
    let state = format!("`/{}` works only on pull requests; this is an issue", row.name);
    Headline::new(state, Turn::asker(Act::comment(command_line(&[row.name])).and(" on the pull request")))
}

pub(super) fn only_on_feedback(row: &Row) -> Headline {
    let state = format!("`/{}` works only on feedback issues, which phasebot opens for alerts", row.name);
    Headline::new(state, Turn::asker("comment it on the issue with the label `feedback`"))
}

pub(super) fn not_on_forks(row: &Row) -> Headline {
    Headline::new(
        format!("`/{}` does not work on a pull request from a fork", row.name),
        Turn::people(WRITERS, "start it by hand in GitHub"),
    )
    .with("It would run the author's code with this repository's rights.")
}

pub(super) fn fork_unknown(row: &Row) -> Headline {
    Headline::new(
        format!("GitHub did not say whether this pull request comes from a fork, where `/{}` does not work", row.name),
        Turn::asker("repeat the command later"),
    )
}

pub(super) fn silent(why: &str) -> Headline {
    Headline::new(
        format!("phasebot writes nothing to GitHub here: {why}"),
        Turn::people("phasebot's administrator", "switch writing on, if it is wanted"),
    )
}

// ── Phases ──

pub(super) fn no_phase(policy: &Policy, name: &str) -> Headline {
    let names = policy.phases.iter().map(|phase| phase.name.as_str());
    let near = names.clone().min_by_key(|known| strsim::damerau_levenshtein(known, &name.to_lowercase()));
    let near = near.filter(|known| strsim::damerau_levenshtein(known, &name.to_lowercase()) <= 2);
    let act = match near {
        Some(near) => Act::comment(command_line(&["phase", near])),
        None => Act::from(format!("name one of {}", list(names.clone()))),
    };
    Headline::new(format!("there is no phase {}", quoted(name)), Turn::asker(act))
        .with(format!("The phases here are {}.", list(names)))
}

pub(super) fn closed(why: &str) -> Headline {
    let turn = Turn::asker("reopen it, or pin a phase with `/phase NAME pin`");
    Headline::new(format!("this item has no phase, because {why}"), turn)
}

pub(super) fn not_ours(why: &str) -> Headline {
    Headline::new(format!("phasebot leaves this item alone: {why}"), Turn::Nobody)
}

// ── Actions on the forge ──

pub(super) fn head_unknown(sha: Option<&Sha>) -> Headline {
    let unseen = "phasebot had not seen this pull request's head commit before the comment";
    match sha {
        Some(sha) => Headline::new(
            format!("{unseen}, so it can't tell which commit was meant; the head is {} now", sha.code()),
            Turn::asker(format!("repeat the command to use {}", sha.code())),
        ),
        None => Headline::new(
            format!("{unseen}, and GitHub does not report it now"),
            Turn::asker("repeat the command later"),
        ),
    }
}

pub(super) fn head_moved(known: &Sha, found: &Sha) -> Headline {
    Headline::new(
        format!("the head moved from {} to {} after the comment, so nothing was started", known.code(), found.code()),
        Turn::asker(format!("repeat the command to use {}", found.code())),
    )
}

pub(super) fn pull_closed() -> Headline {
    Headline::new("the pull request is no longer open", Turn::Nobody)
}

pub(super) fn reran(workflows: &[String]) -> String {
    format!("re-ran the failed jobs of {}", list(workflows.iter().map(String::as_str)))
}

pub(super) fn nothing_to_rerun(others: &BTreeMap<String, Option<String>>) -> Headline {
    if others.is_empty() {
        Headline::new("no job of the head commit has failed", Turn::Nobody)
    } else {
        Headline::new("phasebot can re-run none of the failed jobs", Turn::asker(rerun(others)))
    }
}

/// Returns the instruction to re-run checks in the systems that report them.
fn rerun(others: &BTreeMap<String, Option<String>>) -> String {
    let each = others.iter().take(MOST_NAMES).map(|(check, whose)| {
        let whose = whose.as_deref().map_or_else(|| "the system that reports it".to_owned(), quoted);
        format!("{} in {whose}", quoted(check))
    });
    format!("re-run {}", each.collect::<Vec<_>>().join(", "))
}

/// Replies that some failed jobs were re-run, and who re-runs the others.
pub(super) fn reran_some(workflows: &[String], others: &BTreeMap<String, Option<String>>) -> Headline {
    let state = format!("phasebot re-ran the failed jobs of {}", list(workflows.iter().map(String::as_str)));
    Headline::new(state, Turn::asker(rerun(others)))
}

pub(super) fn not_assignable(logins: &[String]) -> Headline {
    Headline::new(
        format!("GitHub did not assign {}", list(logins.iter().map(String::as_str))),
        Turn::asker("name people with access to this repository, or who commented here"),
    )
}

pub(super) fn no_milestone(name: &str, known: &[String]) -> Headline {
    if known.is_empty() {
        let state = format!("there is no milestone {}, and no open one at all", quoted(name));
        return Headline::new(state, Turn::asker("create one, and repeat the command"));
    }
    let open = list(known.iter().map(String::as_str));
    Headline::new(format!("there is no open milestone {}", quoted(name)), Turn::asker(format!("name one of {open}")))
}

/// Replies that the forge could not do it yet, for a reason of the adapter.
pub(super) fn not_started(why: &str) -> Headline {
    let turn = Turn::asker("repeat the command when that is fixed");
    Headline::new(format!("nothing was done: {}", forge_words(why)), turn)
}

// ── Incidents ──

pub(super) fn no_incident() -> Headline {
    let turn = Turn::asker("comment on the issue of the incident");
    Headline::new("this issue shows no alert, so there is no incident to act on", turn)
}

pub(super) fn no_length() -> Headline {
    let turn = Turn::asker("repeat the command with one such as `30m`, `2h` or `1d12h`");
    Headline::new("that is not a duration from now", turn)
}

pub(super) fn no_change(name: &str) -> Headline {
    Headline::new(
        format!("{} is not a known pull request, issue, tag or commit", quoted(name)),
        Turn::asker("name one, such as `#12`, `v1.2.3` or a commit's digits, or `none`"),
    )
}
