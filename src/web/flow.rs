//! `/{owner}/{name}/flow`: how work flows: cumulative flow, cycle times, throughput, ageing work and
//! the forecast.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Response};
use jiff::Timestamp;
use maud::{Markup, html};

use crate::{
    domain::id::ItemId,
    insight::Figures,
    port::store::RepositoryRow,
    web::{
        Web,
        chart::{Cell, Chart},
        definitions,
        failure::Failure,
        figure,
        metrics::Metrics,
        page::{Page, Place},
        plot::{self, Column, Dot, Unit, float, length, short},
        read::{Face, Repository, Visit},
    },
};

/// Items in progress that are listed.
const LISTED: usize = 50;
/// Finished items in the table of cycle times.
const MOST_FINISHES: usize = 500;

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    Repository { row, edition }: Repository,
) -> Result<Response, Failure> {
    let turn = web.turn().await?;
    let metrics = web.metrics(&row, &turn).await?;
    let listed = metrics.iter().flat_map(|metrics| metrics.figures.flow.ageing.iter().take(LISTED));
    let faces = web.faces(&row, listed.map(|one| one.item)).await?;
    let main = html! {
        div.head {
            h1 { "Flow" }
            @match &metrics {
                Some(metrics) => { p { "How work flows through " (row.full_name) ". " (metrics.basis()) } }
                None => { p { "Nothing is recorded of " (row.full_name) " yet." } }
            }
        }
        @if let Some(metrics) = &metrics {
            div.charts {
                (cumulative(metrics).render())
                (cycle_time(metrics).render())
                (throughput(metrics).render())
            }
            (ageing(&row, metrics, &faces))
            (forecast(metrics))
        }
    };
    let page = Page {
        title: &format!("Flow of {}", row.full_name),
        repository: Some((&row.full_name, Place::Flow)),
        person: visitor.person(),
        main,
    };
    Ok(edition.page(page.render()))
}

fn how() -> (&'static str, String) {
    ("How is it counted?", definitions::address("flow"))
}

