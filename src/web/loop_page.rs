//! `/{owner}/{name}`: the loop of a repository: how many items are in each phase, which are there
//! longest, and what they wait for.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Response};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    domain::{derived::StoredItem, id::ItemId, policy::PhaseRule},
    port::{
        pages::{ItemOrder, PhaseCount},
        store::RepositoryRow,
    },
    web::{
        Web, age,
        failure::Failure,
        figure::{self, Station},
        page::{Page, Place},
        prose,
        read::{Face, Repository, Visit},
    },
};

/// Items listed for each phase.
const LISTED: usize = 50;
/// Items of these that are seen at once.
const AT_ONCE: usize = 8;

/// A phase with what is in it.
struct Phase {
    name: String,
    description: String,
    count: PhaseCount,
    items: Vec<StoredItem>,
    /// It is the last phase: its items wait for nothing, and the newest of them are listed.
    is_last: bool,
}

/// What the lists show of items.
struct Shown {
    faces: BTreeMap<ItemId, Face>,
    slow: Arc<BTreeMap<ItemId, u8>>,
}

/// The part of a stored decision that the list shows.
#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: Vec<String>,
}

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    Repository { row, edition }: Repository,
) -> Result<Response, Failure> {
    let _turn = web.turn().await?;
    let phases = read(&web, &row).await?;
    let listed = phases.iter().flat_map(|phase| &phase.items).map(|item| item.item);
    let shown = Shown { faces: web.faces(&row, listed).await?, slow: web.slow(&row).await? };
    let now = web.clock.now();
    let main = html! {
        div data-refresh={ "/" (row.full_name) } {
            (head(&row, &phases, now))
            figure.whole {
                (drawing(&phases, now))
                figcaption {
                    "Every issue and pull request is in one phase. Work moves along the arrows, from the idea to \
                     production and back. A circle counts what is in the phase now."
                }
            }
            div.phases {
                @for (index, phase) in phases.iter().enumerate() { (section(&row, index, phase, &shown, now)) }
            }
        }
        p.status role="status" data-status="" {}
    };
    let page =
        Page { title: &row.full_name, repository: Some((&row.full_name, Place::Loop)), person: visitor.person(), main };
    Ok(edition.page(page.render()))
}

/// Reads the phases of the policy in its order, then those that it does not name any more.
async fn read(web: &Web, row: &RepositoryRow) -> Result<Vec<Phase>, Failure> {
    let policy = web.policy(row).await?;
    let mut counts: BTreeMap<String, PhaseCount> =
        web.store.phase_counts(&row.repo).await?.into_iter().map(|count| (count.phase.clone(), count)).collect();
    let last = policy.phases.len().saturating_sub(1);
    let mut phases = Vec::new();
    for (index, PhaseRule { name, description, .. }) in policy.phases.iter().enumerate() {
        let count = counts.remove(name);
        phases.push((name.clone(), description.clone(), count, index == last && last > 0));
    }
    phases.extend(counts.into_values().map(|count| (count.phase.clone(), String::new(), Some(count), false)));
    let mut all = Vec::new();
    for (name, description, count, is_last) in phases {
        let order = if is_last { ItemOrder::NewestFirst } else { ItemOrder::OldestFirst };
        let items = match &count {
            Some(_) => web.store.items_in_phase(&row.repo, &name, order, LISTED).await?,
            None => Vec::new(),
        };
        let count = count.unwrap_or(PhaseCount { phase: name.clone(), items: 0, oldest: None });
        all.push(Phase { name, description, count, items, is_last });
    }
    Ok(all)
}

fn head(row: &RepositoryRow, phases: &[Phase], now: Timestamp) -> Markup {
    let moving = phases.iter().filter(|phase| !phase.is_last);
    let under_way: u64 = moving.clone().map(|phase| phase.count.items).sum();
    let oldest = moving.filter_map(|phase| Some((phase.count.oldest?, phase))).min_by_key(|(since, _)| *since);
    let done = phases.iter().find(|phase| phase.is_last);
    html! {
        div.head {
            h1 { (row.full_name) }
            p {
                @match under_way {
                    0 => { "Nothing is under way." },
                    1 => { strong { "1 item" } " is under way." },
                    _ => { strong { (under_way) " items" } " are under way." },
                }
                @if let Some((since, phase)) = oldest {
                    " The longest wait is in " strong { (phase.name) } ": " (age::long(since, now)) "."
                }
                @if let Some(done) = done.filter(|done| done.count.items > 0) {
                    " " strong { (done.count.items) } " reached the end, " (done.name) "."
                }
            }
        }
    }
}

