//! Messages of the replies to commands.
//!
//! Names and text from outside are quoted, so that no reply can mention, link or command anything.

mod deploys;
pub(super) mod permission;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    command::{Row, grammar},
    domain::{
        fact::command::{ALL, Guard},
        id::Sha,
        policy::{Mode, Policy},
    },
    text::{
        links::Links,
        message::{command, duration, forge_words, moment, person, quoted, reason, sentence},
        times::Times,
    },
};

pub(super) use crate::command::messages::deploys::*;
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

/// Returns a command, quoted, as a block that GitHub offers to copy.
pub(super) fn block(command: &str) -> String {
    format!("\n\n```text\n{}\n```", command.trim_matches('`'))
}

// ── Form ──

pub(super) fn forms(row: &Row) -> Vec<String> {
    row.forms.iter().map(|form| format!("/{} {}", row.name, grammar::usage(form)).trim_end().to_owned()).collect()
}

pub(super) fn usage(why: &str, row: &Row) -> String {
    let forms: Vec<String> = forms(row).iter().map(|form| format!("`{form}`")).collect();
    format!("{} Usage: {}.", sentence(why), forms.join(" or "))
}

pub(super) fn did_you_mean(row: &Row) -> String {
    format!("Did you mean `/{}`?", row.name)
}

pub(super) fn unknown() -> String {
    "phasebot has no such command. `/help` lists the commands that you may use here.".to_owned()
}

pub(super) fn too_many() -> String {
    format!("Only the first {} commands of a comment run.", crate::command::parse::MOST_COMMANDS)
}

pub(super) fn too_many_here(most: usize) -> String {
    format!("You already have {most} commands here that still count. Use another issue or pull request.")
}

// ── Place ──

pub(super) fn no_item() -> String {
    "phasebot has no record of this item.".to_owned()
}

pub(super) fn only_on_pulls(row: &Row) -> String {
    format!("`/{}` works only on pull requests; this is an issue.", row.name)
}

pub(super) fn only_on_feedback(row: &Row) -> String {
    format!("`/{}` works only on feedback issues, which phasebot opens for alerts.", row.name)
}

pub(super) fn not_on_forks(row: &Row) -> String {
    format!(
        "`/{}` does not work on a pull request from a fork, because it would run the author's code with this \
         repository's rights. Someone with write access can start it by hand.",
        row.name
    )
}

pub(super) fn fork_unknown(row: &Row) -> String {
    format!(
        "GitHub did not say whether this pull request comes from a fork, where `/{}` does not work. Nothing was done. \
         Repeat the command later.",
        row.name
    )
}

pub(super) fn silent(why: &str) -> String {
    format!("phasebot writes nothing to GitHub here: {why}.")
}

// ── Phases ──

pub(super) fn no_phase(policy: &Policy, name: &str) -> String {
    let names = policy.phases.iter().map(|phase| phase.name.as_str());
    let near = names.clone().min_by_key(|known| strsim::damerau_levenshtein(known, &name.to_lowercase()));
    let near = near.filter(|known| strsim::damerau_levenshtein(known, &name.to_lowercase()) <= 2);
    let hint = near.map_or_else(String::new, |near| format!(" Did you mean {}?", quoted(near)));
    format!("There is no phase {}. The phases here are {}.{hint}", quoted(name), list(names))
}

pub(super) fn closed(why: &str) -> String {
    format!("This item has no phase, because {why}. Reopen it, or pin a phase with `/phase NAME pin`.")
}

pub(super) fn not_ours(why: &str) -> String {
    format!("phasebot leaves this item alone: {why}.")
}

// ── Guards ──

/// Added wherever a hold, a lock or a freeze is shown that is not enforced.
pub(super) fn not_enforced(links: &Links) -> String {
    let change = links.edit_policy("`.github/phasebot.yml`");
    format!("Not enforced: holds, locks and freezes count only with `mode: act` in {change}.")
}

pub(super) fn hold_line(hold: &Guard<'_>, times: &Times) -> String {
    guard_line("⏸️ **Hold**", hold, times, &command(&["unhold", hold.name]))
}

pub(super) fn lock_line(lock: &Guard<'_>, times: &Times) -> String {
    let what = format!("🔒 **{} is locked**", quoted(lock.name));
    guard_line(&what, lock, times, &command(&["unlock", lock.name]))
}

pub(super) fn freeze_line(freeze: &Guard<'_>, times: &Times) -> String {
    let what = match freeze.name {
        ALL => "🧊 **All environments are frozen**".to_owned(),
        name => format!("🧊 **{} is frozen**", quoted(name)),
    };
    guard_line(&what, freeze, times, &command(&["unfreeze", freeze.name]))
}

