//! `/{owner}/{name}/dora`: the five delivery metrics by week.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use crate::{
    insight::{Figures, Spread},
    web::{
        Web,
        chart::{Cell, Chart},
        definitions,
        failure::Failure,
        metrics::Metrics,
        page::{Page, Place},
        plot::{self, Column, Unit, float, length, short},
        read::{Repository, Visit},
    },
};

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    Repository { row, edition }: Repository,
) -> Result<Response, Failure> {
    let turn = web.turn().await?;
    let metrics = web.metrics(&row, &turn).await?;
    let main = html! {
        div.head {
            h1 { "Delivery" }
            @match &metrics {
                Some(metrics) => { p { "What reached production in " (row.full_name) ". " (metrics.basis()) } }
                None => { p { "Nothing is recorded of " (row.full_name) " yet." } }
            }
        }
        @if let Some(metrics) = &metrics { (charts(metrics)) }
    };
    let page = Page {
        title: &format!("Delivery of {}", row.full_name),
        repository: Some((&row.full_name, Place::Delivery)),
        person: visitor.person(),
        main,
    };
    Ok(edition.page(page.render()))
}

fn charts(metrics: &Metrics) -> Markup {
    html! {
        div.charts {
            (frequency(metrics).render())
            (lead_time(metrics).render())
            (fail_rate(metrics).render())
            (recovery(metrics).render())
            (rework(metrics).render())
        }
    }
}

/// Lists of the rows behind the figures, as [`Metrics::behind`] takes them.
const NEW: &str = "deployments?show=new&";
const FAILED: &str = "deployments?show=failed&";
const REWORK: &str = "deployments?show=rework&";
const CHANGES: &str = "changes?";

/// Returns a value for each week, with the list of what is behind it.
fn weekly(metrics: &Metrics, list: &str, value: impl Fn(&Figures) -> Option<f64>) -> Vec<Column> {
    let column =
        |week: &Figures| Column { label: metrics.week(week), value: value(week), to: Some(metrics.behind(week, list)) };
    metrics.weeks.iter().map(column).collect()
}

/// Returns a row for each week. The first cell behind the week leads to the list of what is behind it.
fn table(metrics: &Metrics, list: &str, row: impl Fn(&Figures) -> Vec<String>) -> Vec<Vec<Cell>> {
    let cells = |week: &Figures| {
        let mut cells: Vec<Cell> = [vec![metrics.week(week)], row(week)].concat().into_iter().map(Cell::from).collect();
        if let Some(count) = row(week).first().filter(|count| *count != "0") {
            cells[1] = Cell::link(count, metrics.behind(week, list));
        }
        cells
    };
    metrics.weeks.iter().map(cells).collect()
}

/// Returns where to ask on.
fn links(metrics: &Metrics, which: &'static str, list: &str, section: &str) -> Vec<(&'static str, String)> {
    let rows = (which, metrics.behind(&metrics.figures, list));
    vec![rows, ("How is it counted?", definitions::address(section))]
}

fn heads(names: &[&str]) -> Vec<String> {
    ["Week of"].iter().chain(names).map(|name| (*name).to_owned()).collect()
}

fn number(count: usize) -> String {
    count.to_string()
}

/// Returns a value, or a word for none.
fn or_none(value: Option<String>) -> String {
    value.unwrap_or_else(|| "none".to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "a length of time in seconds is far below 2^52")]
fn median(spread: Option<&Spread>) -> Option<f64> {
    spread.map(|spread| spread.p50 as f64)
}

fn lengths(metrics: &Metrics, list: &str, pick: impl Fn(&Figures) -> Option<&Spread>) -> (Vec<Column>, Unit) {
    let values = weekly(metrics, list, |week| median(pick(week)));
    let most = values.iter().filter_map(|column| column.value).fold(0.0, f64::max);
    (values, Unit::of_seconds(most))
}

fn frequency(metrics: &Metrics) -> Chart {
    let all = &metrics.figures.deployment_frequency;
    let rate = all.per_day.map_or_else(String::new, |rate| format!(", {} a day", short(rate)));
    let aside = [(all.redeploys, "redeploy"), (all.rollbacks, "rollback"), (all.attempts, "failed attempt")];
    let aside: Vec<String> = aside
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    let aside = if aside.is_empty() { String::new() } else { format!(" Beside them: {}.", aside.join(", ")) };
    Chart {
        id: "frequency",
        title: "Deployments a week".to_owned(),
        summary: match all.count {
            0 => format!("Nothing new was deployed to production.{aside}"),
            1 => format!("One deployment brought something new{rate}.{aside}"),
            count => {
                let days = if all.days_with == 1 { "one day".to_owned() } else { format!("{} days", all.days_with) };
                format!("{count} deployments brought something new{rate}, on {days}.{aside}")
            }
        },
        links: links(metrics, "Which deployments?", NEW, "deployment-frequency"),
        plot: plot::columns(&weekly(metrics, NEW, |week| Some(float(week.deployment_frequency.count))), Unit::COUNT)
            .filter(|_| all.count > 0),
        columns: heads(&["Deployments", "Redeploys", "Rollbacks", "Failed attempts"]),
        rows: table(metrics, NEW, |week| {
            let week = &week.deployment_frequency;
            vec![number(week.count), number(week.redeploys), number(week.rollbacks), number(week.attempts)]
        }),
    }
}

