//! First line of a message: the state, and whose turn it is. It can't be made without a turn.

use crate::{
    domain::{
        statement::Statement,
        turn::{CommandLine, Turn},
    },
    text::message::{forge_words, person, sentence},
};

/// The first line of a message, and the paragraphs beneath it. All of it is Markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    state: String,
    turn: Turn,
    details: String,
}

impl Headline {
    /// Returns the first line of a state, in words without a full stop.
    pub fn new(state: impl Into<String>, turn: Turn) -> Self {
        Self { state: state.into(), turn, details: String::new() }
    }

    /// Returns what nobody is told: a refusal of someone who may not be answered.
    pub(crate) fn untold() -> Self {
        Self::new("", Turn::Nobody)
    }

    /// Adds a paragraph beneath the first line.
    #[must_use]
    pub fn with(mut self, paragraph: impl AsRef<str>) -> Self {
        let paragraph = paragraph.as_ref().trim();
        if !paragraph.is_empty() {
            self.details.push_str("\n\n");
            self.details.push_str(paragraph);
        }
        self
    }

    /// Adds a command as a block that GitHub offers to copy.
    #[must_use]
    pub fn with_command(self, command: &CommandLine) -> Self {
        self.with(command.block())
    }

    /// Returns the command that comes next as a block of its own, unless there is a choice or the
    /// details show it.
    fn copied(&self) -> String {
        self.turn
            .only_command()
            .map(CommandLine::block)
            .filter(|block| !self.details.contains(block))
            .map_or_else(String::new, |block| format!("\n\n{block}"))
    }

    /// Returns the state alone.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Returns whose turn it is.
    pub fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Returns the whole text; `asker` is the login of the person whom it answers.
    pub fn text(&self, asker: &str) -> String {
        self.text_for(&person(asker))
    }

    /// Returns the whole text; `asker` are the words for the people whom it answers.
    pub(crate) fn text_for(&self, asker: &str) -> String {
        if self.state.is_empty() {
            return String::new();
        }
        let first = line(&self.state, &self.turn.clone().asked_by(asker));
        format!("{first}{}{}", self.copied(), self.details)
    }
}

impl Headline {
    /// Returns the whole text for the person whom it answers, with its first line as values.
    pub fn statement(&self, asker: &str) -> Statement {
        self.statement_for(&person(asker))
    }

    /// Returns the whole text, with its first line as values; `asker` are the words for the people
    /// whom it answers.
    pub(crate) fn statement_for(&self, asker: &str) -> Statement {
        Statement { state: self.state.clone(), turn: self.turn.clone().asked_by(asker), text: self.text_for(asker) }
    }
}

/// Returns a first line: the state in bold, then whose turn it is.
pub(crate) fn line(state: &str, turn: &Turn) -> String {
    let (state, words) = (sentence(state), turn.words());
    if words.is_empty() { format!("**{state}**") } else { format!("**{state}** {words}.") }
}

/// Returns what became of a request that the forge did not carry out, and what to do now. `why` is
/// an adapter's error, which begins with `in doubt: ` if the request may have been carried out, and
/// with `not done: ` if it certainly was not, for a temporary reason.
pub(crate) fn rejected(why: &str) -> Headline {
    let words = forge_words(why);
    if why.starts_with("in doubt: ") {
        let turn = Turn::asker("check whether it was carried out before you repeat the command");
        Headline::new(format!("GitHub did not confirm the request: {words}"), turn)
    } else if why.starts_with("not done: ") {
        let turn = Turn::asker("repeat the command later");
        Headline::new(format!("GitHub did not carry out the request: {words}"), turn)
    } else {
        let turn = Turn::asker("correct the command and repeat it");
        Headline::new(format!("GitHub rejected the request: {words}"), turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_state_and_turn() {
        let locks = crate::text::message::command_line(&["locks"]);
        let headline = Headline::new("there is no lock", Turn::asker("name another")).with_command(&locks);
        let text = headline.text("bob");
        assert_eq!(text, "**There is no lock.** Next, **bob**: name another.\n\n```text\n/locks\n```");
        let statement = headline.statement("bob");
        assert_eq!((statement.state.as_str(), statement.text), ("there is no lock", text));
        assert_eq!(statement.turn, Turn::people("**bob**", "name another"));
        let next = Headline::new("nothing runs", Turn::asker(locks.clone())).with("Why: it is new.").text("bob");
        assert_eq!(
            next,
            "**Nothing runs.** Next, **bob**: comment `/locks`.\n\n```text\n/locks\n```\n\nWhy: it is new."
        );
        let said = Headline::new("nothing runs", Turn::asker(locks.clone())).with_command(&locks).text("bob");
        assert_eq!(said.matches("```text").count(), 1);
    }
}
