//! Replies about who may use a command.

use crate::{
    command::{Row, caller::Unanswered, messages::list},
    domain::{
        fact::command::Evidence,
        permission::{Grant, Role},
        turn::Turn,
    },
    text::{
        headline::Headline,
        message::{anyone, forge_words, quoted},
    },
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

/// Refuses a command of someone whose role is too low. `approvers` may use it here as well.
pub(crate) fn role_too_low(
    row: &Row,
    least: Role,
    role: Role,
    by_policy: bool,
    (by, line): (&str, &str),
    approvers: &[String],
) -> Headline {
    let said = if by_policy { " (`commands.permissions` in the policy)" } else { "" };
    let has = if role == Role::None { "no access".to_owned() } else { access(role) };
    let state =
        format!("{} has {has}, and {}{said} needs {}", quoted(by), quoted(&format!("/{}", row.name)), access(least));
    let also = match approvers {
        [] => String::new(),
        teams => format!(" or {}", anyone(&Grant::Teams(teams.to_vec()))),
    };
    let act = format!("ask {}{also} to comment {line}", anyone(&Grant::AtLeast(least)));
    Headline::new(state, Turn::asker(act))
}

pub(crate) fn not_in_teams(row: &Row, teams: &[String], by: &str, line: &str) -> Headline {
    let grant = Grant::Teams(teams.to_vec());
    Headline::new(
        format!(
            "the policy reserves {} for {}, and {} is not one of them",
            quoted(&format!("/{}", row.name)),
            who(&grant),
            quoted(by)
        ),
        Turn::asker(format!("ask {} to comment {line}", anyone(&grant))),
    )
}

pub(crate) fn role_unknown(by: &str, unanswered: &Unanswered) -> Headline {
    let state = format!(
        "GitHub did not say what {} may do here ({}), so nothing was done",
        quoted(by),
        forge_words(&unanswered.why)
    );
    Headline::new(state, Turn::asker("repeat the command later")).with(given_up(unanswered))
}

pub(crate) fn teams_unknown(by: &str, teams: &[String], unanswered: &Unanswered) -> Headline {
    let state = format!(
        "GitHub did not say whether {} is in {} ({}), so nothing was done",
        quoted(by),
        list(teams.iter().map(String::as_str)),
        forge_words(&unanswered.why)
    );
    Headline::new(state, Turn::asker("repeat the command later"))
        .with(given_up(unanswered))
        .with("If it is refused again, an owner has to let phasebot read the organisation's members.")
}

fn given_up(unanswered: &Unanswered) -> &str {
    unanswered.given_up.as_deref().unwrap_or_default()
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
