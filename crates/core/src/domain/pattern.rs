//! Globs as policy files write them.

use crate::domain::glob::{Glob, GlobError};

/// A compiled glob with its text.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    matcher: Glob,
}

impl Pattern {
    /// Compiles a glob; `*` matches `/` too, as in the forges' branch rules.
    pub fn new(text: &str) -> Result<Self, GlobError> {
        Ok(Self { text: text.to_owned(), matcher: Glob::new(text)? })
    }

    /// Returns true if `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        self.text == name || self.matcher.is_match(name)
    }

    /// Returns the glob as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
