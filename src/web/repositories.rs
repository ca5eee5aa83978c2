//! `/`: the repositories that one may read, with the number of items in each phase.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Response};
use maud::html;

use crate::{
    port::store::RepositoryRow,
    web::{Web, answer::Failure, edition::Asked, page::Page, read::Visit},
};

/// Most repositories on the page.
const MOST: usize = 200;
/// Most repositories that are looked through.
const LOOKED_THROUGH: usize = 20_000;

/// Phases of the built-in policy, in whose order the counts stand. Phases of other policies follow.
const USUAL: [&str; 8] = ["plan", "code", "build", "test", "release", "deploy", "operate", "monitor"];

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    asked: Asked,
) -> Result<Response, Failure> {
    let mut rows = web.store.active_repositories(&web.forge, LOOKED_THROUGH).await?;
    web.retain_readable(&visitor, &mut rows).await?;
    rows.sort_by_key(|row| row.full_name.to_lowercase());
    let more = rows.len().saturating_sub(MOST);
    rows.truncate(MOST);
    let edition = web.edition(&visitor, &asked, &rows).await?;
    // The forge may take its time, in which others get their pages.
    let _turn = web.turn().await?;
    let ids: Vec<u64> = rows.iter().map(|row| row.repo.id).collect();
    let mut all: Vec<(RepositoryRow, BTreeMap<String, u64>)> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for (row, counts) in rows.into_iter().zip(web.store.phase_counts_of(&web.forge, &ids).await?) {
        for count in &counts {
            if !USUAL.contains(&count.phase.as_str()) && !others.contains(&count.phase) {
                others.push(count.phase.clone());
            }
        }
        all.push((row, counts.into_iter().map(|count| (count.phase, count.items)).collect()));
    }
    let phases: Vec<String> = USUAL.map(str::to_owned).into_iter().chain(others).collect();
    let main = html! {
        div.head {
            h1 { "Repositories" }
            @if all.is_empty() {
                p { "phasebot has not heard of any repository here yet. Is the App installed?" }
            } @else {
                p { "Items in each phase. A repository's name leads to its loop." }
            }
        }
        @if !all.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Repositories and the items in each phase" {
                table.counts {
                    thead {
                        tr {
                            th scope="col" { "Repository" }
                            @for phase in &phases { th.number scope="col" { (phase) } }
                        }
                    }
                    tbody {
                        @for (row, counts) in &all {
                            tr {
                                th scope="row" { a href={ "/" (row.full_name) } { (row.full_name) } }
                                @for phase in &phases {
                                    @match counts.get(phase) {
                                        Some(items) => { td { (items) } }
                                        None => { td.zero { "0" } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if more > 0 { p.soft { "And " (more) " more: open one by its address, as /owner/name." } }
    };
    let page = Page { title: "Repositories", repository: None, person: visitor.person(), main };
    Ok(edition.page(page.render()))
}
