//! `/`: the repositories that one may read, with the number of items in each phase and the five delivery
//! metrics.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    port::store::RepositoryRow,
    web::{
        Web,
        edition::Asked,
        failure::Failure,
        overview::Five,
        page::Page,
        plot::{length, short},
        read::{Parameters, Visit},
        span::DAYS,
    },
};

/// Repositories on one page.
const MOST: usize = 100;
/// Most repositories that are looked through.
const LOOKED_THROUGH: usize = 20_000;

/// Phases of the built-in policy, in whose order the counts stand. Phases of other policies follow.
const USUAL: [&str; 8] = ["plan", "code", "build", "test", "release", "deploy", "operate", "monitor"];
/// Heads of the delivery metrics.
const DELIVERY: [&str; 5] = ["Deploys a day", "Lead time", "Failed", "Recovery", "Rework"];

/// What a reader asks for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    page: Option<usize>,
}

/// A repository with its numbers.
struct Entry {
    row: RepositoryRow,
    counts: BTreeMap<String, u64>,
    five: Option<Five>,
}

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    asked: Asked,
    Parameters(Wanted { page }): Parameters<Wanted>,
) -> Result<Response, Failure> {
    let mut rows = web.store.active_repositories(&web.forge, LOOKED_THROUGH).await?;
    web.retain_readable(&visitor, &mut rows).await?;
    rows.sort_by_key(|row| row.full_name.to_lowercase());
    let pages = rows.len().div_ceil(MOST).max(1);
    let page = page.unwrap_or(1);
    if !(1..=pages).contains(&page) {
        return Err(Failure::NotFound);
    }
    let rows: Vec<RepositoryRow> = rows.into_iter().skip((page - 1) * MOST).take(MOST).collect();
    let edition = web.edition(&visitor, &asked, &rows).await?;
    // The forge may take its time, in which others get their pages.
    let _turn = web.turn().await?;
    let ids: Vec<u64> = rows.iter().map(|row| row.repo.id).collect();
    let counts = web.store.phase_counts_of(&web.forge, &ids).await?;
    let five = web.five(&rows).await?;
    let counts = counts.into_iter().map(|all| all.into_iter().map(|count| (count.phase, count.items)).collect());
    let entry = |((row, counts), five)| Entry { row, counts, five };
    let all: Vec<Entry> = rows.into_iter().zip(counts).zip(five).map(entry).collect();
    let main = html! {
        div.head {
            h1 { "Repositories" }
            @if all.is_empty() {
                p { "phasebot has not heard of any repository here yet. Is the App installed?" }
            } @else {
                p {
                    "How many issues and pull requests are in each phase now, and the delivery metrics of the last " (DAYS) " days. \
                     A repository's name leads to its loop, a delivery metric to its chart."
                }
            }
        }
        @if !all.is_empty() { (table(&all)) }
        @if pages > 1 { (others(page, pages)) }
    };
    let page = Page { title: "Repositories", repository: None, person: visitor.person(), main };
    Ok(edition.page(page.render()))
}

fn table(all: &[Entry]) -> Markup {
    let mut phases: Vec<&str> = USUAL.to_vec();
    for phase in all.iter().flat_map(|entry| entry.counts.keys()) {
        if !phases.contains(&phase.as_str()) {
            phases.push(phase);
        }
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Repositories, the items in each phase, and the delivery metrics" {
            table.counts {
                thead {
                    tr {
                        th scope="col" rowspan="2" { "Repository" }
                        th.group scope="colgroup" colspan=(phases.len()) { "Items now" }
                        th.group scope="colgroup" colspan=(DELIVERY.len()) { "Delivery, " (DAYS) " days" }
                    }
                    tr {
                        @for phase in &phases { th.number scope="col" { (phase) } }
                        @for (index, head) in DELIVERY.iter().enumerate() {
                            th.number.first[index == 0] scope="col" { (head) }
                        }
                    }
                }
                tbody {
                    @for Entry { row, counts, five } in all {
                        tr {
                            th scope="row" {
                                a href={ "/" (row.full_name) } { (row.full_name) }
                                @if five.is_some_and(|five| !five.is_complete) { div.soft { "earlier events are being read" } }
                            }
                            @for phase in &phases {
                                @match counts.get(*phase) {
                                    Some(items) => { td { (items) } }
                                    None => { td.zero { "0" } }
                                }
                            }
                            @for (index, (chart, text)) in delivery(five.as_ref()).into_iter().enumerate() {
                                td.first[index == 0].zero[text.is_none()] {
                                    @match text {
                                        Some(text) => { a href={ "/" (row.full_name) "/dora#" (chart) } { (text) } }
                                        None => { "none" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the delivery metrics, each with the name of its chart; `None` for one without data.
fn delivery(five: Option<&Five>) -> [(&'static str, Option<String>); 5] {
    let percent = |value: f64| format!("{}\u{a0}%", short(value));
    [
        ("frequency", five.and_then(|five| five.per_day).map(short)),
        ("lead-time", five.and_then(|five| five.lead_time).map(length)),
        ("fail-rate", five.and_then(|five| five.failed).map(percent)),
        ("recovery", five.and_then(|five| five.recovery).map(length)),
        ("rework", five.and_then(|five| five.rework).map(percent)),
    ]
}

/// Returns links to the other pages of the list.
fn others(page: usize, pages: usize) -> Markup {
    html! {
        p.more {
            "Page " (page) " of " (pages) "."
            @if page > 1 { " " a rel="prev" href={ "/?page=" (page - 1) } { "Page before" } }
            @if page < pages { " " a rel="next" href={ "/?page=" (page + 1) } { "Next page" } }
        }
    }
}
