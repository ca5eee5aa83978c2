//! `/about`: what the pages show, and where it comes from.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use crate::web::{
    Web, age, definitions,
    edition::Asked,
    failure::Failure,
    metrics::Metrics,
    page::{Page, Place},
    read::{Repository, Visit},
    span::DAYS,
};

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    asked: Asked,
) -> Result<Response, Failure> {
    let edition = web.edition(&visitor, &asked, &[]).await?;
    let main = html! {
        div.prose {
            h1 { "What these pages show" }
            p {
                "phasebot puts every issue and pull request into one phase of its way from the idea to production, and \
                 back. The figure of eight is that way: the number in a circle counts the items that are in the phase \
                 now, and the larger the circle, the more there are."
            }
            h2 { "Where the phase comes from" }
            p {
                "From what happened on the forge: pull requests, merges, checks, tags, releases and deployments, each \
                 at the forge's own time. The policy of the repository says which of that puts an item into which \
                 phase. An item's page names the evidence and the rule of every move."
            }
            h2 { "How old, and what it waits for" }
            p {
                "An age is the time since the item came into its phase, nights and weekends included. What it waits \
                 for is what would move it on, the most likely first. The last phase is where items end: its newest \
                 are listed, and they wait for nothing."
            }
            h2 { "How fresh" }
            p {
                "Pages are made from what phasebot last decided, usually within a second of an event. With scripts on, \
                 the loop is refreshed every ten seconds while it is seen, and dimmed when it could not be for a \
                 minute. Without, reload it."
            }
            h2 { "How figures are counted" }
            p {
                (definitions::link("delivery-metrics-and-flow", "The definition of every figure"))
                " comes from the program itself. Each chart leads to the deployments or changes that it counts, and \
                 each of these to what it rests on. How much is unknown is on a page of its own for each repository: \
                 “About the data” at its foot."
            }
            h2 { "What is not here" }
            p {
                "Items that were merged before phasebot's record began do not move. Nothing is measured or ranked by \
                 person. No page asks any other host for anything."
            }
        }
    };
    let page = Page { title: "About", repository: None, person: visitor.person(), main };
    Ok(edition.page(page.render()))
}

/// Shows how much of a repository is known.
pub(super) async fn of_repository(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    Repository { row, edition }: Repository,
) -> Result<Response, Failure> {
    let turn = web.turn().await?;
    let metrics = web.metrics(&row, &turn).await?;
    let main = html! {
        div.head {
            h1 { "About the data" }
            @match &metrics {
                Some(_) => {
                    p {
                        "How much phasebot knows of " (row.full_name) ": what the figures of the last " (DAYS) " days rest on. "
                        (definitions::link("delivery-metrics-and-flow", "How they are counted")) "."
                    }
                }
                None => { p { "Nothing is recorded of " (row.full_name) " yet." } }
            }
        }
        @if let Some(metrics) = &metrics { (quality(metrics)) }
    };
    let title = format!("About the data of {}", row.full_name);
    let repository = Some((row.full_name.as_str(), Place::About));
    let page = Page { title: &title, repository, person: visitor.person(), main };
    Ok(edition.page(page.render()))
}

/// Returns what is unknown, beside what is known.
fn quality(metrics: &Metrics) -> Markup {
    let all = &metrics.figures;
    let (lead, deployments, flow) = (&all.lead_time, &all.deployment_frequency, &all.flow);
    let changes = lead.all.as_ref().map_or(0, |spread| spread.n);
    let deployed = deployments.count + deployments.redeploys + deployments.rollbacks + deployments.unknown;
    let older = flow.ageing.iter().filter(|one| one.older).count();
    let rows: [(&str, usize, usize, &str); 7] = [
        (
            "Changes of which the first commit is not known",
            lead.without_first_commit,
            changes,
            "their lead time starts at the pull request, and is too short",
        ),
        ("Changes that went live before their merge", lead.before_merge, changes, "their parts are shifted"),
        ("Changes by bots", lead.automated, changes + lead.automated, "they are left out of the lead time"),
        ("Deployments whose commit is not known", deployments.unknown, deployed, "they count as nothing new"),
        (
            "Deployments that may still turn out to have failed",
            all.change_fail_rate.provisional,
            all.change_fail_rate.share.n,
            "the change fail rate may rise",
        ),
        (
            "Finished items of which the start is not known",
            flow.without_cycle_time,
            flow.finished,
            "they have no cycle time",
        ),
        ("Items in progress of which the start is not known", older, flow.in_progress, "they are older than shown"),
    ];
    html! {
        dl {
            dt { "Recorded since" }
            dd {
                @match all.basis.recorded_since {
                    Some(since) => { (age::at(since)) ". What came before is not counted." }
                    None => { "not known" }
                }
            }
            dt { "Earlier events" }
            dd { @if metrics.complete { "all read" } @else { "still being read: figures may change" } }
            dt { "Time zone of the days" }
            dd { (all.basis.tz) }
            dt { "Policy" }
            dd { "version " code { (all.basis.policy) } ", definitions " (all.basis.definition) }
        }
        div.scroll tabindex="0" role="region" aria-label="What is not known" {
            table {
                thead { tr { th scope="col" { "Not known" } th.number scope="col" { "Number" } th.number scope="col" { "Of" } th scope="col" { "So" } } }
                tbody {
                    @for (what, part, of, so) in rows {
                        tr {
                            th scope="row" { (what) }
                            td.number.zero[part == 0] { (part) }
                            td.number { (of) }
                            td.soft { @if part > 0 { (so) } }
                        }
                    }
                }
            }
        }
    }
}
