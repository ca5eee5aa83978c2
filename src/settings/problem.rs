//! Problems of the settings, and their places.

use std::{fmt, ops::Range, path::PathBuf};

/// All problems of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub Vec<Problem>);

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its place.
    pub place: Place,
    /// Its description. Never contains a value, which might be a secret.
    pub message: String,
    /// Advice to fix it.
    pub help: Option<String>,
}

/// Place of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    Text {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// Number of characters concerned.
        width: usize,
        /// The line, as far as it may be shown.
        excerpt: String,
    },
    /// A variable of the environment.
    Variable(String),
    /// A setting, in whatever place.
    Setting(String),
    /// A file as a whole.
    Path(PathBuf),
}

impl Problem {
    /// Creates a problem without advice.
    pub fn new(place: Place, message: String) -> Self {
        Self { place, message, help: None }
    }

    /// Adds advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }
}

impl Place {
    /// Returns a place in `text`. With `hide_value` the line is shown only up to its first `=`,
    /// because a secret may follow, also after a misspelt key.
    pub(super) fn in_text(file: &std::path::Path, text: &str, span: Range<usize>, hide_value: bool) -> Self {
        let start = floor(text, span.start);
        let end = floor(text, span.end.max(start));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let whole = text[line_start..line_end].trim_end_matches('\r');
        let excerpt = match whole.find('=') {
            Some(at) if hide_value => format!("{}= …", &whole[..at]),
            // Without a `=`, only a section's head is known to contain no value.
            None if hide_value && (!whole.starts_with('[') || whole.contains(['"', '\''])) => "…".to_owned(),
            _ => whole.to_owned(),
        };
        Self::Text {
            file: file.to_owned(),
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            width: text[start..end.min(line_end).max(start)].chars().count().max(1),
            excerpt,
        }
    }
}

/// Returns the nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Returns the candidate that `name` was probably meant to be.
pub(super) fn nearest(name: &str, candidates: impl IntoIterator<Item = String>) -> Option<String> {
    let reach = (name.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, &candidate), candidate))
        .filter(|(distance, _)| *distance <= reach)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Formats the place briefly, for a list.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { file, line, column, .. } => write!(f, "{}:{line}:{column}", file.display()),
            Self::Variable(name) | Self::Setting(name) => f.write_str(name),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Text { file, line, column, width, excerpt } => {
                writeln!(f, "{}:{line}:{column}: {}", file.display(), self.message)?;
                let gutter = line.to_string();
                writeln!(f, "  {gutter} | {excerpt}")?;
                let shown = excerpt.chars().count();
                let column = (*column).min(shown.max(1));
                let width = (*width).min((shown + 1).saturating_sub(column).max(1));
                write!(f, "  {:>1$} | {2:>3$}{4}", "", gutter.len(), "", column - 1, "^".repeat(width))?;
            }
            Place::Variable(name) => write!(f, "{name}: {}", self.message)?,
            Place::Setting(name) => write!(f, "{name} {}", self.message)?,
            Place::Path(path) => write!(f, "{}: {}", path.display(), self.message)?,
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}
