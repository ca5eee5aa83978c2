//! Replies about who may use a command.

use crate::{
    command::{Row, messages::list, permissions::Unanswered},
    domain::{
        fact::command::Evidence,
        permission::{Grant, Role},
    },
    text::message::{forge_words, person, quoted},
};

/// Returns a role as people say it: `write access`.
pub(crate) fn access(role: Role) -> String {
    format!("{} access", role.name())
}

/// Returns who may use a command.
pub(crate) fn who(grant: &Grant) -> String {
    match grant {
        Grant::AtLeast(role) => format!("people with {}", access(*role)),
        Grant::Teams(teams) => format!("members of {}", list(teams.iter().map(String::as_str))),
    }
}

pub(crate) fn role_too_low(row: &Row, least: Role, role: Role, by_policy: bool, by: &str) -> String {
    let said = if by_policy { " (`commands.permissions` in the policy)" } else { "" };
    let has = if role == Role::None { "has no access".to_owned() } else { format!("has {}", access(role)) };
    let command = quoted(&format!("/{}", row.name));
    format!(
        "**{} needs {}** for {command}{said} and {has}. Ask {} to run it.",
        person(by).trim_matches('*'),
        access(least),
        who(&Grant::AtLeast(least))
    )
}

pub(crate) fn not_in_teams(row: &Row, teams: &[String], by: &str) -> String {
    format!(
        "The policy reserves {} for {}, and {} is not one of them. Ask one of them.",
        quoted(&format!("/{}", row.name)),
        who(&Grant::Teams(teams.to_vec())),
        quoted(by),
    )
}

pub(crate) fn role_unknown(by: &str, unanswered: &Unanswered) -> String {
    format!(
        "GitHub did not say what {} may do here ({}), so nothing was done. {}Repeat the command later.",
        quoted(by),
        forge_words(&unanswered.why),
        given_up(unanswered),
    )
}

pub(crate) fn teams_unknown(by: &str, teams: &[String], unanswered: &Unanswered) -> String {
    format!(
        "GitHub did not say whether {} is in {} ({}), so nothing was done. {}Repeat the command later. If it is refused \
         again, an owner has to let phasebot read the organisation's members.",
        quoted(by),
        list(teams.iter().map(String::as_str)),
        forge_words(&unanswered.why),
        given_up(unanswered),
    )
}

fn given_up(unanswered: &Unanswered) -> String {
    unanswered.given_up.as_ref().map_or_else(String::new, |why| format!("{why} "))
}

/// Returns a person's permissions as the forge reported them.
pub(crate) fn right(evidence: &Evidence) -> String {
    let role = evidence.role.map_or_else(|| "GitHub did not report the role".to_owned(), access);
    let teams = evidence.teams.iter().map(|(team, member)| {
        let member = match member {
            Some(true) => "member of",
            Some(false) => "not in",
            None => "perhaps in",
        };
        format!("{member} {}", quoted(team))
    });
    std::iter::once(role).chain(teams).collect::<Vec<_>>().join(", ")
}