fn lead_time(metrics: &Metrics) -> Chart {
    let all = &metrics.figures.lead_time;
    let (values, unit) = lengths(metrics, CHANGES, |week| week.lead_time.all.as_ref());
    let part =
        |spread: &Option<Spread>, name: &str| spread.as_ref().map(|spread| format!("{name} {}", length(spread.p50)));
    let parts: Vec<String> = [
        part(&all.coding, "coding"),
        part(&all.review, "review"),
        part(&all.waiting, "waiting for a deployment"),
        part(&all.deploying, "deploying"),
    ]
    .into_iter()
    .flatten()
    .collect();
    Chart {
        id: "lead-time",
        title: format!("Change lead time, median in {}", unit.name),
        summary: match &all.all {
            None => "No change went live.".to_owned(),
            Some(spread) if spread.n == 1 => format!(
                "One change was live {} after its first commit. Its parts: {}.",
                length(spread.p50),
                parts.join(", ")
            ),
            Some(spread) => format!(
                "Half of {} changes were live within {} of their first commit, 85 % within {}. Medians of the parts: {}.",
                spread.n,
                length(spread.p50),
                length(spread.p85),
                parts.join(", ")
            ),
        },
        links: links(metrics, "Which changes?", CHANGES, "change-lead-time"),
        plot: plot::columns(&values, unit),
        columns: heads(&["Changes", "Median", "85 %", "Coding", "Review", "Waiting", "Deploying"]),
        rows: table(metrics, CHANGES, |week| {
            let lead = &week.lead_time;
            let of = |spread: &Option<Spread>| or_none(spread.as_ref().map(|spread| length(spread.p50)));
            vec![
                number(lead.all.as_ref().map_or(0, |spread| spread.n)),
                of(&lead.all),
                or_none(lead.all.as_ref().map(|spread| length(spread.p85))),
                of(&lead.coding),
                of(&lead.review),
                of(&lead.waiting),
                of(&lead.deploying),
            ]
        }),
    }
}

fn fail_rate(metrics: &Metrics) -> Chart {
    let all = &metrics.figures.change_fail_rate;
    let provisional = match all.provisional {
        0 => String::new(),
        young => format!(" {young} of them may still turn out to have failed."),
    };
    Chart {
        id: "fail-rate",
        title: "Change fail rate, %".to_owned(),
        summary: match all.percent {
            None => "Nothing was deployed, so there is no rate.".to_owned(),
            Some(percent) => format!(
                "{} of {} deployments needed intervention at once: {} %.{provisional}",
                all.share.part,
                all.share.n,
                short(percent)
            ),
        },
        links: links(metrics, "Which failed, and why?", FAILED, "change-fail-rate"),
        plot: plot::columns(&weekly(metrics, FAILED, |week| week.change_fail_rate.percent), Unit::PERCENT),
        columns: heads(&["Failed", "Deployments", "Rate"]),
        rows: table(metrics, FAILED, |week| {
            let rate = &week.change_fail_rate;
            let percent = or_none(rate.percent.map(|percent| format!("{} %", short(percent))));
            vec![number(rate.share.part), number(rate.share.n), percent]
        }),
    }
}

fn recovery(metrics: &Metrics) -> Chart {
    let all = &metrics.figures.recovery_time;
    let (values, unit) = lengths(metrics, FAILED, |week| week.recovery_time.all.as_ref());
    let open = match all.open_since.len() {
        0 => String::new(),
        1 => " One failure is not over, and is not among them.".to_owned(),
        open => format!(" {open} failures are not over, and are not among them."),
    };
    Chart {
        id: "recovery",
        title: format!("Failed deployment recovery time, median in {}", unit.name),
        summary: match &all.all {
            None => format!("No failed deployment was recovered from.{open}"),
            Some(spread) if spread.n == 1 => {
                format!("Service was restored {} after the one failed deployment.{open}", length(spread.p50))
            }
            Some(spread) => format!(
                "Service was restored within {} in half of {} cases, within {} in 85 %.{open}",
                length(spread.p50),
                spread.n,
                length(spread.p85)
            ),
        },
        links: links(metrics, "Which failures?", FAILED, "failed-deployment-recovery-time"),
        plot: plot::columns(&values, unit),
        columns: heads(&["Recoveries", "Median", "85 %", "Not over"]),
        rows: table(metrics, FAILED, |week| {
            let recovery = &week.recovery_time;
            vec![
                number(recovery.all.as_ref().map_or(0, |spread| spread.n)),
                or_none(recovery.all.as_ref().map(|spread| length(spread.p50))),
                or_none(recovery.all.as_ref().map(|spread| length(spread.p85))),
                number(recovery.open_since.len()),
            ]
        }),
    }
}

fn rework(metrics: &Metrics) -> Chart {
    let all = &metrics.figures.rework_rate;
    Chart {
        id: "rework",
        title: "Deployment rework rate, %".to_owned(),
        summary: match all.percent {
            None => "Nothing was deployed, so there is no rate.".to_owned(),
            Some(percent) => format!(
                "{} of {} deployments and rollbacks only repaired: {} %.",
                all.share.part,
                all.share.n,
                short(percent)
            ),
        },
        links: links(metrics, "Which only repaired?", REWORK, "deployment-rework-rate"),
        plot: plot::columns(&weekly(metrics, REWORK, |week| week.rework_rate.percent), Unit::PERCENT),
        columns: heads(&["Rework", "Deployments and rollbacks", "Rate"]),
        rows: table(metrics, REWORK, |week| {
            let rate = &week.rework_rate;
            let percent = or_none(rate.percent.map(|percent| format!("{} %", short(percent))));
            vec![number(rate.share.part), number(rate.share.n), percent]
        }),
    }
}
