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

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

pub use crate::policy::{
    check::{Report, check_in_tree, check_over, check_report},
    compile::compile,
    file::PolicyFile,
    merge::{Layer, Merged, Rank, merge},
    problem::{Part, Problem, Snippet},
    reference::reference_markdown,
    schema::schema,
    yaml::{MAX_BYTES, MAX_DEPTH, MAX_NODES},
};
use crate::{
    domain::policy::Policy,
    policy::{
        decode::Decoded,
        problem::{Position, nearest},
        yaml::{Node, Source, Step},
    },
};

/// Returns the policy that is in force if no file changes it.
///
/// # Panics
///
/// Never: its text is part of the program, and a test compiles it.
pub fn built_in() -> Policy {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    POLICY.get_or_init(|| built_in::right(compile(&merge(&[])))).clone()
}

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
    /// The tree, without what has mistakes.
    root: Node,
    /// Ids of the nodes from which something with a mistake was left out.
    torn: BTreeSet<usize>,
    /// Names of environments as they are written, also of those with mistakes.
    environments: Vec<String>,
    /// True if no top-level key may be a misspelled `environments`.
    knows_environments: bool,
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

    /// Returns true if nothing at `path`, or below, was left out because of a mistake. What seems to
    /// be missing elsewhere may only be misspelled.
    fn is_whole(&self, path: &[Step]) -> bool {
        self.origin.torn.is_empty() || !self.origin.root.at(path).has(&self.origin.torn)
    }

    /// Returns true if no top-level key may be a misspelled `environments`.
    fn knows_environments(&self) -> bool {
        self.origin.knows_environments
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
    match read(name, text) {
        (Some(parsed), problems) if problems.is_empty() => Ok(parsed),
        (_, problems) => Err(problems),
    }
}

/// Parses one file as far as possible. Returns it without what has mistakes, and all problems within
/// the file, in the file's order.
fn read(name: &str, text: &str) -> (Option<Parsed>, Vec<Problem>) {
    let source = Source { name: name.to_owned(), text: text.to_owned() };
    let mut root = match yaml::read(&source) {
        Ok(root) => root,
        Err(problems) => return (None, problems),
    };
    let decoded = decode::decode::<PolicyFile>(&source, &root);
    let Decoded { value, warnings, mut problems, left_out, unknown_keys } = decoded;
    let Some(mut file) = value else { return (None, problems) };
    let environments = root.at(&["environments".into()]);
    let environments = if environments.id == root.id { &[] } else { environments.entries() };
    let environments = environments.iter().map(|entry| entry.key.clone()).collect();
    let mut unknown = root.entries().iter().filter(|entry| unknown_keys.contains(&entry.mark));
    let knows_environments = unknown.all(|entry| nearest(&entry.key, ["environments"]).is_none());
    let torn = root.prune(&left_out, &unknown_keys);
    for (index, phase) in file.phases.iter_mut().flatten().enumerate() {
        phase.line = root.place(&["phases".into(), index.into()]).line;
    }
    let parsed =
        Parsed { file, warnings, origin: Arc::new(Origin { source, root, torn, environments, knows_environments }) };
    problems.extend(validate::alone(&parsed));
    problems.sort_by(|a, b| a.order().cmp(&b.order()));
    (Some(parsed), problems)
}

/// Returns the policy that a single file makes on top of the built-in one, as if it were a
/// repository's.
pub fn load(name: &str, text: &str) -> Result<Policy, Vec<Problem>> {
    let parsed = parse(name, text)?;
    compile(&merge(&[Layer { rank: Rank::Repository, parsed }]))
}
