//! `/{owner}/{name}/env`: what runs where, since when and by whom, and what stands in the way.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Response};
use jiff::Timestamp;
use maud::{Markup, html};

use crate::{
    command::environments::EnvironmentState,
    domain::id::ItemId,
    port::store::RepositoryRow,
    web::{
        Web, age,
        failure::Failure,
        page::{Page, Place},
        part,
        promotion::Promotion,
        prose,
        read::{Face, Repository, Visit},
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
    let promotions = web.promotions(&row, &states).await?;
    let named = promotions.values().flatten().flat_map(Promotion::named);
    let faces = web.faces(&row, named.filter_map(|change| part::pull_of(&change.change))).await?;
    let main = html! {
        div.head {
            h1 { "Environments" }
            p { "What runs where in " (row.full_name) ", and what stands in the way of the next deployment." }
        }
        @if states.is_empty() {
            p.prose { "No environment is known here: neither does the policy name one, nor was one deployed to." }
        }
        div.cards {
            @for state in &states {
                @let ahead = promotions.get(&state.name).map(Vec::as_slice).unwrap_or_default();
                (card(&web, &row, state, ahead, &faces, now))
            }
        }
    };
    let page = Page {
        title: &format!("Environments of {}", row.full_name),
        repository: Some((&row.full_name, Place::Environments)),
        person: visitor.person(),
        main,
    };
    Ok(edition.page(page.render()))
}

fn card(
    web: &Web,
    row: &RepositoryRow,
    state: &EnvironmentState,
    promotions: &[Promotion],
    faces: &BTreeMap<ItemId, Face>,
    now: Timestamp,
) -> Markup {
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
                                Some(sha) => { (part::commit(web, row, sha)) },
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
            @for promotion in promotions { (carries(web, row, state, promotion, faces, now)) }
            @if let Some(gate) = &state.gate {
                p {
                    (part::state(gate.state)) " for " (part::commit(web, row, &gate.commit)) " since "
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

/// Returns what a promotion would carry.
fn carries(
    web: &Web,
    row: &RepositoryRow,
    to: &EnvironmentState,
    promotion: &Promotion,
    faces: &BTreeMap<ItemId, Face>,
    now: Timestamp,
) -> Markup {
    let listed: Vec<_> = promotion.named().collect();
    html! {
        @match promotion.changes.as_deref() {
            None => { p { "More changes run in " (promotion.from) " and not here than are counted." } }
            Some([]) => { p.soft { "Nothing runs in " (promotion.from) " that does not run here." } }
            Some(changes) => {
                p {
                    strong { (changes.len()) @if changes.len() == 1 { " change" } @else { " changes" } }
                    " in " (promotion.from) ", not yet here:"
                }
                ul.carried aria-label={ "Changes that a promotion to " (to.name) " would carry" } {
                    @for one in &listed {
                        li {
                            (part::change(web, row, &one.change, faces))
                            " " span.soft { "for " (age::long(one.live, now)) }
                        }
                    }
                }
                @if changes.len() > listed.len() { p.more { "And " (changes.len() - listed.len()) " earlier ones." } }
            }
        }
    }
}
