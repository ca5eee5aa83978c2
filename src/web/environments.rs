//! `/{owner}/{name}/env`: what runs where, since when and by whom, and what stands in the way.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use jiff::Timestamp;
use maud::{Markup, html};

use crate::{
    command::environments::EnvironmentState,
    domain::id::Sha,
    port::store::RepositoryRow,
    web::{
        Web, age,
        answer::Failure,
        gates,
        page::{Page, Place},
        prose,
        read::{Repository, Visit},
    },
};

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    Repository { row, edition }: Repository,
) -> Result<Response, Failure> {
    let _turn = web.turn().await?;
    let now = web.clock.now();
    let states = web.environments(&row).await?;
    let main = html! {
        div.head {
            h1 { "Environments" }
            p { "What runs where in " (row.full_name) ", and what stands in the way of the next deployment." }
        }
        (cards(&web, &row, &states, now))
    };
    let page = Page {
        title: &format!("Environments of {}", row.full_name),
        repository: Some((&row.full_name, Place::Environments)),
        person: visitor.person(),
        main,
    };
    Ok(edition.page(page.render()))
}

fn cards(web: &Web, row: &RepositoryRow, states: &[EnvironmentState], now: Timestamp) -> Markup {
    html! {
        @if states.is_empty() {
            p.prose { "No environment is known here: neither does the policy name one, nor was one deployed to." }
        }
        div.cards { @for state in states { (card(web, row, state, now)) } }
    }
}

fn card(web: &Web, row: &RepositoryRow, state: &EnvironmentState, now: Timestamp) -> Markup {
    html! {
        section.card aria-label=(state.name) {
            header { h2 { (state.name) } }
            @match &state.running {
                None => { p.soft { "Nothing runs there, as far as phasebot has seen." } }
                Some(run) => {
                    dl {
                        dt { "Runs" }
                        dd {
                            @match &run.commit {
                                Some(sha) => { (commit(web, row, sha)) },
                                None => { "deployment " (run.deployment) ", whose commit is not known yet" },
                            }
                            @for tag in run.tags.iter().take(3) { " " span.tag { (tag) } }
                        }
                        dt { "Since" }
                        dd { (age::at(run.since)) " (" (age::long(run.since, now)) ")" }
                        @if !run.by.is_empty() { dt { "Deployed" } dd { (prose::inline(&run.by)) } }
                    }
                }
            }
            @if let Some(gate) = &state.gate {
                p {
                    (gates::state(gate.state)) " for " (commit(web, row, &gate.commit)) " since "
                    (age::at(gate.since)) ": " (prose::inline(&gate.sentence))
                }
            }
            @for incident in &state.incidents {
                p {
                    span.state.bad { "Incident" } " "
                    @match incident.issue {
                        Some(issue) => {
                            a href={ "/" (row.full_name) "/items/" (issue) } { "#" (issue) " " (prose::inline(&incident.title)) }
                        }
                        None => { (prose::inline(&incident.title)) }
                    }
                    " since " (age::at(incident.since))
                }
            }
            @if !state.guards.is_empty() || !state.waiting.is_empty() {
                ul {
                    @for line in state.guards.iter().chain(&state.waiting) { li { (prose::inline(line)) } }
                }
            }
        }
    }
}

/// Returns a commit's digits with a link to it on the forge.
pub(super) fn commit(web: &Web, row: &RepositoryRow, sha: &Sha) -> Markup {
    html! {
        a rel="noreferrer" href=(web.on_forge(row, &format!("/commit/{sha}"))) { code { (sha.short()) } }
    }
}
