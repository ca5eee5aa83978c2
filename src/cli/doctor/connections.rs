//! Checks the monitoring, event and verdict connections, and the targets of notices.

use crate::{
    cli::doctor::{Finding, Report, Verdict, repositories::Served},
    settings::Settings,
};

/// Checks for each connection whether the App serves the repositories that it names.
pub(super) fn check(settings: &Settings, served: &Served, report: &mut Report) {
    for (name, connection) in &settings.alerts {
        report.add(connected("alerts", "opens issues in", name, &connection.repositories, served));
    }
    for (name, connection) in &settings.events {
        report.add(connected("events", "reports deployments of", name, &connection.repositories, served));
    }
    for (name, connection) in &settings.verdicts {
        report.add(connected("verdicts", "judges commits of", name, &connection.repositories, served));
    }
    for (name, target) in settings.notices.iter().filter(|(_, target)| !target.repositories.is_empty()) {
        report.add(connected("notices", "takes notices of", name, &target.repositories, served));
    }
}

/// Returns the finding for the connection `[section.name]`; `does` is what it does with its
/// repositories.
fn connected(section: &'static str, does: &str, name: &str, repositories: &[String], served: &Served) -> Finding {
    let missing: Vec<&str> = repositories.iter().map(String::as_str).filter(|repo| !served.has(repo)).collect();
    let finding = if repositories.is_empty() {
        Finding::new(section, Verdict::Fail, "names no repository").remedy(format!("set {section}.{name}.repositories"))
    } else if missing.is_empty() {
        Finding::new(section, Verdict::Ok, format!("{does} {}", repositories.join(", ")))
    } else if served.is_complete() {
        let says = format!("the App is not installed on {}", missing.join(", "));
        Finding::new(section, Verdict::Fail, says).remedy("install it there, or take the repository out")
    } else {
        let says = format!("{} was not among the repositories looked at", missing.join(", "));
        Finding::new(section, Verdict::Note, says)
    };
    finding.about(name.to_owned())
}