fn cumulative(metrics: &Metrics) -> Chart {
    let flow = &metrics.figures.flow;
    let days = &flow.cumulative;
    let mut bounds: Vec<Vec<f64>> = (0..metrics.phases.len())
        .map(|phase| days.iter().map(|day| f64::from(day.arrived.get(phase).copied().unwrap_or(0))).collect())
        .collect();
    bounds.push(days.iter().map(|day| f64::from(day.departed)).collect());
    let names: Vec<String> = metrics.phases.iter().cloned().chain(["departed".to_owned()]).collect();
    let last = float(days.len().saturating_sub(1).max(1));
    let labels: Vec<(f64, String)> = days
        .iter()
        .enumerate()
        .step_by(14)
        .map(|(index, day)| (float(index) / last, day.day.strftime("%-d %b").to_string()))
        .collect();
    let fell = match flow.fell_back {
        0 => String::new(),
        1 => " One item fell back to an earlier phase.".to_owned(),
        times => format!(" Items fell back to an earlier phase {times} times."),
    };
    Chart {
        id: "cumulative",
        title: "Cumulative flow, items".to_owned(),
        summary: format!(
            "In progress: {}. In this time started: {}, finished: {}, left unfinished: {}. The height of a band is the number of items in the phase at that time.{fell}",
            flow.in_progress, flow.started, flow.finished, flow.left
        ),
        links: vec![how()],
        plot: plot::areas(&names, &bounds, &labels),
        columns: ["Day".to_owned()].into_iter().chain(names).collect(),
        rows: days
            .iter()
            .rev()
            .step_by(7)
            .map(|day| {
                let numbers = day.arrived.iter().chain([&day.departed]).map(u32::to_string);
                [day.day.to_string()].into_iter().chain(numbers).map(Cell::from).collect()
            })
            .collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a length of time in seconds is far below 2^52")]
fn cycle_time(metrics: &Metrics) -> Chart {
    let (basis, flow) = (&metrics.figures.basis, &metrics.figures.flow);
    let window = basis.to.duration_since(basis.from).as_secs_f64().max(1.0);
    let place = |at: Timestamp| (at.duration_since(basis.from).as_secs_f64() / window).clamp(0.0, 1.0);
    let done: Vec<(ItemId, Timestamp, i64)> =
        flow.finishes.iter().filter_map(|one| Some((one.item, one.at, one.cycle_time?))).collect();
    let unit = Unit::of_seconds(done.iter().map(|(.., time)| *time as f64).fold(0.0, f64::max));
    let page = |item: &ItemId| format!("/{}/items/{item}", metrics.name);
    let dot = |(item, at, time): &(ItemId, Timestamp, i64)| Dot {
        place: place(*at),
        value: *time as f64,
        label: format!("#{item}: {}", length(*time)),
        to: page(item),
    };
    let values: Vec<Dot> = done.iter().map(dot).collect();
    let spread = flow.cycle_time.as_ref();
    let lines: Vec<(f64, String)> = spread.map_or_else(Vec::new, |spread| {
        vec![(spread.p50 as f64, "50 %".to_owned()), (spread.p85 as f64, "85 %".to_owned())]
    });
    let labels: Vec<(f64, String)> =
        metrics.weeks.iter().map(|week| (place(week.basis.from), metrics.week(week))).collect();
    let more = done.len().saturating_sub(MOST_FINISHES);
    let without = match flow.without_cycle_time {
        0 => String::new(),
        count => format!(" {count} more were finished, and began before the record."),
    };
    Chart {
        id: "cycle-time",
        title: format!("Cycle time, {}", unit.name),
        summary: match &flow.cycle_time {
            None => format!("No item was finished of which the start is known.{without}"),
            Some(spread) if spread.n == 1 => {
                format!("One item was finished {} after its start.{without}", length(spread.p50))
            }
            Some(spread) => format!(
                "Half of {} items were finished within {} of their start, 85 % within {}, 95 % within {}.{without}",
                spread.n,
                length(spread.p50),
                length(spread.p85),
                length(spread.p95)
            ),
        },
        links: vec![how()],
        plot: plot::dots(&values, &lines, &labels, unit),
        columns: ["Item", "Finished", "Cycle time"].map(str::to_owned).to_vec(),
        rows: done
            .iter()
            .skip(more)
            .rev()
            .map(|(item, at, time)| {
                let day = at.to_zoned(metrics.zone.clone()).strftime("%-d %b %Y").to_string();
                vec![Cell::link(format!("#{item}"), page(item)), day.into(), length(*time).into()]
            })
            .collect(),
    }
}

fn throughput(metrics: &Metrics) -> Chart {
    let flow = &metrics.figures.flow;
    let rate = flow.finished_per_day.map_or_else(String::new, |rate| format!(", {} a day", short(rate)));
    let column =
        |week: &Figures| Column { label: metrics.week(week), value: Some(float(week.flow.finished)), to: None };
    let values: Vec<Column> = metrics.weeks.iter().map(column).collect();
    Chart {
        id: "throughput",
        title: "Items finished a week".to_owned(),
        summary: match flow.finished {
            0 => "No item was finished.".to_owned(),
            1 => format!("One item was finished{rate}."),
            count => format!("{count} items were finished{rate}."),
        },
        links: vec![how()],
        plot: plot::columns(&values, Unit::COUNT).filter(|_| flow.finished > 0),
        columns: ["Week of", "Started", "Finished", "Left unfinished"].map(str::to_owned).to_vec(),
        rows: metrics
            .weeks
            .iter()
            .map(|week| {
                let counts = [week.flow.started, week.flow.finished, week.flow.left];
                [metrics.week(week)].into_iter().chain(counts.map(|count| count.to_string())).map(Cell::from).collect()
            })
            .collect(),
    }
}

/// Returns the items in progress, the oldest first, each with how it compares with finished ones.
fn ageing(row: &RepositoryRow, metrics: &Metrics, faces: &BTreeMap<ItemId, Face>) -> Markup {
    let all = &metrics.figures.flow.ageing;
    let more = all.len().saturating_sub(LISTED);
    html! {
        section aria-labelledby="ageing" {
            h2 id="ageing" { "Work in progress, the oldest first" }
            @if all.is_empty() { p.soft { "Nothing is in progress." } }
            @else { p.soft { "An age is the time since work began. A band says how many of the finished items had left the phase at a lower age." } }
            ul.items {
                @for one in all.iter().take(LISTED) {
                    @let place = metrics.phases.iter().position(|phase| Some(phase) == one.phase.as_ref());
                    li class=[place.map(figure::color)] {
                        span.what {
                            a href={ "/" (row.full_name) "/items/" (one.item) } {
                                span.ref { "#" (one.item) }
                                @match faces.get(&one.item) { Some(face) => { (face.title()) }, None => { "Item " (one.item) } }
                            }
                        }
                        span.age { @if one.older { "over " } (length(one.age)) }
                        span.for {
                            @if let Some(phase) = &one.phase { "in " (phase) }
                            @match one.band {
                                Some(95) => { ": " strong { "older than 95 % of the finished ones" } },
                                Some(band) if band > 0 => { ": older than " (band) " % of the finished ones" },
                                Some(_) => { ": younger than half of the finished ones" },
                                None => {},
                            }
                        }
                    }
                }
            }
            @if more > 0 { p.more { "And " (figure::items(u64::try_from(more).unwrap_or(u64::MAX))) " that began later." } }
        }
    }
}

fn forecast(metrics: &Metrics) -> Markup {
    html! {
        section aria-labelledby="forecast" {
            h2 id="forecast" { "Forecast" }
            @match &metrics.figures.flow.forecast {
                None => { p.soft { "There is no forecast from fewer than 20 finished items, or fewer than 10 days with one, in the last 84 days." } }
                Some(forecast) => {
                    p.soft { "From " (forecast.n) " finished items, if things go on as they did in the last 84 days." }
                    ul {
                        @for one in &forecast.units {
                            li { (one.percent) " % likely: at least " (one.units) " items finished in " (forecast.days_ahead) " days" }
                        }
                        @for one in &forecast.days {
                            li { (one.percent) " % likely: as many as are in progress now (" (forecast.in_progress) ") finished within " (one.days) " days" }
                        }
                    }
                }
            }
        }
    }
}
