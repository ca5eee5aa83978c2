//! Checks the monitoring connections.

use crate::{
    cli::doctor::{Finding, Report, Verdict, repositories::Served},
    settings::Settings,
};

/// Checks for each connection whether the App serves the repositories that it names.
pub(super) fn check(settings: &Settings, served: &Served, report: &mut Report) {
    for (name, connection) in &settings.alerts {
        let missing: Vec<&str> =
            connection.repositories.iter().map(String::as_str).filter(|repo| !served.has(repo)).collect();
        let finding = if connection.repositories.is_empty() {
            Finding::new("alerts", Verdict::Fail, "names no repository")
                .remedy(format!("set alerts.{name}.repositories"))
        } else if missing.is_empty() {
            Finding::new("alerts", Verdict::Ok, format!("opens issues in {}", connection.repositories.join(", ")))
        } else if served.is_complete() {
            let says = format!("the App is not installed on {}", missing.join(", "));
            Finding::new("alerts", Verdict::Fail, says).remedy("install it there, or take the repository out")
        } else {
            let says = format!("{} was not among the repositories looked at", missing.join(", "));
            Finding::new("alerts", Verdict::Note, says)
        };
        report.add(finding.about(name.clone()));
    }
}
