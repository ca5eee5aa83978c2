//! `/metrics`: shows the five delivery metrics of production in the status comment.

use jiff::SignedDuration;

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, may},
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{fact::command::CommandAction, permission::Role},
    insight::{self, Figures, Query, Spread, Window},
    text::message::duration,
};

/// Days that are looked at unless the command says otherwise.
const USUAL: u16 = 30;
/// Most days: they are read from the facts.
const MOST: u16 = 90;

pub(super) static ROW: Row = Row {
    name: "metrics",
    forms: &[&[may("days", Kind::Length)]],
    least: Role::Write,
    place: Place::Anywhere,
    forks: true,
    help: "Shows the delivery metrics of production, of the last 30 days or as many as named",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let days = match given.length("days") {
        Some(length) => u16::try_from(length.as_hours().div_euclid(24)).unwrap_or(u16::MAX),
        None => USUAL,
    };
    if days == 0 || days > MOST {
        return CommandResult::Misread(messages::metrics_too_long(MOST));
    }
    let window = Window::last(days, turn.now, &turn.policy.insight.zone);
    let query = Query::new(window, turn.now);
    let rows = insight::delivery_rows(turn.facts, turn.policy, turn.now, query.window.from);
    turn.action = Some(CommandAction::ShowMetrics { table: table(&insight::figures(&rows, &query), days) });
    CommandResult::Done(String::new())
}

fn table(figures: &Figures, days: u16) -> String {
    let time = |seconds: i64| duration(SignedDuration::from_secs(seconds));
    let median = |spread: Option<&Spread>| spread.map_or_else(none, |spread| time(spread.p50));
    let percent = |percent: Option<f64>| percent.map_or_else(none, |percent| format!("{percent:.1} %"));
    let n =
        |spread: Option<&Spread>| spread.map_or_else(String::new, |all| format!("n {}, p85 {}", all.n, time(all.p85)));
    let (frequency, fails) = (&figures.deployment_frequency, &figures.change_fail_rate);
    let (lead, recovery) = (figures.lead_time.all.as_ref(), figures.recovery_time.all.as_ref());
    let open = figures.recovery_time.open_since.len();
    let open =
        if open > 0 { format!("{open} open") } else { recovery.map_or_else(String::new, |all| format!("n {}", all.n)) };
    let provisional =
        if fails.provisional > 0 { format!(", {} provisional", fails.provisional) } else { String::new() };
    let rework = figures.rework_rate.share;
    let rows = [
        ("Lead time, median", median(lead), n(lead)),
        (
            "Deployment frequency",
            frequency.per_day.map_or_else(none, |rate| format!("{rate:.2} a day")),
            format!("{} deployments on {} days", frequency.count, frequency.days_with),
        ),
        ("Change fail rate", percent(fails.percent), format!("{} of {}{provisional}", fails.share.part, fails.share.n)),
        ("Recovery time, median", median(recovery), open),
        ("Rework rate", percent(figures.rework_rate.percent), format!("{} of {}", rework.part, rework.n)),
    ];
    let lines: Vec<String> =
        rows.iter().map(|(name, value, about)| format!("| {name} | {value} | {about} |")).collect();
    let basis = &figures.basis;
    let whole = basis.whole_days;
    format!(
        "**Production, last {days} days and today**\n\n| | | |\n| --- | ---: | --- |\n{}\n\n\
         Rates are over {whole} whole days on record ({}).",
        lines.join("\n"),
        basis.tz
    )
}

fn none() -> String {
    "none".to_owned()
}
