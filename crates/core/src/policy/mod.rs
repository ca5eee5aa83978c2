//! The policy file: parsing, checking, merging and compiling.
//!
//! `text → yaml (tree with positions) → decode (types) → validate → merge → compile`. Pure: no I/O,
//! no clock. Nothing here panics, whatever the text.

pub mod built_in;
pub mod check;
pub mod compile;
mod decode;
pub mod file;
pub mod merge;
mod problem;
pub mod reference;
mod rules;
pub mod schema;
mod validate;
mod yaml;

use std::sync::Arc;

pub use crate::policy::{
    built_in::built_in,
    check::{Report, check_in_tree, check_over, check_report},
    compile::compile,
    file::PolicyFile,
    merge::{Layer, Merged, Rank, merge},
    problem::{Problem, Snippet},
    reference::reference_markdown,
    schema::schema,
    yaml::{MAX_BYTES, MAX_DEPTH, MAX_NODES},
};
use crate::{
    domain::policy::Policy,
    policy::{
        problem::Position,
        yaml::{Node, Source, Step},
    },
};

/// Path of the policy file in a repository.
pub const PATH: &str = crate::domain::policy::FILE;

/// A file that is valid by itself, with the positions of everything in it.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The content.
    pub file: PolicyFile,
    /// Values that are valid by themselves and probably not intended.
    pub warnings: Vec<Problem>,
    origin: Arc<Origin>,
}

#[derive(Debug)]
struct Origin {
    source: Source,
    root: Node,
}

impl Parsed {
    /// Returns the name under which it was read.
    pub fn name(&self) -> &str {
        &self.origin.source.name
    }

    /// Returns its text.
    pub fn text(&self) -> &str {
        &self.origin.source.text
    }

    /// Creates a problem with the value at `path`.
    fn problem(&self, path: &[Step], message: impl Into<String>) -> Problem {
        self.at(self.origin.root.place(path), message)
    }

    /// Creates a problem with a key of the mapping at `path`.
    fn problem_of_key(&self, path: &[Step], key: &str, message: impl Into<String>) -> Problem {
        self.at(self.origin.root.place_of_key(path, key), message)
    }

    fn at(&self, mark: Position, message: impl Into<String>) -> Problem {
        self.origin.source.problem(mark, message)
    }
}

/// Parses one file. `name` is its name in problems and rules.
///
/// A syntax error is reported alone; otherwise all unknown keys, wrong values and contradictions
/// within the file are reported, in the file's order. [`compile()`] checks what depends on other
/// layers.
pub fn parse(name: &str, text: &str) -> Result<Parsed, Vec<Problem>> {
    let source = Source { name: name.to_owned(), text: text.to_owned() };
    let root = yaml::read(&source)?;
    let (mut file, warnings): (PolicyFile, _) = decode::decode(&source, &root)?;
    for (index, phase) in file.phases.iter_mut().flatten().enumerate() {
        phase.line = root.place(&["phases".into(), index.into()]).line;
    }
    let parsed = Parsed { file, warnings, origin: Arc::new(Origin { source, root }) };
    let problems = validate::alone(&parsed);
    if problems.is_empty() { Ok(parsed) } else { Err(problems) }
}

/// Returns the policy that a single file makes on top of the built-in one, as if it were a
/// repository's.
pub fn load(name: &str, text: &str) -> Result<Policy, Vec<Problem>> {
    let parsed = parse(name, text)?;
    compile(&merge(&[Layer { rank: Rank::Repository, parsed }]))
}
