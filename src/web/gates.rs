//! `/{owner}/{name}/gates`: the decisions of the gates that are kept up to date, with their
//! conditions.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::HeaderMap;
use jiff::Timestamp;
use maud::{Markup, html};

use crate::{
    app::insight::report::Asked,
    domain::{
        decision::{Condition, ConditionState},
        fact::gate::GateFacts,
    },
    insight::{Spread, figures::gates::GateWaits},
    port::store::RepositoryRow,
    web::{
        Web, age,
        answer::{self, Failure},
        chart::{self, Chart, length},
        environments::commit,
        page::{Page, Place},
        prose,
        read::{Name, Visit},
    },
};

/// Most decisions that are looked through.
const LOOKED_THROUGH: usize = 20_000;
/// Days over which waits are added up.
const DAYS: u16 = 84;
/// Conditions that have a bar.
const BARS: usize = 6;
/// Most decisions shown.
const MOST: usize = 50;

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    name: Path<Name>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let row = web.repository(&visitor, &name).await?;
    let turn = web.turn().await?;
    let Live { newest, more, settled } = live(&web, &row).await?;
    let waits = web.report(&row, Asked::last(DAYS), &turn).await?.map(|(report, _)| report.figures.gate_waits);
    let now = web.clock.now();
    let main = html! {
        div.head {
            h1 { "Gates" }
            p {
                "Whether commits of " (row.full_name) " may be released or deployed now, and which condition they wait for."
                @if settled > 0 { " " (settled) " decisions are settled and not shown." }
            }
        }
        @if newest.is_empty() { p.prose { "No gate is waiting for a decision." } }
        @for gate in &newest { (decision(&web, &row, gate, now)) }
        @if more > 0 { p.more { "And " (more) " older ones." } }
        @if let Some(waits) = waits.filter(|waits| !waits.is_empty()) { div.charts { (blocked(&waits).render()) } }
    };
    let page = Page {
        title: &format!("Gates of {}", row.full_name),
        repository: Some((&row.full_name, Place::Gates)),
        person: visitor.person(),
        main,
    };
    Ok(answer::page(&headers, page.render()))
}

/// Returns how long each condition blocked commits.
fn blocked(waits: &[GateWaits]) -> Chart {
    let name = |wait: &GateWaits| {
        let gate = wait.gate.strip_prefix("phasebot/").unwrap_or(&wait.gate);
        format!("{} of {gate}", wait.condition)
    };
    #[expect(clippy::cast_precision_loss, reason = "a length of time in seconds is far below 2^52")]
    let bar = |wait: &GateWaits| (name(wait), wait.total as f64, length(wait.total));
    let longest = waits
        .first()
        .map_or_else(String::new, |wait| format!(" Longest: {}, {} in all.", name(wait), length(wait.total)));
    Chart {
        id: "blocked",
        title: format!("Time blocked by condition, last {DAYS} days"),
        summary: format!("How long conditions kept commits waiting, all commits together.{longest}"),
        plot: chart::bars(&waits.iter().take(BARS).map(bar).collect::<Vec<_>>()),
        columns: ["Condition", "In all", "Commits", "Median", "85 %", "Blocks now"].map(str::to_owned).to_vec(),
        rows: waits
            .iter()
            .map(|wait| {
                let each =
                    |pick: fn(&Spread) -> i64| wait.each.as_ref().map_or_else(String::new, |all| length(pick(all)));
                let commits = wait.each.as_ref().map_or(0, |each| each.n);
                vec![
                    name(wait),
                    length(wait.total),
                    commits.to_string(),
                    each(|all| all.p50),
                    each(|all| all.p85),
                    wait.blocking.to_string(),
                ]
            })
            .collect(),
    }
}

/// Decisions that are kept up to date.
pub(super) struct Live {
    /// The newest of them, the newest first.
    pub(super) newest: Vec<GateFacts>,
    /// Number of older ones.
    more: usize,
    /// Number of decisions that are not kept up to date.
    settled: usize,
}

/// Returns the decisions of a repository's gates that are kept up to date.
pub(super) async fn live(web: &Web, row: &RepositoryRow) -> Result<Live, Failure> {
    let found = web.store.documents_under(&row.repo, "{\"Gate\":", LOOKED_THROUGH).await?;
    let all = found.len();
    // Thousands of documents are work for the processor, not for a thread that serves others.
    let parsing = tokio::task::spawn_blocking(move || {
        let gates =
            found.iter().filter_map(|document| serde_json::from_str::<GateFacts>(document.body.as_deref()?).ok());
        gates.filter(|gate| gate.live).collect::<Vec<_>>()
    });
    let mut live: Vec<GateFacts> = parsing.await.map_err(|_| Failure::Unavailable)?;
    live.sort_by(|a, b| b.since.cmp(&a.since).then_with(|| a.decision.gate.cmp(&b.decision.gate)));
    let (settled, more) = (all - live.len(), live.len().saturating_sub(MOST));
    live.truncate(MOST);
    Ok(Live { newest: live, more, settled })
}

fn decision(web: &Web, row: &RepositoryRow, gate: &GateFacts, now: Timestamp) -> Markup {
    let decision = &gate.decision;
    let (closed, all) = decision.closed();
    let since = gate.turns.last().map_or(gate.since, |turn| turn.at);
    html! {
        section.card {
            header {
                h2 { (decision.gate.check()) }
                span { (state(decision.standing)) }
                span.soft { "at " (commit(web, row, &decision.sha)) }
                @for tag in gate.tags.iter().take(5) { span.tag { (tag) } }
                span.soft { "for " (age::long(since, now)) }
            }
            p.soft {
                @if closed == 0 { "All " (all) " conditions hold." }
                @else { (closed) " of " (all) " conditions do not hold." }
                @if let Some(at) = decision.next_at { " It changes by itself at " (age::at(at)) "." }
            }
            div.scroll tabindex="0" role="region" aria-label={ "Conditions of " (decision.gate.check()) } {
                table {
                    thead { tr { th scope="col" { "Condition" } th scope="col" { "State" } th scope="col" { "Reason" } } }
                    tbody { @for condition in &decision.conditions { (rows(condition, 0)) } }
                }
            }
        }
    }
}

/// Returns the row of a condition, and below it those of its parts.
fn rows(condition: &Condition, depth: usize) -> Markup {
    html! {
        tr {
            th scope="row" { @for _ in 0..depth { "· " } code { (condition.name) } }
            td { (state(condition.standing)) }
            td {
                @if condition.standing.is_open() { (prose::inline(&condition.sentence)) }
                @else { (prose::inline(&condition.turn.after(&condition.sentence))) }
                @if let Some(link) = condition.link.as_deref().filter(|link| link.starts_with("https://")) {
                    " " a rel="noreferrer" href=(link) { "evidence" }
                }
            }
        }
        @if depth < 4 { @for part in &condition.parts { (rows(part, depth + 1)) } }
    }
}

/// Returns a state in a word, marked for eyes that see colour.
pub(super) fn state(state: ConditionState) -> Markup {
    let (class, word) = match state {
        ConditionState::Pass => ("state good", "open"),
        ConditionState::Waived => ("state good", "waived"),
        ConditionState::Pending => ("state wait", "waiting"),
        ConditionState::Fail => ("state bad", "blocked"),
        ConditionState::Error => ("state bad", "unknown"),
    };
    html! { span class=(class) { (word) } }
}
