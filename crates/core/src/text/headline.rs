//! First line of a message: the state, and whose turn it is. It can't be made without a turn.

use crate::{
    domain::turn::Turn,
    text::message::{person, sentence},
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
    pub fn with_command(self, command: &str) -> Self {
        self.with(format!("```text\n{}\n```", command.trim_matches('`')))
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
        format!("{}{}", line(&self.state, &self.turn.clone().asked_by(asker)), self.details)
    }
}

/// Returns a first line: the state in bold, then whose turn it is.
pub(crate) fn line(state: &str, turn: &Turn) -> String {
    let (state, words) = (sentence(state), turn.words());
    if words.is_empty() { format!("**{state}**") } else { format!("**{state}** {words}.") }
}

/// Returns the state of a text that begins with a first line, or its first line.
pub(crate) fn state_of(text: &str) -> &str {
    let first = text.lines().next().unwrap_or_default();
    let state = first.strip_prefix("**").and_then(|rest| rest.split_once("** "));
    state.filter(|(_, turn)| crate::domain::turn::is_told(turn)).map_or(first, |(state, _)| state.trim_end_matches('.'))
}

/// Returns whose turn it is, by a text that begins with a first line.
pub(crate) fn turn_in(text: &str) -> &str {
    let first = text.lines().next().unwrap_or_default();
    first.split_once("** ").map_or("", |(_, turn)| turn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_state_and_turn() {
        let headline = Headline::new("there is no lock", Turn::asker("name another")).with_command("`/locks`");
        let text = headline.text("bob");
        assert_eq!(text, "**There is no lock.** Next, **bob**: name another.\n\n```text\n/locks\n```");
        assert_eq!(state_of(&text), "There is no lock");
        assert_eq!(state_of("done"), "done");
    }
}
