//! The report of `phasebot check` on one file.

use std::fmt;

use serde::Serialize;

use crate::{
    domain::policy::Policy,
    policy::{Layer, Part, Problem, Rank, compile, merge, read, validate},
};

/// The report on one file, read as a repository's policy over the built-in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file.
    pub file: String,
    /// True if it can take effect.
    pub valid: bool,
    /// The resulting policy in one line; empty if the file is not valid.
    pub summary: String,
    /// Problems, in the file's order.
    pub problems: Vec<Problem>,
    /// Values that are valid but probably not intended, in the file's order.
    pub warnings: Vec<Problem>,
    /// Values that are valid but may surprise.
    pub notes: Vec<String>,
}

/// Checks a text. `name` is the file's name for the messages.
pub fn check_report(name: &str, text: &str) -> Report {
    check_over(name, text, &[]).0
}

/// Checks a text, and warns of paths that none of the repository's files has.
pub fn check_in_tree(name: &str, text: &str, files: &[String]) -> Report {
    let mut report = check_report(name, text);
    if let (Some(parsed), _) = read(name, text) {
        report.warnings.extend(validate::missing_files(&parsed, files));
    }
    report
}

/// Checks a text as a repository's file below these layers. If it is valid, also returns the
/// resulting policy.
pub fn check_over(name: &str, text: &str, above: &[Layer]) -> (Report, Option<Policy>) {
    let wrong = |problems| Report {
        file: name.to_owned(),
        valid: false,
        summary: String::new(),
        problems,
        warnings: Vec::new(),
        notes: Vec::new(),
    };
    let (parsed, mut problems) = read(name, text);
    let Some(parsed) = parsed else { return (wrong(problems), None) };
    let mut layers = above.to_vec();
    layers.push(Layer { rank: Rank::Repository, parsed: parsed.clone() });
    let merged = merge(&layers);
    if !problems.is_empty() {
        // Everything wrong at once, also what only shows beside the other layers.
        problems.extend(validate::together(&merged));
        problems.sort_by(|a, b| (a.file != name, a.order()).cmp(&(b.file != name, b.order())));
        return (wrong(problems), None);
    }
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

/// Summarizes a policy in one line.
fn summary(policy: &Policy) -> String {
    let phases: Vec<&str> = policy.phases.iter().map(|phase| phase.name.as_str()).collect();
    let mode = format!("{:?}", policy.mode).to_lowercase();
    format!("mode {mode}, phases {}, version {}", phases.join(" → "), policy.version)
}

impl Report {
    /// Creates the report on a file that can't be read.
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.painted(&|_, text| text.to_owned()))
    }
}

impl Report {
    /// Returns the report for people: each problem or warning with its line, then one line, and the
    /// notes. `paint` may add colours to a part.
    pub fn painted(&self, paint: &dyn Fn(Part, &str) -> String) -> String {
        let mut lines: Vec<String> =
            self.problems.iter().map(|problem| problem.painted(Part::Problem, paint)).collect();
        lines.extend(self.warnings.iter().map(|warning| warning.as_warning().painted(Part::Warning, paint)));
        lines.push(if self.valid {
            format!("{} {}", paint(Part::Valid, &format!("{}: valid:", self.file)), self.summary)
        } else {
            let (count, file) = (self.problems.len(), &self.file);
            paint(Part::Problem, &format!("{file}: {count} problem{}", if count == 1 { "" } else { "s" }))
        });
        lines.extend(self.notes.iter().map(|note| format!("{}: note: {note}", self.file)));
        lines.push(String::new());
        lines.join("\n")
    }
}