fn guard_line(what: &str, guard: &Guard<'_>, times: &Times, ends: &str) -> String {
    let until = guard.until.map_or_else(String::new, |at| format!(" until {}", times.at(at)));
    let reason = reason(guard.reason);
    let (by, since) = (person(&guard.by.login), times.at(guard.since));
    format!("{what} by {by} since {since}{until} (#{}){reason} · {ends}", guard.item)
}

pub(super) fn guard(guard: &Guard<'_>, policy: &Policy) -> String {
    let until = guard.until.map_or_else(String::new, |at| format!(" until {}", time(at, policy)));
    let (by, since) = (person(&guard.by.login), time(guard.since, policy));
    format!("by {by} on #{} since {since}{until}{}", guard.item, reason(guard.reason))
}

pub(super) fn locked(lock: &Guard<'_>, policy: &Policy) -> String {
    let unlock = command(&["unlock", lock.name]);
    let name = quoted(lock.name);
    format!(
        "**{name} is already locked** {}. Someone with write access can end the lock:{}",
        guard(lock, policy),
        block(&unlock)
    )
}

/// Replies to a lock's owner who deploys from another item than the lock's.
pub(super) fn locked_for_other_item(verb: &str, lock: &Guard<'_>, policy: &Policy) -> String {
    let (again, unlock) = (command(&[verb, lock.name, "replace"]), command(&["unlock", lock.name]));
    format!(
        "**{} is locked** {}. Nothing was started. {unlock} ends the lock; to deploy from here all the same:{}",
        quoted(lock.name),
        guard(lock, policy),
        block(&again),
    )
}

pub(super) fn nothing_to_lift(what: &str, name: &str) -> String {
    format!("There is no {what} on {}.", quoted(name))
}

pub(super) fn just_begun(environment: &str, by: &str, after: SignedDuration) -> String {
    format!(
        "There is no lock on {}. A deploy by {} has just started there. After {}, `/unlock` makes phasebot stop \
         tracking it.",
        quoted(environment),
        quoted(by),
        duration(after)
    )
}

pub(super) fn no_hold(name: Option<&str>, standing: &[Guard<'_>]) -> String {
    let names = list(standing.iter().map(|hold| hold.name));
    match name {
        _ if standing.is_empty() => "This item has no hold.".to_owned(),
        Some(name) => format!("There is no hold {}. The holds here are {names}.", quoted(name)),
        None => {
            let first = standing.first().map_or("h1", |hold| hold.name);
            let example = command(&["unhold", first]);
            format!("There are several holds: {names}. Name one, for example {example}, or use `/unhold all`.")
        }
    }
}

pub(super) fn no_environment(name: &str, known: &BTreeSet<&str>) -> String {
    let lower = name.to_lowercase();
    let near = known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, &lower));
    let near = near.filter(|known| strsim::damerau_levenshtein(known, &lower) <= 2);
    let hint = near.map_or_else(String::new, |near| format!(" Did you mean {}?", quoted(near)));
    format!("No environment is called {}.{hint} Known: {}.", quoted(name), list(known.iter().copied()))
}

// ── Actions on the forge ──

pub(super) fn head_unknown(sha: Option<&Sha>) -> String {
    match sha {
        Some(sha) => format!(
            "phasebot had not seen this pull request's head commit before your comment, so it can't tell which commit \
             you meant. The head is {} now. Repeat the command to use that commit.",
            sha.code()
        ),
        None => {
            "phasebot had not seen this pull request's head commit before your comment, and GitHub does not report it \
                 now. Repeat the command later."
                .to_owned()
        }
    }
}

pub(super) fn head_moved(known: &Sha, found: &Sha) -> String {
    format!(
        "**The head moved** from {} to {} after your comment, so nothing was started. Repeat the command to use the new \
         commit.",
        known.code(),
        found.code()
    )
}

pub(super) fn pull_closed() -> String {
    "The pull request is no longer open.".to_owned()
}

pub(super) fn reran(workflows: &[String], others: &BTreeMap<String, Option<String>>) -> String {
    let mut text = format!("re-ran the failed jobs of {}", list(workflows.iter().map(String::as_str)));
    if !others.is_empty() {
        text.push_str("; ");
        text.push_str(&not_ours_to_run(others));
    }
    text
}

pub(super) fn nothing_to_rerun(others: &BTreeMap<String, Option<String>>) -> String {
    if others.is_empty() {
        "No job of the head commit has failed.".to_owned()
    } else {
        format!("No failed job can be re-run by phasebot: {}.", not_ours_to_run(others))
    }
}

