//! Replies about who may use a command.

use crate::{
    command::{Row, messages::list, permissions::Unanswered},
    domain::permission::{Grant, Role},
    text::message::{forge_reason, quoted},
};

/// Returns who may use a command.
pub(crate) fn who(grant: &Grant) -> String {
    match grant {
        Grant::AtLeast(role) => format!("people with {} on this repository", quoted(role.name())),
        Grant::Teams(teams) => format!("members of {}", list(teams.iter().map(String::as_str))),
    }
}

pub(crate) fn role_too_low(row: &Row, least: Role, role: Role, by_policy: bool, by: &str) -> String {
    let said = if by_policy { "by `commands.permissions` in this repository's policy" } else { "by default" };
    format!(
        "{} takes {} here, {said}; {} has {}. Ask {}.",
        quoted(&format!("/{}", row.name)),
        quoted(least.name()),
        quoted(by),
        quoted(role.name()),
        who(&Grant::AtLeast(least)),
    )
}

pub(crate) fn not_in_teams(row: &Row, teams: &[String], by: &str) -> String {
    format!(
        "{} is for {} by this repository's policy, and {} is not among them. Ask one of them.",
        quoted(&format!("/{}", row.name)),
        who(&Grant::Teams(teams.to_vec())),
        quoted(by),
    )
}

pub(crate) fn role_unknown(by: &str, unanswered: &Unanswered) -> String {
    format!(
        "The forge did not say what {} may do here ({}), so nothing was done. {}Repeat the command later.",
        quoted(by),
        forge_reason(&unanswered.why),
        given_up(unanswered),
    )
}

pub(crate) fn teams_unknown(by: &str, teams: &[String], unanswered: &Unanswered) -> String {
    format!(
        "The forge did not say whether {} is in {} ({}), so nothing was done. {}Repeat the command later; if it is \
         refused again, an owner has to let phasebot read the organisation's members.",
        quoted(by),
        list(teams.iter().map(String::as_str)),
        forge_reason(&unanswered.why),
        given_up(unanswered),
    )
}

fn given_up(unanswered: &Unanswered) -> String {
    unanswered.given_up.as_ref().map_or_else(String::new, |why| format!("{why} "))
}
