//! Table of commands, for the README and `docs/commands.md`.

use std::fmt::Write as _;

use crate::{
    command::{COMMANDS, Place, grammar, messages},
    text::message::cell,
};

/// Returns the table as Markdown, made from [`COMMANDS`].
pub fn commands_markdown() -> String {
    let mut text = String::from("| command | least permission | where | |\n| --- | --- | --- | --- |\n");
    for row in COMMANDS {
        let forms: Vec<String> = messages::forms(row).iter().map(|form| format!("`{}`", cell(form))).collect();
        let place = match (row.place, row.forks) {
            (Place::Anywhere, true) => "anywhere",
            (Place::Anywhere, false) => "anywhere but on forks' pull requests",
            (Place::Pulls, true) => "pull requests",
            (Place::Pulls, false) => "pull requests, not from forks",
            (Place::Feedback, _) => "feedback issues",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {} | {place} | {} |", forms.join(" · "), row.least.name(), row.help);
    }
    text
}

/// Returns example lines for every form of every command: the shortest and the fullest.
pub fn examples() -> Vec<String> {
    let of = |row: &'static crate::command::Row| {
        row.forms.iter().flat_map(move |form| {
            [false, true].map(|whole| format!("/{} {}", row.name, grammar::example(form, whole)).trim_end().to_owned())
        })
    };
    let mut lines: Vec<String> = COMMANDS.iter().flat_map(|row| of(row)).collect();
    lines.dedup();
    lines
}