fn not_ours_to_run(others: &BTreeMap<String, Option<String>>) -> String {
    let each = others.iter().take(MOST_NAMES).map(|(check, whose)| {
        let whose = whose.as_deref().map_or_else(|| "the system that reports it".to_owned(), quoted);
        format!("{} has to be re-run in {whose}", quoted(check))
    });
    each.collect::<Vec<_>>().join(", ")
}

pub(super) fn not_assignable(logins: &[String]) -> String {
    format!(
        "GitHub did not assign {}. Only people with access to this repository, and those who commented here, can be \
         assigned.",
        list(logins.iter().map(String::as_str))
    )
}

pub(super) fn no_milestone(name: &str, known: &[String]) -> String {
    if known.is_empty() {
        return format!("There is no milestone {}, and no open one at all.", quoted(name));
    }
    format!("There is no open milestone {}. Open milestones: {}.", quoted(name), list(known.iter().map(String::as_str)))
}

/// Replies that the forge could not do it yet, for a reason of the adapter.
pub(super) fn not_started(why: &str) -> String {
    format!("Nothing was done: {}. Repeat the command when that is fixed.", forge_words(why))
}

// ── Incidents ──

pub(super) fn no_incident() -> String {
    "This issue shows no alert, so there is no incident to act on.".to_owned()
}

pub(super) fn no_length() -> String {
    "That is not a duration from now. Examples: `30m`, `2h`, `1d12h`.".to_owned()
}

pub(super) fn no_change(name: &str) -> String {
    format!(
        "{} is not a known pull request, issue, tag or commit. Name one, such as `#12`, `v1.2.3` or a commit's digits, or \
         `none`.",
        quoted(name)
    )
}

// ── Gates ──

/// Returns why gates don't count here, if they don't.
pub(super) fn gates_off(policy: &Policy) -> Option<String> {
    (policy.mode != Mode::Act).then(|| {
        "**Gates and deploys are switched off here.** Add this line to `.github/phasebot.yml` on the default branch:\n\n\
         ```yaml\nmode: act\n```"
            .to_owned()
    })
}

pub(super) fn no_gate(what: &str, section: &str) -> String {
    format!("The policy has no {what}. Add it under `{section}:` with its `require:` in `.github/phasebot.yml`.")
}

pub(super) fn nothing_waits(gate: &str, reference: Option<&str>) -> String {
    match reference {
        Some(reference) => format!("Nothing called {} waits for {}.", quoted(reference), quoted(gate)),
        None => format!("Nothing waits for {}.", quoted(gate)),
    }
}

pub(super) fn no_approval_asked(gate: &str) -> String {
    format!("{} requires no approval.", quoted(gate))
}

pub(super) fn not_by_oneself(by: &str, why: &str) -> String {
    format!("{} {why}, so someone else has to approve it.", quoted(by))
}

pub(super) fn approval_does_not_count(by: &str, teams: &[String]) -> String {
    if teams.is_empty() {
        return format!("The approval takes maintain access, which {} does not have.", quoted(by));
    }
    format!("The approval takes a member of {}; {} is not one.", list(teams.iter().map(String::as_str)), quoted(by))
}

pub(super) fn approvers(teams: &[String]) -> String {
    format!("Members of {} may also approve.", list(teams.iter().map(String::as_str)))
}

/// Replies that the authors are unknown; `why` is a sentence without a capital and a full stop.
pub(super) fn authors_unknown(why: &str) -> String {
    format!("Nobody may approve their own deploy, and {why}. Repeat the command later.")
}

pub(super) fn no_condition(name: &str, known: &[&str]) -> String {
    format!("There is no condition {}. Conditions: {}", quoted(name), list(known.iter().copied()))
}

pub(super) fn not_required(name: &str, gate: &str) -> String {
    format!("{} does not require {}.", quoted(gate), quoted(name))
}

pub(super) fn never_overridden(name: &str) -> String {
    format!("Nobody may override {}: `override.never` in the policy lists it.", quoted(name))
}

pub(super) fn not_in_the_way(name: &str) -> String {
    format!("{} does not block anything now.", quoted(name))
}

pub(super) fn which_gate(gates: &[String]) -> String {
    if gates.is_empty() {
        return "Nothing waits for these conditions.".to_owned();
    }
    let gates = gates.iter().map(String::as_str);
    format!("Several gates wait for them: {}. Name one: `release` or `deploy ENV`.", list(gates))
}
