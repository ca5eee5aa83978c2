//! Comma-separated values: reports, and lines of cells.

use crate::{
    app::insight::report::{Report, days},
    insight::{Figures, Spread},
};

const HEADER: [&str; 29] = [
    "repository",
    "service",
    "environments",
    "from",
    "to",
    "tz",
    "whole_days",
    "policy",
    "definition",
    "lead_time_n",
    "lead_time_p50_s",
    "lead_time_p85_s",
    "lead_time_p95_s",
    "deployments",
    "deployments_per_day",
    "redeploys",
    "rollbacks",
    "attempts",
    "failed_deployments",
    "change_fail_percent",
    "provisional",
    "recovery_n",
    "recovery_p50_s",
    "recovery_open",
    "rework_percent",
    "finished",
    "cycle_time_n",
    "cycle_time_p50_s",
    "in_progress",
];

/// Returns the header of [`of_report`].
#[must_use]
pub fn report_header() -> String {
    record(&HEADER)
}

/// Returns a line for each part of a report, or for the whole if no parts were asked for.
#[must_use]
pub fn of_report(report: &Report) -> String {
    let whole = std::slice::from_ref(&report.figures);
    let figures = if report.parts.is_empty() { whole } else { &report.parts };
    figures.iter().map(|figures| record(&line(&report.repository, figures))).collect()
}

/// Returns a line of cells.
#[must_use]
pub fn record(cells: &[impl AsRef<str>]) -> String {
    let mut text = cells.iter().map(|text| cell(text.as_ref())).collect::<Vec<_>>().join(",");
    text.push('\n');
    text
}

fn line(repository: &str, figures: &Figures) -> [String; 29] {
    let Figures {
        basis, lead_time, deployment_frequency: frequency, change_fail_rate: fails, recovery_time, flow, ..
    } = figures;
    let (from, to) = days(figures);
    let n = |spread: Option<&Spread>| spread.map_or(0, |spread| spread.n).to_string();
    let value = |spread: Option<&Spread>, pick: fn(&Spread) -> i64| spread.map(pick).map_or_else(String::new, text);
    let number = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.4}"));
    let lead = lead_time.all.as_ref();
    let recovery = recovery_time.all.as_ref();
    let cycle = flow.cycle_time.as_ref();
    [
        repository.to_owned(),
        basis.service.clone().unwrap_or_default(),
        basis.environments.join(" "),
        from,
        to,
        basis.tz.clone(),
        basis.whole_days.to_string(),
        basis.policy.clone(),
        basis.definition.to_string(),
        n(lead),
        value(lead, |spread| spread.p50),
        value(lead, |spread| spread.p85),
        value(lead, |spread| spread.p95),
        frequency.count.to_string(),
        number(frequency.per_day),
        frequency.redeploys.to_string(),
        frequency.rollbacks.to_string(),
        frequency.attempts.to_string(),
        fails.share.part.to_string(),
        number(fails.percent),
        fails.provisional.to_string(),
        n(recovery),
        value(recovery, |spread| spread.p50),
        recovery_time.open_since.len().to_string(),
        number(figures.rework_rate.percent),
        flow.finished.to_string(),
        n(cycle),
        value(cycle, |spread| spread.p50),
        flow.in_progress.to_string(),
    ]
}

fn text(number: i64) -> String {
    number.to_string()
}

/// Returns a cell, quoted where needed. One that a spreadsheet would take for a formula is text.
fn cell(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text.to_owned() };
    // Also where a spreadsheet separates cells by something else.
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/#+ ".contains(c)) && text.trim() == text;
    if is_plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_ends_early() {
        let shown = ["=cmd()", "+1", "-1", "@x", "a,b", "say \"a\"", "plain", "\n=1", "a;=1"].map(cell);
        assert_eq!(
            shown,
            [
                "\"'=cmd()\"",
                "\"'+1\"",
                "\"'-1\"",
                "\"'@x\"",
                "\"a,b\"",
                "\"say \"\"a\"\"\"",
                "plain",
                "\"'\n=1\"",
                "\"a;=1\""
            ]
        );
    }
}
