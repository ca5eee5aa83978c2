//! Problems in a policy file: message, position and suggestion.

use std::fmt;

use serde::Serialize;

/// Maximum length of the part of a source line that a problem shows, in characters.
const SHOWN: usize = 100;
/// Maximum length of the file's own text that a message repeats, in characters.
const QUOTED: usize = 60;

/// A position in a file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// Line, from 1.
    pub(crate) line: u32,
    /// Column in characters, from 1.
    pub(crate) column: u32,
    /// Width on that line, in characters.
    pub(crate) width: u32,
}

impl Position {
    /// The first character of a file: the position of a problem of the whole file.
    pub(crate) const START: Self = Self { line: 1, column: 1, width: 1 };
}

/// The source line that a problem points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// The line, shortened around the position and without control characters.
    pub text: String,
    /// Number of characters of `text` before the position.
    pub offset: usize,
    /// Number of underlined characters.
    pub width: usize,
}

/// A problem in a policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file's name, as it was given to the parser.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Description of the problem.
    pub message: String,
    /// The nearest valid word.
    pub suggestion: Option<String>,
    /// The source line; `None` if the file has no such line.
    pub snippet: Option<Snippet>,
}

impl Problem {
    /// Creates a problem at a position of a text.
    pub(crate) fn new(file: &str, text: &str, mark: Position, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: mark.line,
            column: mark.column,
            message: message.into(),
            suggestion: None,
            snippet: Snippet::cut(text, mark),
        }
    }

    /// Sets the suggestion: what was probably meant.
    #[must_use]
    pub(crate) fn meant(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }

    /// Returns the problem as a warning for people.
    #[must_use]
    pub fn as_warning(&self) -> Self {
        Self { message: format!("warning: {}", self.message), ..self.clone() }
    }

    /// Returns the key by which problems of a file are sorted: line, column, message.
    pub(crate) fn order(&self) -> (u32, u32, &str) {
        (self.line, self.column, &self.message)
    }
}

/// Parts of a report that a terminal may colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Position of a problem.
    Place,
    /// Marks below the source line of a problem.
    Problem,
    /// Marks below the source line of a warning.
    Warning,
    /// Suggestion.
    Suggestion,
    /// Last line of a valid file.
    Valid,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.painted(Part::Problem, &|_, text| text.to_owned()))
    }
}

impl Problem {
    /// Returns `file:line:column: message`, the source line, a caret and the suggestion. `marks` is
    /// the part that the caret is; `paint` may add colours to a part.
    pub(crate) fn painted(&self, marks: Part, paint: &dyn Fn(Part, &str) -> String) -> String {
        let place = paint(Part::Place, &format!("{}:{}:{}:", self.file, self.line, self.column));
        let meant = self.suggestion.as_ref().map(|word| paint(Part::Suggestion, &format!("did you mean `{word}`?")));
        let Some(snippet) = &self.snippet else {
            let meant = meant.map_or_else(String::new, |meant| format!("\n  {meant}"));
            return format!("{place} {}{meant}", self.message);
        };
        let number = self.line.to_string();
        let margin = number.len();
        let offset = " ".repeat(snippet.offset);
        let caret = paint(marks, &"^".repeat(snippet.width));
        let meant = meant.map_or_else(String::new, |meant| format!(" {meant}"));
        format!("{place} {}\n  {number} | {}\n  {:margin$} | {offset}{caret}{meant}", self.message, snippet.text, "")
    }
}

impl Snippet {
    /// Returns the line of `text` that contains `mark`, cut to a readable length.
    fn cut(text: &str, mark: Position) -> Option<Self> {
        let index = usize::try_from(mark.line.checked_sub(1)?).ok()?;
        let column = usize::try_from(mark.column.saturating_sub(1)).unwrap_or(0);
        let line: Vec<char> = text.lines().nth(index)?.chars().map(printable).collect();
        let column = column.min(line.len());
        // A long line is shown from a little before the position.
        let skipped = if line.len() > SHOWN { column.saturating_sub(SHOWN / 2) } else { 0 };
        let kept: String = line.iter().skip(skipped).take(SHOWN).collect();
        let shown = kept.trim_end();
        let offset = column - skipped;
        let wanted = usize::try_from(mark.width).unwrap_or(1);
        let width = wanted.min(shown.chars().count().saturating_sub(offset)).max(1);
        Some(Self { text: shown.to_owned(), offset, width })
    }
}

/// Quotes a part of the file for a message: shortened, one line, in backticks.
pub(crate) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED).map(printable).collect();
    if text.chars().nth(QUOTED).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// Replaces characters that could move or hide what a terminal or a comment shows with visible
/// ones.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Returns the candidate that `word` was probably meant to be, if any.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Longer words are not misspellings of our keys, and the distance costs the product of the
    // lengths.
    if word.is_empty() || word.chars().count() > 64 {
        return None;
    }
    let plain = flat(word);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = flat(candidate);
            let distance = strsim::damerau_levenshtein(&plain, &other);
            let allowed = (other.chars().count().min(plain.chars().count()) / 3).max(1);
            let part = plain.len() >= 4 && (other.starts_with(&plain) || other.ends_with(&plain));
            (distance <= allowed || part).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Removes spelling differences that people don't see: case, `-` and `_`.
fn flat(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// Lists words in backticks, separated by commas.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
