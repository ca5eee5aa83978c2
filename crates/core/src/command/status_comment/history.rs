//! Journal: one line per command.

use std::fmt::Write as _;

use crate::{
    command::{messages, status_comment::StatusComment},
    deploy,
    domain::fact::command::{CommandAction, CommandFacts, Ending, Wanted},
    text::message::{capitalized, count, person, quoted},
};

/// Limit on the commands in the journal, newest first.
const MOST_COMMANDS: usize = 30;

impl StatusComment<'_, '_> {
    /// Adds the journal of commands. After `/audit` it is open, and shows the permissions by which
    /// each command was run.
    pub(super) fn history(&self, text: &mut String) {
        let evidence = self.is_asked(&CommandAction::Show(Wanted::Audit)).is_some();
        // Attempts by people without permissions are left out.
        let commands: Vec<_> = self.commands.iter().filter(|(_, command)| !command.is_noise()).collect();
        if commands.is_empty() {
            return;
        }
        let open = if evidence { " open" } else { "" };
        let _ = writeln!(text, "\n<details{open}><summary>History: {}</summary>\n", count(commands.len(), "command"));
        let first = commands.len().saturating_sub(MOST_COMMANDS);
        if first > 0 {
            let _ = writeln!(text, "The newest {MOST_COMMANDS}:\n");
        }
        for (id, command) in &commands[first..] {
            let line = self.links.command(**id, &quoted(&command.line));
            let right = if evidence { format!(" ({})", messages::right(&command.evidence)) } else { String::new() };
            let _ = writeln!(
                text,
                "- {} · {}{right} · {line} → {}",
                self.times.at(command.at),
                person(&command.by.login),
                self.result(command)
            );
        }
        let _ = writeln!(text, "\n</details>");
    }

    fn result(&self, command: &CommandFacts) -> String {
        let (symbol, words) = match &command.ending {
            Ending::Done(words) => ("✅", words),
            Ending::Failed(words) => ("❌", words),
            Ending::Refused(words) => ("👎", words),
            Ending::Misread(words) => ("😕", words),
            Ending::Pending => return format!("⏳ {}", self.pending(command)),
        };
        if words.is_empty() {
            format!("{symbol} done")
        } else {
            let summary = words.summary();
            let summary =
                if words.state.is_empty() { first_sentence(summary).to_owned() } else { capitalized(summary) };
            format!("{symbol} {}", summary.trim_end_matches('.').replace("**", ""))
        }
    }

    /// Returns what a command that has not ended waits for.
    fn pending(&self, command: &CommandFacts) -> &'static str {
        let Some(CommandAction::Deploy { request }) = &command.action else { return "under way" };
        self.eval.facts.requests.get(request).map_or("under way", deploy::state_word)
    }
}

/// Returns the first sentence, unless that would cut through code or bold words.
fn first_sentence(words: &str) -> &str {
    let words = words.lines().next().unwrap_or_default();
    let balanced = |text: &str| {
        let closed = |mark: &str| text.matches(mark).count().is_multiple_of(2);
        closed("`") && closed("**") && !text.ends_with(['\\', '\u{201c}'])
    };
    let ends = words.match_indices(". ").map(|(at, _)| &words[..at]);
    ends.into_iter().find(|text| balanced(text)).unwrap_or(words)
}
