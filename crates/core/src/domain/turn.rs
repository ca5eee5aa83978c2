//! Whose turn it is: who acts next on what a message reports, and what they do.

use serde::{Deserialize, Serialize};

use crate::domain::id::ItemId;

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
    /// The person whom the message answers does this.
    Asker(Act),
    /// People do this.
    People {
        /// Who they are: `anyone with write access`.
        who: String,
        /// What they do.
        act: Act,
    },
}

/// What somebody does next: an instruction in words, and the commands to comment, as values among
/// them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredAct")]
pub struct Act(Vec<Part>);

/// A part of an instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Part {
    /// Markdown, already sanitized.
    Words(String),
    /// A command to comment.
    Command(CommandLine),
}

/// An instruction as it is stored: earlier versions had words alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredAct {
    Words(String),
    Parts(Vec<Part>),
}

/// A command that people comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    /// Its name: `deploy`.
    pub name: String,
    /// The whole line: `/deploy staging`. It is sanitized to stand in code.
    pub line: String,
    /// Where people comment it.
    #[serde(default, skip_serializing_if = "CommandPlace::is_here")]
    pub place: CommandPlace,
}

/// Item on which people comment a command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandPlace {
    /// The one that shows the message.
    #[default]
    Here,
    /// This one.
    On(ItemId),
    /// Any one.
    Anywhere,
}

impl CommandPlace {
    fn is_here(&self) -> bool {
        *self == Self::Here
    }
}

impl CommandLine {
    /// Returns the command on an item.
    #[must_use]
    pub fn on(mut self, item: ItemId) -> Self {
        self.place = CommandPlace::On(item);
        self
    }

    /// Returns the line as inline code.
    pub fn code(&self) -> String {
        format!("`{}`", self.line)
    }

    /// Returns the line in a block of its own, which the forge offers to copy.
    pub fn block(&self) -> String {
        format!("```text\n{}\n```", self.line)
    }

    fn words(&self) -> String {
        let code = self.code();
        match self.place {
            CommandPlace::Here => code,
            CommandPlace::On(item) => format!("{code} on #{item}"),
            CommandPlace::Anywhere => format!("{code} on any issue or pull request"),
        }
    }
}

impl Act {
    /// Returns the instruction to comment a command.
    pub fn comment(command: CommandLine) -> Self {
        Self::from("comment ").with(command)
    }

    /// Adds words.
    #[must_use]
    pub fn and(mut self, words: impl Into<String>) -> Self {
        self.0.push(Part::Words(words.into()));
        self
    }

    /// Adds a command.
    #[must_use]
    pub fn with(mut self, command: CommandLine) -> Self {
        self.0.push(Part::Command(command));
        self
    }

    /// Returns the commands, in the order in which they are named.
    pub fn commands(&self) -> impl Iterator<Item = &CommandLine> {
        self.0.iter().filter_map(|part| match part {
            Part::Command(command) => Some(command),
            Part::Words(_) => None,
        })
    }

    /// Returns the instruction for people who read it elsewhere than on an item: the first command
    /// names where it belongs, unless one does already.
    #[must_use]
    pub fn placed(mut self, place: CommandPlace) -> Self {
        let is_said = self.commands().any(|command| command.place != CommandPlace::Here);
        let mut commands = self.0.iter_mut().filter_map(|part| match part {
            Part::Command(command) => Some(command),
            Part::Words(_) => None,
        });
        if let Some(first) = commands.next().filter(|_| !is_said) {
            first.place = place;
        }
        self
    }

    /// Returns the whole instruction in Markdown.
    pub fn words(&self) -> String {
        let part = |part: &Part| match part {
            Part::Words(words) => words.clone(),
            Part::Command(command) => command.words(),
        };
        self.0.iter().map(part).collect()
    }
}

impl From<StoredAct> for Act {
    fn from(stored: StoredAct) -> Self {
        match stored {
            StoredAct::Words(words) => Self::from(words),
            StoredAct::Parts(parts) => Self(parts),
        }
    }
}

impl From<String> for Act {
    fn from(words: String) -> Self {
        Self(vec![Part::Words(words)])
    }
}

impl From<&str> for Act {
    fn from(words: &str) -> Self {
        Self::from(words.to_owned())
    }
}

