//! Findings of `doctor`, and their output.

use std::io::{self, Write};

use serde::Serialize;

use crate::{cli::text, text::message::count};

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Verdict {
    /// Works.
    Ok,
    /// Information that needs no action.
    Note,
    /// Works, but not for long or not for everybody.
    Warn,
    /// Does not work.
    Fail,
}

/// One line of the report.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Finding {
    /// Name of the check.
    pub(in crate::cli) check: &'static str,
    /// Subject of the finding if there are several, such as an account or a repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    /// Severity.
    pub(in crate::cli) verdict: Verdict,
    /// The finding.
    says: String,
    /// The remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// Address of the page on which to do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl Finding {
    pub(super) fn new(check: &'static str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self { check, about: None, verdict, says: says.into(), remedy: None, link: None }
    }

    /// Adds the remedy.
    #[must_use]
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds the address of the page for the remedy.
    #[must_use]
    pub(super) fn link(mut self, link: impl Into<String>) -> Self {
        self.link = Some(link.into());
        self
    }

    /// Adds the subject.
    #[must_use]
    pub(super) fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }
}

/// All findings, in order.
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

    /// Returns whether no finding has the verdict [`Verdict::Fail`].
    pub(in crate::cli) fn is_well(&self) -> bool {
        self.checks.iter().all(|finding| finding.verdict < Verdict::Fail)
    }

    /// Writes one line per finding, for people. Names of accounts, repositories and so on are
    /// untrusted text and are escaped, so that they cannot control the terminal.
    pub(in crate::cli) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for finding in &self.checks {
            let mark = match finding.verdict {
                Verdict::Ok => "ok",
                Verdict::Note => "note",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            let about = finding.about.as_ref().map_or_else(String::new, |about| format!("{}: ", text::line(about)));
            let says = format!("{about}{}", text::line(&finding.says.trim().replace('\n', "; ")));
            let head = format!("{mark:<5} {:<12} ", finding.check);
            let width = head.chars().count();
            let indent = " ".repeat(width);
            text::put(out, &head, &says)?;
            if let Some(remedy) = &finding.remedy {
                text::put_hanging(out, &indent, width + 2, &format!("→ {}", text::line(remedy)))?;
            }
            // An address stays whole, so that a terminal makes a link of it.
            if let Some(link) = &finding.link {
                writeln!(out, "{indent}→ {}", text::line(link))?;
            }
        }
        let of = |verdict: Verdict| self.checks.iter().filter(move |finding| finding.verdict == verdict);
        let names = |verdict: Verdict| {
            let mut names: Vec<&str> = of(verdict).map(|finding| finding.check).collect();
            names.dedup();
            names.join(", ")
        };
        let mut parts = vec![if self.is_well() { "Ready" } else { "Not ready" }.to_owned()];
        for (verdict, what) in [(Verdict::Fail, "problem"), (Verdict::Warn, "warning"), (Verdict::Note, "note")] {
            let number = of(verdict).count();
            if number > 0 {
                parts.push(format!("{} ({})", count(number, what), names(verdict)));
            }
        }
        parts.push(format!("{} fine", of(Verdict::Ok).count()));
        let last = format!("{}.", parts.join(", ").replacen(", ", ": ", 1));
        writeln!(out)?;
        text::put(out, "", &last)
    }

    /// Writes the report as JSON, for scripts.
    pub(in crate::cli) fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{:#}", serde_json::json!({ "ok": self.is_well(), "checks": self.checks }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let mut report = Report::default();
        let says = "deliveries of the events `deployment_protection_rule` and `deployment_review` do not arrive";
        let remedy = "switch both on in the App's settings, under Permissions & events, and save; GitHub then asks";
        let link = "https://github.com/organizations/acme/settings/apps/phasebot-of-acme/permissions-and-events";
        report.add(Finding::new("webhook", Verdict::Fail, says).about("acme").remedy(remedy).link(link));
        let many = ["credentials", "permissions", "repositories", "connections", "protection", "deliveries"];
        report.extend(many.map(|check| Finding::new(check, Verdict::Warn, "a word")));
        let mut out = Vec::new();
        report.text(&mut out).unwrap();
        let shown = String::from_utf8(out).unwrap();
        let wide: Vec<&str> =
            shown.lines().filter(|line| line.chars().count() > text::WIDTH && !line.contains(link)).collect();
        assert!(wide.is_empty(), "{shown}");
        // Lines that continue a finding stand beneath its words.
        let indent = " ".repeat(19);
        let first: Vec<&str> = shown.lines().take_while(|line| !line.starts_with("warn")).collect();
        assert!(first.len() > 3 && first[1..].iter().all(|line| line.starts_with(&indent)), "{shown}");
        assert!(
            shown.contains(&format!("\n{indent}→ switch")) && shown.contains(&format!("\n{indent}→ https")),
            "{shown}"
        );
    }
}
