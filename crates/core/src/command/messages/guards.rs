//! Lines about holds, locks and freezes, and replies to the commands that set and end them.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::{
    command::messages::{list, time},
    context::rights::{DEPLOYS, who_may},
    domain::{
        fact::command::{ALL, Guard},
        policy::Policy,
        turn::{Act, Turn},
    },
    text::{
        headline::Headline,
        links::Links,
        message::{capitalized, command, command_line, duration, on_item, person, quoted, reason},
        times::Times,
    },
};

/// Added wherever a hold, a lock or a freeze is shown that is not enforced.
pub(crate) fn not_enforced(links: &Links) -> String {
    let change = links.edit_policy("`.github/phasebot.yml`");
    format!("Not enforced: holds, locks and freezes count only with `mode: act` in {change}.")
}

pub(crate) fn hold_line(hold: &Guard<'_>, times: &Times) -> String {
    guard_line("⏸️ **Hold**", hold, times, &command(&["unhold", hold.name]))
}

pub(crate) fn lock_line(lock: &Guard<'_>, times: &Times) -> String {
    let what = format!("🔒 **{} is locked**", quoted(lock.name));
    guard_line(&what, lock, times, &command(&["unlock", lock.name]))
}

pub(crate) fn freeze_line(freeze: &Guard<'_>, times: &Times) -> String {
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
    format!("{what} by {by} since {since}{until}{}{reason} · {ends}", on_item(guard.item))
}

pub(crate) fn guard(guard: &Guard<'_>, policy: &Policy) -> String {
    let until = guard.until.map_or_else(String::new, |at| format!(" until {}", time(at, policy)));
    let (by, since) = (quoted(&guard.by.login), time(guard.since, policy));
    format!("by {by}{} since {since}{until}{}", on_item(guard.item), reason(guard.reason))
}

pub(crate) fn locked(lock: &Guard<'_>, policy: &Policy) -> Headline {
    let (unlock, by) = (command_line(&["unlock", lock.name]), person(&lock.by.login));
    let act = match lock.until {
        Some(_) => {
            Act::from(format!("repeat the command when the lock has ended by itself, or ask {by} to end it sooner"))
        }
        None => Act::from(format!("ask {by} to comment ")).with(unlock.clone()).and(", then repeat the command"),
    };
    let may = format!("{} may end the lock, too:", capitalized(&who_may(policy, "unlock", DEPLOYS)));
    Headline::new(format!("{} is already locked {}", quoted(lock.name), guard(lock, policy)), Turn::asker(act))
        .with(may)
        .with_command(&unlock)
}

/// Replies to a lock's owner who deploys from another item than the lock's.
pub(crate) fn locked_for_other_item(verb: &str, lock: &Guard<'_>, policy: &Policy) -> Headline {
    let (again, unlock) = (command_line(&[verb, lock.name, "replace"]), command_line(&["unlock", lock.name]));
    Headline::new(
        format!("{} is locked {}, so nothing was started", quoted(lock.name), guard(lock, policy)),
        Turn::asker(
            Act::comment(again.clone()).and(" to deploy all the same, or ").with(unlock).and(" to end the lock"),
        ),
    )
    .with_command(&again)
}

/// Replies that nothing is there to lift. A name that is close to an environment's is probably a typo.
pub(crate) fn nothing_to_lift(verb: &str, name: &str, known: &BTreeSet<&str>) -> Headline {
    let what = verb.trim_start_matches("un");
    let state = format!("there is no {what} on {}", quoted(name));
    let unknown = format!("no environment is called {}", quoted(name));
    if known.contains(name) || known.is_empty() || name == ALL {
        return Headline::new(state, Turn::Nobody);
    }
    let environments = list(known.iter().copied());
    match nearest(name, known) {
        Some(near) => {
            let act = Act::comment(command_line(&[verb, near])).and(", if you meant that");
            Headline::new(unknown, Turn::asker(act))
        }
        None => Headline::new(unknown, Turn::asker(format!("name one of {environments}"))),
    }
}

pub(crate) fn just_begun(environment: &str, by: &str, after: SignedDuration) -> Headline {
    Headline::new(
        format!("there is no lock on {}, and a deploy by {} has just started there", quoted(environment), quoted(by)),
        Turn::asker(format!("wait for its end; after {}, `/unlock` makes phasebot stop tracking it", duration(after))),
    )
}

pub(crate) fn no_hold(name: Option<&str>, standing: &[Guard<'_>]) -> Headline {
    let names = list(standing.iter().map(|hold| hold.name));
    let Some(first) = standing.first() else { return Headline::new("this item has no hold", Turn::Nobody) };
    let one = Act::comment(command_line(&["unhold", first.name]));
    let turn = Turn::asker(one.and(", or ").with(command_line(&["unhold", "all"])));
    match name {
        Some(name) => Headline::new(format!("there is no hold {}; the holds here are {names}", quoted(name)), turn),
        None => Headline::new(format!("there are several holds: {names}"), turn),
    }
}

/// Returns the known name that is closest to a mistyped one.
fn nearest<'n>(name: &str, known: &BTreeSet<&'n str>) -> Option<&'n str> {
    let lower = name.to_lowercase();
    let near = known.iter().copied().min_by_key(|known| strsim::damerau_levenshtein(known, &lower));
    near.filter(|known| strsim::damerau_levenshtein(known, &lower) <= 2)
}

pub(crate) fn no_environment(name: &str, known: &BTreeSet<&str>) -> Headline {
    let environments = list(known.iter().copied());
    let act = match nearest(name, known) {
        Some(near) => format!("repeat the command with {}, if you meant that", quoted(near)),
        None => format!("repeat the command with one of {environments}"),
    };
    Headline::new(format!("no environment is called {}", quoted(name)), Turn::asker(act))
        .with(format!("Environments: {environments}."))
}