impl From<CommandLine> for Act {
    fn from(command: CommandLine) -> Self {
        Self::comment(command)
    }
}

impl Turn {
    /// Returns the turn of people.
    pub fn people(who: impl Into<String>, act: impl Into<Act>) -> Self {
        Self::People { who: who.into(), act: act.into() }
    }

    /// Returns the turn of whoever the message answers.
    pub fn asker(act: impl Into<Act>) -> Self {
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

    /// Returns what somebody does next, if it is somebody's turn.
    pub fn act(&self) -> Option<&Act> {
        match self {
            Self::Asker(act) | Self::People { act, .. } => Some(act),
            Self::Untold | Self::Nobody | Self::ByItself(_) => None,
        }
    }

    /// Returns the commands that somebody comments next.
    pub fn commands(&self) -> impl Iterator<Item = &CommandLine> {
        self.act().into_iter().flat_map(Act::commands)
    }

    /// Returns the command that comes next, if there is one and no choice.
    pub fn only_command(&self) -> Option<&CommandLine> {
        let mut commands = self.commands();
        commands.next().filter(|_| commands.next().is_none())
    }

    /// Returns true if the first thing to do is to comment this command.
    pub fn starts_with(&self, name: &str) -> bool {
        self.commands().next().is_some_and(|command| command.name == name)
    }

    /// Returns the turn for people who read it elsewhere than on an item, as [`Act::placed`] does.
    #[must_use]
    pub fn placed(self, place: CommandPlace) -> Self {
        match self {
            Self::Asker(act) => Self::Asker(act.placed(place)),
            Self::People { who, act } => Self::People { who, act: act.placed(place) },
            Self::Untold | Self::Nobody | Self::ByItself(_) => self,
        }
    }

    /// Returns the turn for people who read it on this item: a command that belongs there needs no
    /// place.
    #[must_use]
    pub fn read_on(mut self, item: ItemId) -> Self {
        if let Self::Asker(act) | Self::People { act, .. } = &mut self {
            for part in &mut act.0 {
                if let Part::Command(command) = part
                    && command.place == CommandPlace::On(item)
                {
                    command.place = CommandPlace::Here;
                }
            }
        }
        self
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
            Self::Asker(act) => format!("{NEXT}whoever asked: {}", act.words()),
            Self::People { who, act } => format!("{NEXT}{who}: {}", act.words()),
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

    #[test]
    fn a_command_is_a_value_among_the_words() {
        let line = |name: &str| CommandLine {
            name: name.to_owned(),
            line: format!("/{name} staging"),
            place: CommandPlace::Here,
        };
        let act = Act::comment(line("rollback")).and(" to go back, or ").with(line("deploy")).and(" if it failed");
        let turn = Turn::people("**bob**", act);
        assert!(
            turn.starts_with("rollback")
                && !turn.starts_with("deploy")
                && !Turn::asker("deploy it").starts_with("deploy")
        );
        assert_eq!(
            turn.clone().placed(CommandPlace::On(5)).words(),
            "Next, **bob**: comment `/rollback staging` on #5 to go back, or `/deploy staging` if it failed"
        );
        assert_eq!(turn.clone().placed(CommandPlace::On(5)).read_on(5), turn);
        // Nothing is placed twice.
        let there = turn.placed(CommandPlace::On(5));
        assert_eq!(there.clone().placed(CommandPlace::Anywhere), there);
        assert_eq!(Turn::asker("merge it").placed(CommandPlace::Anywhere), Turn::asker("merge it"));
    }

    #[test]
    fn a_stored_turn_is_read_again() {
        let command = CommandLine { name: "ack".to_owned(), line: "/ack".to_owned(), place: CommandPlace::On(7) };
        for turn in [Turn::Nobody, Turn::people("ann", Act::comment(command).and(" now")), Turn::asker("merge it")] {
            assert_eq!(serde_json::from_str::<Turn>(&serde_json::to_string(&turn).unwrap()).unwrap(), turn);
        }
        let earlier = r#"{"people": {"who": "ann", "act": "merge it"}}"#;
        assert_eq!(serde_json::from_str::<Turn>(earlier).unwrap(), Turn::people("ann", "merge it"));
    }
}
