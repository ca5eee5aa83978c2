//! `/{owner}/{name}/changes`: the changes behind a lead time, each with its parts.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    domain::{id::ItemId, insight::RowKind},
    insight::{
        figures::select,
        row::{ChangeRow, DeploymentRow},
    },
    port::store::RepositoryRow,
    web::{
        Web, age, definitions, deployments,
        failure::Failure,
        page::{Page, Place},
        part,
        plot::length,
        read::{Face, Parameters, Repository, Visit},
    },
};

/// Most changes on the page.
const MOST: usize = 300;
/// Kinds of rows that say which changes a figure counts.
const KINDS: [RowKind; 2] = [RowKind::Terms, RowKind::Change];

/// What a reader asks for.
#[derive(Deserialize)]
pub(super) struct Asked {
    from: Option<String>,
    to: Option<String>,
    deployment: Option<u64>,
}

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    Repository { row, edition }: Repository,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Failure> {
    let _turn = web.turn().await?;
    let (lead, mut changes) = match asked.deployment {
        Some(id) => of_deployment(&web, &row, id).await?,
        None => of_time(&web, &row, &asked).await?,
    };
    let all = changes.len();
    changes.sort_by(|a, b| (b.live, &a.change).cmp(&(a.live, &b.change)));
    changes.truncate(MOST);
    let faces = web.faces(&row, changes.iter().filter_map(|change| part::pull_of(&change.change))).await?;
    let main = html! {
        div.head {
            h1 { "Changes" }
            p { strong { (all) } " " (lead) ", the newest first." }
        }
        @if changes.is_empty() { p.soft { "None is on record." } } @else { (table(&web, &row, &changes, &faces)) }
        @if all > changes.len() { p.more { "And " (all - changes.len()) " earlier ones: ask for a shorter time." } }
        p.more {
            "A lead time is from the first commit until the change was live; its parts add up to it. "
            (definitions::link("change-lead-time", "How it is counted")) "."
        }
    };
    let page = Page {
        title: &format!("Changes of {}", row.full_name),
        repository: Some((&row.full_name, Place::Delivery)),
        person: visitor.person(),
        main,
    };
    Ok(edition.page(page.render()))
}

/// Returns the changes that a deployment brought.
async fn of_deployment(web: &Web, row: &RepositoryRow, id: u64) -> Result<(Markup, Vec<ChangeRow>), Failure> {
    let found: Vec<DeploymentRow> = web.rows_by(row, RowKind::Deployment, &[id.to_string()]).await?;
    let since = found.iter().map(|deployment| deployment.at).min().ok_or(Failure::NotFound)?;
    let Some(rows) = web.rows_of(row, &KINDS, since).await? else { return Err(Failure::Unavailable) };
    let changes = rows.changes.into_iter().filter(|change| change.deployment == id).collect();
    let lead =
        html! { "brought by " a href=(deployments::address(row, id)) { "deployment " (id) } " in " (row.full_name) };
    Ok((lead, changes))
}

/// Returns the changes that went live in production in a time, as the lead time counts them.
async fn of_time(web: &Web, row: &RepositoryRow, asked: &Asked) -> Result<(Markup, Vec<ChangeRow>), Failure> {
    let spanned = web.spanned(row, &KINDS, asked.from.as_deref(), asked.to.as_deref()).await?;
    let lead = html! { "went live in " (row.full_name) ", " (spanned.days()) };
    let changes = select(&spanned.rows, &spanned.query).changes.into_iter().cloned().collect();
    Ok((lead, changes))
}

fn table(web: &Web, row: &RepositoryRow, changes: &[ChangeRow], faces: &BTreeMap<ItemId, Face>) -> Markup {
    let heads = ["Change", "Live", "Lead time", "Coding", "Review", "Waiting", "Deploying", "Remarks"];
    html! {
        div.scroll tabindex="0" role="region" aria-label="Changes" {
            table {
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody {
                    @for one in changes {
                        @let parts = one.parts();
                        tr {
                            th scope="row" { (part::change(web, row, &one.change, faces)) }
                            td {
                                (age::at(one.live))
                                div.soft {
                                    a href=(deployments::address(row, one.deployment)) { "deployment " (one.deployment) }
                                    " to " (one.environment)
                                }
                            }
                            td { strong { (length(one.lead_time())) } }
                            @for seconds in [parts.coding, parts.review, parts.waiting, parts.deploying] {
                                td { (length(seconds)) }
                            }
                            td { (remarks(one)) }
                        }
                    }
                }
            }
        }
    }
}

/// Returns what is special about a change.
fn remarks(one: &ChangeRow) -> Markup {
    html! {
        @if one.automated { div { "by a bot: not counted" } }
        @if !one.has_first_commit { div { "its first commit is not known: it starts later" } }
        @if one.before_merge { div { "live before its merge" } }
        @if let Some(lost) = one.lost { div { "no longer runs there, since " (age::at(lost)) } }
    }
}
