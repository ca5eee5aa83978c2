//! Reports for people: text in 80 columns, and Markdown.

use std::io::Write;

use crate::{
    app::insight::report::{Report, days},
    cli::{
        Failure,
        report::{
            By,
            shown::{NONE, duration, median, minute, percent, rate},
        },
        text::line,
    },
    insight::{Figures, Spread},
};

/// Rows of a list.
const MOST: usize = 5;

/// A figure: its name, its value, and what it rests on.
type Row = (&'static str, String, String);

/// Writes reports as text.
pub(super) fn write(reports: &[Report], by: Option<By>, out: &mut dyn Write) -> Result<(), Failure> {
    for (index, report) in reports.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let figures = &report.figures;
        writeln!(out, "{}", line(&title(report)))?;
        writeln!(out, "{}", line(&about(figures)))?;
        for note in notes(report) {
            writeln!(out, "{note}")?;
        }
        for (name, rows) in [("Delivery", delivery(figures)), ("Flow", flow(figures)), ("Gates", gates(figures))] {
            if rows.is_empty() {
                continue;
            }
            writeln!(out, "\n{name}")?;
            for (name, value, about) in rows {
                writeln!(out, "{}", line(format!("  {name:<22} {value:>8}  {about}").trim_end()))?;
            }
        }
        if let Some(by) = by {
            writeln!(out, "\n{}", parts_title(by))?;
            let [first, header @ ..] = HEADER;
            writeln!(out, "  {first:<10} {}", header.map(|name| format!("{name:>9}")).join(""))?;
            for part in &report.parts {
                let [first, cells @ ..] = cells(part);
                writeln!(out, "  {first:<10} {}", cells.map(|cell| format!("{cell:>9}")).join(""))?;
            }
        }
    }
    Ok(())
}

