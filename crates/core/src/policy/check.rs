//! What `phasebot check` says of one file.

use std::fmt;

use serde::Serialize;

use crate::{
    domain::policy::Policy,
    policy::{Layer, Problem, Rank, compile, merge, parse, validate},
};

/// The verdict on one file, taken as a repository's policy over the built-in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file.
    pub file: String,
    /// Whether it can be put into force.
    pub valid: bool,
    /// What it makes, in one line; empty if it is not valid.
    pub summary: String,
    /// What is wrong, in the order of the file.
    pub problems: Vec<Problem>,
    /// What is right and probably does not do what was meant, in the order of the file.
    pub warnings: Vec<Problem>,
    /// What is right but may surprise.
    pub notes: Vec<String>,
}

/// Checks a text. `name` is the file's name for the messages.
pub fn check_report(name: &str, text: &str) -> Report {
    check_over(name, text, &[]).0
}

/// Checks a text as a repository's file beneath these layers; with the policy
/// that it makes there, if it is right.
pub fn check_over(name: &str, text: &str, above: &[Layer]) -> (Report, Option<Policy>) {
    let wrong = |problems| Report {
        file: name.to_owned(),
        valid: false,
        summary: String::new(),
        problems,
        warnings: Vec::new(),
        notes: Vec::new(),
    };
    let parsed = match parse(name, text) {
        Ok(parsed) => parsed,
        Err(problems) => return (wrong(problems), None),
    };
    let mut layers = above.to_vec();
    layers.push(Layer { rank: Rank::Repository, parsed: parsed.clone() });
    let merged = merge(&layers);
    let policy = match compile(&merged) {
        Ok(policy) => policy,
        Err(problems) => return (wrong(problems), None),
    };
    let without_effect = merged.notes.iter().filter(|note| note.file == name);
    let report = Report {
        file: name.to_owned(),
        valid: true,
        summary: summary(&policy),
        problems: Vec::new(),
        warnings: validate::warnings(&parsed, &merged),
        notes: without_effect.map(|note| format!("line {}: {}", note.line, note.message)).collect(),
    };
    (report, Some(policy))
}

/// A policy in one line.
fn summary(policy: &Policy) -> String {
    let phases: Vec<&str> = policy.phases.iter().map(|phase| phase.name.as_str()).collect();
    let mode = format!("{:?}", policy.mode).to_lowercase();
    format!("mode {mode}, phases {}, version {}", phases.join(" → "), policy.version)
}

impl Report {
    /// The report on a file that can't be read.
    pub fn unreadable(name: &str, why: &str) -> Self {
        let problem = Problem {
            file: name.to_owned(),
            line: 1,
            column: 1,
            message: why.to_owned(),
            suggestion: None,
            snippet: None,
        };
        Self {
            file: name.to_owned(),
            valid: false,
            summary: String::new(),
            problems: vec![problem],
            warnings: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl fmt::Display for Report {
    /// For people: each problem or warning with its line, then one line, and the notes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "{}", warning.as_warning())?;
        }
        if self.valid {
            writeln!(f, "{}: valid: {}", self.file, self.summary)?;
        } else {
            let count = self.problems.len();
            writeln!(f, "{}: {count} problem{}", self.file, if count == 1 { "" } else { "s" })?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "{}: note: {note}", self.file))
    }
}
