//! Text for people, with its first line as values.

use serde::{Deserialize, Serialize};

use crate::domain::turn::Turn;

/// A text for people, and what its first line says: nothing has to read a sentence of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Statement {
    /// The state, without a full stop; empty if the text has no first line of that form.
    pub state: String,
    /// Who acts next.
    pub turn: Turn,
    /// The whole text, in Markdown.
    pub text: String,
}

/// A statement as it is stored: earlier versions had the text alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Text(String),
    Parts { state: String, turn: Turn, text: String },
}

impl From<Stored> for Statement {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Text(text) => Self::from(text),
            Stored::Parts { state, turn, text } => Self { state, turn, text },
        }
    }
}

impl From<String> for Statement {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

impl From<&str> for Statement {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl Statement {
    /// Returns true if there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the state, or the first line of a text without one.
    pub fn summary(&self) -> &str {
        if self.state.is_empty() { self.text.lines().next().unwrap_or_default() } else { &self.state }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_statement_is_read_again() {
        let said = Statement { state: "it failed".into(), turn: Turn::asker("mend it"), text: "**It failed.**".into() };
        assert_eq!(serde_json::from_str::<Statement>(&serde_json::to_string(&said).unwrap()).unwrap(), said);
        assert_eq!(said.summary(), "it failed");
        let earlier: Statement = serde_json::from_str(r#""recorded\nas h1""#).unwrap();
        assert_eq!((earlier.summary(), &earlier.turn), ("recorded", &Turn::Untold));
    }
}
