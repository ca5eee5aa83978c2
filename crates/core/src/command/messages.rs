//! Messages of the replies to commands.
//!
//! Names and text from outside are quoted, so that no reply can mention, link or command anything.

mod deploys;
mod permission;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    command::{Row, grammar},
    domain::{
        fact::command::{ALL, Guard},
        id::Sha,
        policy::{EvidenceKind, Mode, Policy},
    },
    gate::freeze_state,
    text::message::{command, duration, forge_reason, moment, quoted, reason},
};

pub(super) use crate::command::messages::deploys::*;
pub(super) use crate::command::messages::permission::*;

/// Limit on the names in one sentence.
const MOST_NAMES: usize = 12;

pub(super) fn list(names: impl IntoIterator<Item: AsRef<str>>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| quoted(name.as_ref())).collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    let shown = names[..names.len() - more].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// Formats a time in the repository's time zone.
pub(super) fn time(at: Timestamp, policy: &Policy) -> String {
    at.to_zoned(policy.commands.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

// ── Form ──

pub(super) fn forms(row: &Row) -> Vec<String> {
    row.forms.iter().map(|form| format!("/{} {}", row.name, grammar::usage(form)).trim_end().to_owned()).collect()
}

pub(super) fn usage(why: &str, row: &Row) -> String {
    let forms: Vec<String> = forms(row).iter().map(|form| format!("`{form}`")).collect();
    format!("{} It is written {}.", sentence(why), forms.join(" or "))
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

pub(super) fn did_you_mean(row: &Row) -> String {
    format!("Did you mean `/{}`?", row.name)
}

pub(super) fn unknown() -> String {
    "phasebot has no such command; `/help` lists those that you may use.".to_owned()
}

pub(super) fn too_many() -> String {
    format!("Only the first {} commands of a comment run.", crate::command::parse::MOST_COMMANDS)
}

pub(super) fn too_many_here(most: usize) -> String {
    format!("You have given {most} commands here that still count. Go on in another issue or pull request.")
}

// ── Place ──

pub(super) fn no_item() -> String {
    "Nothing is recorded of this item.".to_owned()
}

pub(super) fn only_on_pulls(row: &Row) -> String {
    format!("`/{}` works on pull requests; this is an issue.", row.name)
}

pub(super) fn only_on_feedback(row: &Row) -> String {
    format!("`/{}` works on feedback issues, which phasebot opens for alerts; this is none.", row.name)
}

pub(super) fn not_on_forks(row: &Row) -> String {
    format!(
        "`/{}` does not work on a pull request from a fork: its author's code would run by your word. Someone with \
         `write` can start it by hand.",
        row.name
    )
}

pub(super) fn fork_unknown(row: &Row) -> String {
    format!(
        "GitHub did not say whether this pull request comes from a fork, where `/{}` does not work. Nothing was done. \
         Repeat the command.",
        row.name
    )
}

pub(super) fn silent(why: &str) -> String {
    format!("Nothing is written to the forge here: {why}.")
}

// ── Phases ──

pub(super) fn no_phase(policy: &Policy, name: &str) -> String {
    let names = policy.phases.iter().map(|phase| phase.name.as_str());
    let near = names.clone().min_by_key(|known| strsim::damerau_levenshtein(known, &name.to_lowercase()));
    let near = near.filter(|known| strsim::damerau_levenshtein(known, &name.to_lowercase()) <= 2);
    let hint = near.map_or_else(String::new, |near| format!(" Did you mean {}?", quoted(near)));
    format!("There is no phase {}; the phases here are {}.{hint}", quoted(name), list(names))
}

pub(super) fn closed(why: &str) -> String {
    format!("It carries no phase: {why}. Reopen it, or pin a phase with `/phase NAME pin`.")
}

pub(super) fn not_ours(why: &str) -> String {
    format!("phasebot leaves this item alone: {why}.")
}

/// Returns who can bring about what an evidence asks for.
pub(super) fn who_can(kind: &EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::IssueOpen => "anyone who may reopen the issue",
        EvidenceKind::PullRequestOpen => {
            "anyone, by a pull request; its link counts once someone with `write` approves or merges it"
        }
        EvidenceKind::BranchLinked { .. }
        | EvidenceKind::PullRequestApproved
        | EvidenceKind::Merged
        | EvidenceKind::Tagged { .. }
        | EvidenceKind::ReleasePublished { .. } => "people with `write`",
        EvidenceKind::ChecksPassed { .. } => "whoever can make the checks pass; `/retest` starts failed ones again",
        EvidenceKind::DeploymentStarted(_) | EvidenceKind::DeploymentSucceeded(_) => "whoever deploys",
        EvidenceKind::Soaked { .. } => "nobody: it takes time",
    }
}

// ── Guards ──

/// Added wherever a hold, a lock or a freeze is shown that is not enforced.
pub(super) const NOT_ENFORCED: &str = "Holds, locks and freezes count in `mode: act` only. Until the policy of this repository says so they are kept \
     for people to see, and hold nothing back.";

pub(super) fn guard(guard: &Guard<'_>, policy: &Policy) -> String {
    let until = guard.until.map_or_else(String::new, |at| format!(" until {}", time(at, policy)));
    let reason = guard.reason.map_or_else(String::new, |reason| format!(": {}", quoted(reason)));
    format!(
        "{} by {} since {}{until} (#{}){reason}",
        quoted(guard.name),
        quoted(&guard.by.login),
        time(guard.since, policy),
        guard.item
    )
}

/// Returns a sentence for each freeze of the policy's calendar in force; with `environment`, only
/// those that cover it.
pub(super) fn calendar_freezes(policy: &Policy, environment: Option<&str>, now: Timestamp) -> Vec<String> {
    let covers = |name: &str| environment.is_none_or(|environment| name == ALL || name == environment);
    let rules = policy.freezes.iter().filter(|rule| covers(&rule.environment));
    let frozen = rules.filter_map(|rule| {
        let (frozen, until) = freeze_state(rule, now);
        let until =
            until.filter(|_| frozen).map_or_else(String::new, |at| format!(" until {}", moment(at, &rule.zone)));
        frozen.then(|| {
            format!("{} is frozen by the policy{until}{}", quoted(&rule.environment), reason(rule.reason.as_deref()))
        })
    });
    frozen.collect()
}

pub(super) fn locked(lock: &Guard<'_>, policy: &Policy) -> String {
    let unlock = command(&["unlock", lock.name]);
    format!("It is locked already: {}. {unlock} ends that.", guard(lock, policy))
}

/// Replies to a lock's owner who deploys from another item than the lock's.
pub(super) fn locked_for_other_item(verb: &str, lock: &Guard<'_>, policy: &Policy) -> String {
    let (again, unlock) = (command(&[verb, lock.name, "replace"]), command(&["unlock", lock.name]));
    let until = lock.until.map_or_else(String::new, |at| format!(" until {}", time(at, policy)));
    format!(
        "{} is locked by {} for #{}, since {}{until}{}; nothing was started. To deploy from here all the same, repeat \
         the command with `replace` at its end ({again}); {unlock} ends the lock.",
        quoted(lock.name),
        quoted(&lock.by.login),
        lock.item,
        time(lock.since, policy),
        reason(lock.reason),
    )
}

pub(super) fn nothing_to_lift(what: &str, name: &str) -> String {
    format!("There is no {what} on {}.", quoted(name))
}

pub(super) fn just_begun(environment: &str, by: &str, after: SignedDuration) -> String {
    format!(
        "There is no lock on {}. A deploy by {} has just begun there: `/unlock` makes phasebot stop tracking it once \
         it has gone on for {}.",
        quoted(environment),
        quoted(by),
        duration(after)
    )
}

pub(super) fn no_hold(name: Option<&str>, standing: &[Guard<'_>]) -> String {
    let names = list(standing.iter().map(|hold| hold.name));
    match name {
        _ if standing.is_empty() => "No hold stands on this item.".to_owned(),
        Some(name) => format!("There is no hold {}; these stand: {names}.", quoted(name)),
        None => format!("Several holds stand: {names}. Name one, or `all`."),
    }
}

pub(super) fn no_environment(name: &str, known: &BTreeSet<&str>) -> String {
    format!("There is no environment {} here; known are {}.", quoted(name), list(known.iter().copied()))
}

// ── Actions on the forge ──

pub(super) fn head_unknown(sha: Option<&Sha>) -> String {
    match sha {
        Some(sha) => format!(
            "phasebot had not seen this pull request's head commit before your comment, so that it can't tell which \
             one you meant. It is {} now; say it again to mean that one.",
            quoted(&sha.short())
        ),
        None => "phasebot had not seen this pull request's head commit before your comment, and the forge does not \
                 tell it now. Say it again later."
            .to_owned(),
    }
}

pub(super) fn head_moved(known: &Sha, found: &Sha) -> String {
    format!(
        "The head commit was {} when you said it, and is {} now. Nothing was started; say it again if you mean that one.",
        quoted(&known.short()),
        quoted(&found.short())
    )
}

pub(super) fn pull_closed() -> String {
    "The pull request is not open any more.".to_owned()
}

pub(super) fn reran(workflows: &[String], others: &BTreeMap<String, Option<String>>) -> String {
    let mut text = format!("started the failed jobs of {} again", list(workflows.iter().map(String::as_str)));
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
        format!("No job that phasebot could start again has failed: {}.", not_ours_to_run(others))
    }
}

fn not_ours_to_run(others: &BTreeMap<String, Option<String>>) -> String {
    let each = others.iter().take(MOST_NAMES).map(|(check, whose)| {
        let whose = whose.as_deref().map_or_else(|| "the system that reports it".to_owned(), quoted);
        format!("{} is for {whose} to run again", quoted(check))
    });
    each.collect::<Vec<_>>().join(", ")
}

pub(super) fn not_assignable(logins: &[String]) -> String {
    format!(
        "The forge did not assign {}: only people who can read the repository and take part here can be.",
        list(logins.iter().map(String::as_str))
    )
}

pub(super) fn no_milestone(name: &str, known: &[String]) -> String {
    if known.is_empty() {
        return format!("There is no milestone {}, nor any other that is open.", quoted(name));
    }
    format!("There is no open milestone {}; open are {}.", quoted(name), list(known.iter().map(String::as_str)))
}

pub(super) fn failed(why: &str) -> String {
    format!("The request failed: {}.", forge_reason(why))
}

// ── Incidents ──

pub(super) fn no_incident() -> String {
    "No alert stands behind this issue: there is no incident to act on.".to_owned()
}

pub(super) fn no_length() -> String {
    "That is not a time from now; examples: `30m`, `2h`, `1d12h`.".to_owned()
}

pub(super) fn no_change(name: &str) -> String {
    format!(
        "{} is no pull request or issue that is known here, no tag, and no commit. Name one (`#12`, `v1.2.3`, the digits \
         of a commit), or `none`.",
        quoted(name)
    )
}

// ── Gates ──

/// Returns why gates don't count here, if they don't.
pub(super) fn gates_off(policy: &Policy) -> Option<String> {
    (policy.mode != Mode::Act).then(|| {
        "Gates and deploys need `mode: act` in this repository's policy, `.github/phasebot.yml`. Nothing was done."
            .to_owned()
    })
}

pub(super) fn no_gate(what: &str, section: &str) -> String {
    format!("The policy describes no {what}; it would stand under `{section}:` with its `require:`.")
}

pub(super) fn nothing_waits(gate: &str, reference: Option<&str>) -> String {
    match reference {
        Some(reference) => format!("Nothing that is named {} waits at {}.", quoted(reference), quoted(gate)),
        None => format!("Nothing waits at {}.", quoted(gate)),
    }
}

pub(super) fn no_approval_asked(gate: &str) -> String {
    format!("{} asks for no approval.", quoted(gate))
}

pub(super) fn not_by_oneself(by: &str, why: &str) -> String {
    format!("{} {why}; somebody else has to approve it.", quoted(by))
}

pub(super) fn approval_does_not_count(by: &str, teams: &[String]) -> String {
    if teams.is_empty() {
        return format!("It asks for people with `maintain`; {} has less.", quoted(by));
    }
    format!("It asks for members of {}; {} is in none.", list(teams.iter().map(String::as_str)), quoted(by))
}

pub(super) fn approvers(teams: &[String]) -> String {
    format!("Members of {} may approve, too.", list(teams.iter().map(String::as_str)))
}

/// Replies that the authors are unknown; `why` is a sentence without a capital and a full stop.
pub(super) fn authors_unknown(why: &str) -> String {
    format!("Nobody approves their own, and {why}. Say it again once that is known.")
}

pub(super) fn no_condition(name: &str, known: &[&str]) -> String {
    format!("There is no condition {}; these are known: {}", quoted(name), list(known.iter().copied()))
}

pub(super) fn not_required(name: &str, gate: &str) -> String {
    format!("{} does not ask for {}.", quoted(gate), quoted(name))
}

pub(super) fn never_overridden(name: &str) -> String {
    format!("Nobody overrides {}: `override.never` in the policy says so.", quoted(name))
}

pub(super) fn not_in_the_way(name: &str) -> String {
    format!("{} does not stand in the way.", quoted(name))
}

pub(super) fn which_gate(gates: &[String]) -> String {
    if gates.is_empty() {
        return "Nothing waits for these conditions at any gate.".to_owned();
    }
    let gates = gates.iter().map(String::as_str);
    format!("More than one gate waits for them: {}. Name it: `release`, or `deploy ENV`.", list(gates))
}
