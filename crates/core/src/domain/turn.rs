//! Whose turn it is: who acts next on what a message reports, and what they do.

use serde::{Deserialize, Serialize};

/// Who acts next. Each message's first line ends with it. The words are Markdown, already sanitized.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// It is not recorded, as in records of earlier versions, or does not matter: nothing is said.
    #[default]
    Untold,
    /// Nobody has to do anything.
    Nobody,
    /// Nobody has to do anything, because this follows by itself; a clause that names the actor:
    /// `phasebot waits for the checks`.
    ByItself(String),
    /// The person whom the message answers does this, an instruction: `repeat the command`.
    Asker(String),
    /// People do this.
    People {
        /// Who they are: `anyone with write access`.
        who: String,
        /// An instruction to them: ``comment `/unlock staging` ``.
        act: String,
    },
}

impl Turn {
    /// Returns the turn of people.
    pub fn people(who: impl Into<String>, act: impl Into<String>) -> Self {
        Self::People { who: who.into(), act: act.into() }
    }

    /// Returns the turn of whoever the message answers.
    pub fn asker(act: impl Into<String>) -> Self {
        Self::Asker(act.into())
    }

    /// Returns the turn of phasebot or of a system that it waits for.
    pub fn by_itself(what: impl Into<String>) -> Self {
        Self::ByItself(what.into())
    }

    /// Returns the turn while the forge's answer is awaited.
    pub fn asking() -> Self {
        Self::by_itself("phasebot asks GitHub and goes on by itself")
    }

    /// Returns true if a person has to act.
    pub fn is_of_people(&self) -> bool {
        matches!(self, Self::Asker(_) | Self::People { .. })
    }

    /// Returns true if it is not recorded; for a stored record, where it is left out.
    pub fn is_untold(&self) -> bool {
        *self == Self::Untold
    }

    /// Returns the turn with the name of the person whom the message answers.
    #[must_use]
    pub fn asked_by(self, asker: &str) -> Self {
        match self {
            Self::Asker(act) => Self::people(asker, act),
            Self::Untold | Self::Nobody | Self::ByItself(_) | Self::People { .. } => self,
        }
    }

    /// Adds the turn to a sentence that has no full stop.
    pub fn after(&self, sentence: &str) -> String {
        let (sentence, words) = (sentence.trim_end_matches('.'), self.words());
        if words.is_empty() { sentence.to_owned() } else { format!("{sentence}. {words}") }
    }

    /// Returns the end of a first line, without a full stop; empty if it is not recorded.
    pub fn words(&self) -> String {
        match self {
            Self::Untold => String::new(),
            Self::Nobody => NOTHING.to_owned(),
            Self::ByItself(what) => format!("{NOTHING}: {what}"),
            Self::Asker(act) => format!("{NEXT}whoever asked: {act}"),
            Self::People { who, act } => format!("{NEXT}{who}: {act}"),
        }
    }
}

/// Beginning of a turn that is nobody's.
const NOTHING: &str = "Nothing to do";
/// Beginning of a turn that is somebody's.
const NEXT: &str = "Next, ";

/// Returns true if a line says whose turn it is.
pub fn is_told(line: &str) -> bool {
    line.contains(NOTHING) || line.split_once(NEXT).is_some_and(|(_, rest)| rest.contains(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_is_told_in_words() {
        let turns =
            [Turn::Nobody, Turn::by_itself("it rains"), Turn::asker("repeat it"), Turn::people("**bob**", "merge it")];
        for turn in turns {
            assert!(is_told(&turn.words()) && is_told(&turn.clone().asked_by("**bob**").words()), "{turn:?}");
        }
        assert_eq!(Turn::default().after("It waits."), "It waits");
        assert_eq!(Turn::asker("repeat it").asked_by("**bob**").words(), "Next, **bob**: repeat it");
        assert!(!is_told("Passed") && !is_told("Next, somebody acts"));
    }
}