fn drawing(phases: &[Phase], now: Timestamp) -> Markup {
    let stations: Vec<Station> = phases
        .iter()
        .enumerate()
        .map(|(index, phase)| Station {
            name: phase.name.clone(),
            items: phase.count.items,
            oldest: phase.count.oldest.filter(|_| !phase.is_last).map(|since| age::short(since, now)),
            anchor: anchor(index),
        })
        .collect();
    figure::figure(&stations)
}

fn anchor(index: usize) -> String {
    format!("phase-{}", index + 1)
}

fn section(row: &RepositoryRow, index: usize, phase: &Phase, shown: &Shown, now: Timestamp) -> Markup {
    let empty = if phase.items.is_empty() { " empty" } else { "" };
    let class = format!("phase {}{empty}", figure::color(index));
    let (first, rest) = phase.items.split_at(phase.items.len().min(AT_ONCE));
    let listed = u64::try_from(phase.items.len()).unwrap_or(u64::MAX);
    let more = phase.count.items.saturating_sub(listed);
    let usual = usual(phase);
    html! {
        section class=(class) id=(anchor(index)) aria-labelledby={ (anchor(index)) "-name" } {
            header {
                h2 id={ (anchor(index)) "-name" } { (phase.name) }
                span { (figure::items(phase.count.items)) }
                @if !phase.description.is_empty() { span.soft { (phase.description) } }
                @if let Some(usual) = &usual { p.soft { "Moves on to " (prose::inline(usual)) "." } }
            }
            @if !first.is_empty() { (list(row, phase, first, usual.as_deref(), shown, now)) }
            @if !rest.is_empty() {
                details id={ (anchor(index)) "-more" } {
                    summary { (rest.len()) " more" }
                    (list(row, phase, rest, usual.as_deref(), shown, now))
                }
            }
            @if more > 0 {
                p.more {
                    "And " (figure::items(more))
                    @if phase.is_last { " that came earlier." } @else { " that came later." }
                }
            }
        }
    }
}

fn list(
    row: &RepositoryRow,
    phase: &Phase,
    items: &[StoredItem],
    usual: Option<&str>,
    shown: &Shown,
    now: Timestamp,
) -> Markup {
    html! {
        ul.items {
            @for item in items {
                @let face = shown.faces.get(&item.item);
                @let next = next(item).filter(|next| !phase.is_last && Some(next.as_str()) != usual);
                @let slow = shown.slow.get(&item.item).filter(|_| !phase.is_last);
                li {
                    span.what {
                        a href={ "/" (row.full_name) "/items/" (item.item) } {
                            span.ref { "#" (item.item) }
                            @match face { Some(face) => { (face.title()) }, None => { "Item " (item.item) } }
                        }
                        @if face.is_some_and(Face::is_pull) { " " span.soft { "pull request" } }
                    }
                    span.age { @if let Some(since) = item.since { (age::element(since, now)) } }
                    @if next.is_some() || slow.is_some() {
                        span.for {
                            @if let Some(percent) = slow {
                                span.state.wait { (percent) "\u{a0}% moved on sooner." } " "
                            }
                            @if let Some(next) = &next { "Next: " (prose::inline(next)) }
                        }
                    }
                }
            }
        }
    }
}

/// Returns what would move an item on, the most likely first.
fn next(item: &StoredItem) -> Option<String> {
    serde_json::from_str::<Next>(&item.derived).ok()?.next.into_iter().next()
}

/// Returns what most items of a phase wait for: it is said once, and each that waits for something else
/// says so.
fn usual(phase: &Phase) -> Option<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for next in phase.items.iter().filter(|_| !phase.is_last).filter_map(next) {
        *times.entry(next).or_default() += 1;
    }
    let (next, times) = times.into_iter().max_by_key(|(_, times)| *times)?;
    (times >= 2 && 2 * times > phase.items.len()).then_some(next)
}