/// Writes reports as Markdown.
pub(super) fn write_markdown(reports: &[Report], by: Option<By>, out: &mut dyn Write) -> Result<(), Failure> {
    for report in reports {
        let figures = &report.figures;
        writeln!(out, "## {}\n\n{}\n", escaped(&title(report)), escaped(&about(figures)))?;
        for note in notes(report) {
            writeln!(out, "{note}\n")?;
        }
        writeln!(out, "| figure | value | |\n| --- | ---: | --- |")?;
        for (name, value, about) in delivery(figures).into_iter().chain(flow(figures)).chain(gates(figures)) {
            writeln!(out, "| {} | {} | {} |", escaped(name), escaped(&value), escaped(&about))?;
        }
        writeln!(out)?;
        if by.is_some() {
            writeln!(out, "| {} |\n| --- |{}", HEADER.join(" | "), " ---: |".repeat(HEADER.len() - 1))?;
            for part in &report.parts {
                writeln!(out, "| {} |", cells(part).map(|cell| escaped(&cell)).join(" | "))?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

/// Returns text that neither ends a cell nor makes a link, a mention or a heading.
fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for c in line(text).chars() {
        if matches!(c, '|' | '[' | ']' | '<' | '>' | '`' | '*' | '_' | '\\' | '@') {
            shown.push('\\');
        }
        shown.push(c);
    }
    shown
}

fn title(report: &Report) -> String {
    let basis = &report.figures.basis;
    let service = basis.service.as_ref().map(|service| format!(" · {service}")).unwrap_or_default();
    let places = match basis.environments.as_slice() {
        [] => String::new(),
        places if places.len() <= MOST => format!(" · {}", places.join(", ")),
        places => format!(" · {} environments", places.len()),
    };
    format!("{}{service}{places}", report.repository)
}

fn about(figures: &Figures) -> String {
    let basis = &figures.basis;
    let (from, to) = days(figures);
    format!("{from} to {to} · {} whole days · {} · policy {}", basis.whole_days, basis.tz, basis.policy)
}

fn notes(report: &Report) -> Vec<String> {
    let basis = &report.figures.basis;
    let mut notes = Vec::new();
    if let Some(since) = basis.recorded_since.filter(|since| *since > basis.from) {
        notes.push(format!("Recorded since {}: nothing before is counted.", minute(since, &basis.tz)));
    }
    if !report.complete {
        notes.push("Earlier events are still being read: figures may grow.".to_owned());
    }
    notes
}

fn of(spread: Option<&Spread>) -> String {
    spread.map_or_else(String::new, |spread| {
        format!("n {} · p85 {} · p95 {}", spread.n, duration(spread.p85), duration(spread.p95))
    })
}

fn joined(parts: impl IntoIterator<Item = Option<String>>) -> String {
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn some(count: usize, what: &str) -> Option<String> {
    (count > 0).then(|| format!("{count} {what}"))
}

fn delivery(figures: &Figures) -> Vec<Row> {
    let lead = &figures.lead_time;
    let parts = [
        ("coding", &lead.coding),
        ("review", &lead.review),
        ("waiting", &lead.waiting),
        ("deploying", &lead.deploying),
    ];
    let parts = parts.map(|(name, spread)| spread.as_ref().map(|spread| format!("{name} {}", duration(spread.p50))));
    let frequency = &figures.deployment_frequency;
    let fails = &figures.change_fail_rate;
    let recovery = &figures.recovery_time;
    let open = recovery
        .open_since
        .first()
        .map(|since| format!("{} open since {}", recovery.open_since.len(), minute(*since, &figures.basis.tz)));
    let both = [("detection", &recovery.detection), ("repair", &recovery.repair)];
    let both = both.map(|(name, spread)| spread.as_ref().map(|spread| format!("{name} {}", duration(spread.p50))));
    let rework = figures.rework_rate.share;
    let mut rows = vec![
        ("Lead time, median", median(lead.all.as_ref()), of(lead.all.as_ref())),
        (
            "Deployment frequency",
            rate(frequency.per_day),
            joined([
                Some(format!("{} deployments on {} days", frequency.count, frequency.days_with)),
                frequency.median_gap.map(|gap| format!("gap {}", duration(gap))),
            ]),
        ),
        (
            "Change fail rate",
            percent(fails.percent),
            joined([
                (fails.share.n > 0).then(|| format!("{} of {}", fails.share.part, fails.share.n)),
                some(fails.provisional, "provisional"),
            ]),
        ),
        (
            "Recovery time, median",
            median(recovery.all.as_ref()),
            joined([recovery.all.as_ref().map(|all| format!("n {}", all.n)), open]),
        ),
        (
            "Rework rate",
            percent(figures.rework_rate.percent),
            joined([(rework.n > 0).then(|| format!("{} of {}", rework.part, rework.n))]),
        ),
    ];
    let detail = |name, about: String| (!about.is_empty()).then_some((name, String::new(), about));
    let [coding, review, waiting, deploying] = parts;
    let two = detail("  its parts", joined([coding, review]));
    rows.splice(1..1, two.into_iter().chain(detail("", joined([waiting, deploying]))));
    let place = rows.iter().position(|row| row.0 == "Rework rate").unwrap_or(rows.len());
    rows.splice(place..place, detail("  its parts", joined(both)));
    let others = joined([
        some(frequency.rollbacks, "rollbacks"),
        some(frequency.redeploys, "redeploys"),
        some(frequency.attempts, "failed attempts"),
        some(frequency.unknown, "of unknown commit"),
        some(lead.automated, "changes by bots"),
    ]);
    rows.extend(detail("Apart", others));
    let incidents = &figures.incidents;
    rows.extend(some(incidents.count, "").map(|_| {
        (
            "Incidents",
            incidents.count.to_string(),
            joined([
                some(incidents.without_deployment, "without a deployment"),
                some(incidents.open, "open"),
                some(incidents.loops_closed, "loops closed"),
            ]),
        )
    }));
    let lost: Vec<&str> = lead.lost.iter().take(MOST).map(String::as_str).collect();
    let more = lead.lost.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    rows.extend(
        some(lead.lost.len(), "")
            .map(|_| ("No longer live", lead.lost.len().to_string(), format!("{}{more}", lost.join(", ")))),
    );
    rows
}

fn flow(figures: &Figures) -> Vec<Row> {
    let flow = &figures.flow;
    if flow.finished + flow.in_progress + flow.left == 0 {
        return Vec::new();
    }
    let oldest = flow.ageing.first().map(|one| {
        let phase = one.phase.as_deref().unwrap_or(NONE);
        format!("oldest #{} in {phase}, {}", one.item, duration(one.age))
    });
    let mut rows = vec![
        (
            "Finished",
            flow.finished.to_string(),
            joined([flow.finished_per_day.map(|per_day| rate(Some(per_day))), some(flow.left, "left unfinished")]),
        ),
        ("Cycle time, median", median(flow.cycle_time.as_ref()), of(flow.cycle_time.as_ref())),
        ("In progress", flow.in_progress.to_string(), joined([oldest])),
        ("Flow efficiency", percent(flow.efficiency), "an estimate".to_owned()),
    ];
    if let Some(forecast) = &flow.forecast {
        let units = forecast.units.iter().filter(|one| [50, 85].contains(&one.percent));
        let units = units.map(|one| Some(format!("{} % at least {}", one.percent, one.units)));
        rows.push(("Forecast, 14 days", String::new(), joined(units)));
    }
    rows
}

fn gates(figures: &Figures) -> Vec<Row> {
    let row = |wait: &crate::insight::figures::gates::GateWaits| {
        let about = joined([
            Some(format!("{} of {}", wait.condition, wait.gate)),
            wait.each.as_ref().map(|each| format!("n {}", each.n)),
            some(wait.blocking, "blocked now"),
        ]);
        ("Blocked", duration(wait.total), about)
    };
    figures.gate_waits.iter().take(MOST).map(row).collect()
}

const HEADER: [&str; 8] = ["from", "lead", "deploys", "failed", "recovery", "rework", "finished", "cycle"];

fn cells(part: &Figures) -> [String; 8] {
    [
        days(part).0,
        median(part.lead_time.all.as_ref()),
        part.deployment_frequency.count.to_string(),
        percent(part.change_fail_rate.percent),
        median(part.recovery_time.all.as_ref()),
        percent(part.rework_rate.percent),
        part.flow.finished.to_string(),
        median(part.flow.cycle_time.as_ref()),
    ]
}

fn parts_title(by: By) -> &'static str {
    match by {
        By::Day => "By day",
        By::Week => "By week",
        By::Month => "By month",
    }
}
