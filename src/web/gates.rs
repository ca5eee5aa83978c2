//! `/{owner}/{name}/gates`: the decisions of the gates that are kept up to date, with their
//! conditions.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use jiff::Timestamp;
use maud::{Markup, html};

use crate::{
    app::insight::report::Asked,
    domain::{
        decision::Condition,
        fact::{
            command::{CommandAction, CommandFacts},
            gate::GateFacts,
        },
    },
    insight::{Spread, figures::gates::GateWaits, overrides::OverrideRow},
    port::store::RepositoryRow,
    web::{
        Web, age,
        chart::{Cell, Chart},
        definitions,
        failure::Failure,
        page::{Page, Place},
        part::{commit, state},
        plot::{self, length},
        prose,
        read::{Repository, Visit},
        span::DAYS,
    },
};

/// Conditions that have a bar.
const BARS: usize = 6;
/// Most decisions shown.
pub(super) const MOST: usize = 50;

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    Repository { row, edition }: Repository,
) -> Result<Response, Failure> {
    let turn = web.turn().await?;
    let mut newest = web.live_gates(&row).await?;
    let more = newest.len().saturating_sub(MOST);
    newest.truncate(MOST);
    let waits = web.report(&row, Asked::last(DAYS), &turn).await?.map(|(report, _)| report.figures.gate_waits);
    let now = web.clock.now();
    let overrides = web.overrides(&row, now, MOST).await?;
    let main = html! {
        div.head {
            h1 { "Gates" }
            p {
                "Whether commits of " (row.full_name) " may be released or deployed now, and which condition they wait for."
            }
        }
        @if newest.is_empty() { p.prose { "No gate is waiting for a decision." } }
        @for gate in &newest { (decision(&web, &row, gate, now)) }
        @if more > 0 { p.more { "And " (more) " older ones." } }
        @if !overrides.is_empty() { (overridden(&web, &row, &overrides)) }
        @if let Some(waits) = waits.filter(|waits| !waits.is_empty()) { div.charts { (blocked(&waits).render()) } }
    };
    let page = Page {
        title: &format!("Gates of {}", row.full_name),
        repository: Some((&row.full_name, Place::Gates)),
        person: visitor.person(),
        main,
    };
    Ok(edition.page(page.render()))
}

/// Returns the overrides with who gave them and why.
fn overridden(web: &Web, row: &RepositoryRow, overrides: &[(OverrideRow, Option<CommandFacts>)]) -> Markup {
    let reason = |command: &CommandFacts| match &command.action {
        Some(CommandAction::Override { reason, .. }) => reason.clone(),
        _ => String::new(),
    };
    html! {
        section aria-labelledby="overrides" {
            h2 id="overrides" { "Overrides" }
            p.soft { "Of the last " (DAYS) " days, the newest first." }
            div.scroll tabindex="0" role="region" aria-label="Overrides with their reasons" {
                table {
                    thead {
                        tr {
                            @for head in ["When", "Gate", "Commit", "Conditions", "By", "Reason"] { th scope="col" { (head) } }
                        }
                    }
                    tbody {
                        @for (one, command) in overrides {
                            tr {
                                td { (age::at(one.at)) }
                                td { (one.gate) }
                                td { @if let Ok(sha) = one.commit.parse() { (commit(web, row, &sha)) } }
                                td { (one.conditions.join(", ")) }
                                td { @if let Some(command) = command { (command.by.login) } }
                                td { @if let Some(command) = command { (reason(command)) } }
                            }
                        }
                    }
                }
            }
        }
    }
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
        links: vec![("How is it counted?", definitions::address("gate-waits"))],
        plot: plot::bars(&waits.iter().take(BARS).map(bar).collect::<Vec<_>>()),
        columns: ["Condition", "In all", "Commits", "Median", "85 %", "Blocks now"].map(str::to_owned).to_vec(),
        rows: waits
            .iter()
            .map(|wait| {
                let each =
                    |pick: fn(&Spread) -> i64| wait.each.as_ref().map_or_else(String::new, |all| length(pick(all)));
                let commits = wait.each.as_ref().map_or(0, |each| each.n);
                let cells = [
                    name(wait),
                    length(wait.total),
                    commits.to_string(),
                    each(|all| all.p50),
                    each(|all| all.p85),
                    wait.blocking.to_string(),
                ];
                cells.map(Cell::from).into()
            })
            .collect(),
    }
}

/// Returns a decision with its conditions.
pub(super) fn decision(web: &Web, row: &RepositoryRow, gate: &GateFacts, now: Timestamp) -> Markup {
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
                @if !gate.live { "No longer kept up to date. " }
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
