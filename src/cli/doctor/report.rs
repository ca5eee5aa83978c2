//! What was found, and how it is shown.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::text;

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Verdict {
    /// Right.
    Ok,
    /// Worth knowing; nothing has to be done.
    Note,
    /// Works, but not for long or not for everybody.
    Warn,
    /// Does not work.
    Fail,
}

/// One line.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Finding {
    /// Which check.
    pub(in crate::cli) check: &'static str,
    /// What it is about, where there are several: an account, a repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    /// How well it is.
    pub(in crate::cli) verdict: Verdict,
    /// What was found.
    says: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// Where to do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl Finding {
    pub(super) fn new(check: &'static str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self { check, about: None, verdict, says: says.into(), remedy: None, link: None }
    }

    /// What to do about it.
    #[must_use]
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Where to do it.
    #[must_use]
    pub(super) fn link(mut self, link: impl Into<String>) -> Self {
        self.link = Some(link.into());
        self
    }

    /// Which of several things it is about.
    #[must_use]
    pub(super) fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }
}

/// Everything that was found, in order.
#[derive(Debug, Default, Serialize)]
pub(in crate::cli) struct Report {
    checks: Vec<Finding>,
}

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        self.checks.push(finding);
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.checks.extend(findings);
    }

    /// Whether nothing is found that does not work.
    pub(in crate::cli) fn is_well(&self) -> bool {
        self.checks.iter().all(|finding| finding.verdict < Verdict::Fail)
    }

    /// One line for each finding, for people. Names of accounts, repositories
    /// and the like are others' text: none of it steers the terminal.
    pub(in crate::cli) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for finding in &self.checks {
            let mark = match finding.verdict {
                Verdict::Ok => "ok",
                Verdict::Note => "note",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            write!(out, "{mark:<5} {:<12} ", finding.check)?;
            if let Some(about) = &finding.about {
                write!(out, "{}: ", text::line(about))?;
            }
            write!(out, "{}", text::line(&finding.says.trim().replace('\n', "; ")))?;
            for more in finding.remedy.iter().chain(&finding.link) {
                write!(out, " → {}", text::line(more))?;
            }
            writeln!(out)?;
        }
        let count = |verdict: Verdict| self.checks.iter().filter(|f| f.verdict == verdict).count();
        let (failed, warned) = (count(Verdict::Fail), count(Verdict::Warn));
        match (failed, warned) {
            (0, 0) => writeln!(out, "\nEverything is right."),
            (0, warned) => writeln!(out, "\nIt works; {warned} to look at."),
            (failed, _) => writeln!(out, "\n{failed} to put right."),
        }
    }

    /// For scripts.
    pub(in crate::cli) fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{:#}", serde_json::json!({ "ok": self.is_well(), "checks": self.checks }))
    }
}
