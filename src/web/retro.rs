//! `/{owner}/{name}/retro/{week}`: what a week was like, in the words of the weekly issue.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Path, State},
    response::Response,
};
use maud::html;
use serde::Deserialize;

use crate::{
    domain::{derived::Derived, id::ItemId},
    insight::{
        Query, Summary,
        retro::{self, Told, Week},
    },
    port::store::RepositoryRow,
    web::{
        Web,
        access::Visitor,
        failure::Failure,
        page::{Page, Place},
        prose,
        read::{Repository, Visit},
    },
};

/// Name of the week in an address.
#[derive(Deserialize)]
pub(super) struct Wanted {
    week: String,
}

/// Shows the last week that is over.
pub(super) async fn last(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    repository: Repository,
) -> Result<Response, Failure> {
    page(&web, &visitor, repository, None).await
}

/// Shows a week.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    Path(Wanted { week }): Path<Wanted>,
    repository: Repository,
) -> Result<Response, Failure> {
    let week = Week::parse(&week).ok_or(Failure::NotFound)?;
    page(&web, &visitor, repository, Some(week)).await
}

async fn page(
    web: &Web,
    visitor: &Visitor,
    Repository { row, edition }: Repository,
    week: Option<Week>,
) -> Result<Response, Failure> {
    let turn = web.turn().await?;
    let now = web.clock.now();
    let zone = web.zone(&row).await?;
    let present = Week::of(now.to_zoned(zone.clone()).date());
    let week = week.unwrap_or_else(|| present.before());
    if week > present {
        return Err(Failure::NotFound);
    }
    let query = Query { seed: row.repo.id, ..Query::new(week.window(now, &zone), now) };
    let Some(rows) = web.rows(&row, Summary::rows_since(&query)).await? else { return Err(Failure::Unavailable) };
    let summary = tokio::task::spawn_blocking(move || {
        let summary = Summary::of(&rows, &query);
        drop(turn);
        summary
    });
    let summary = summary.await.map_err(|_| Failure::Unavailable)?;
    let told = told(web, &row, summary.stuck.iter().map(|stuck| stuck.item).collect()).await?;
    let sections = retro::sections(&summary, &|item| told.get(&item).cloned().unwrap_or_default());
    let link = |week: Week| format!("/{}/retro/{}", row.full_name, week.name());
    let main = html! {
        div.head {
            h1 { (retro::title(week)) }
            p { "What the week was like in " (row.full_name) ". " (retro::about(&summary)) }
        }
        @for (name, lines) in &sections {
            section.prose {
                h2 { (name) }
                ul { @for line in lines { li { (prose::linked(line, &row.full_name)) } } }
            }
        }
        p.more {
            a rel="prev" href=(link(week.before())) { "Week before" }
            @if week < present { " · " a rel="next" href=(link(week.after())) { "Week after" } }
        }
    };
    let title = format!("{} of {}", retro::title(week), row.full_name);
    let repository = Some((row.full_name.as_str(), Place::Retro));
    let page = Page { title: &title, repository, person: visitor.person(), main };
    Ok(edition.page(page.render()))
}

/// Returns what is told of items: their titles, and what they wait for.
async fn told(web: &Web, row: &RepositoryRow, items: Vec<ItemId>) -> Result<BTreeMap<ItemId, Told>, Failure> {
    let faces = web.faces(row, items.iter().copied()).await?;
    let mut told = BTreeMap::new();
    for item in items {
        let stored = web.store.item(&row.repo, item).await?;
        let derived = stored.and_then(|stored| serde_json::from_str::<Derived>(&stored.derived).ok());
        let next = derived.and_then(|derived| derived.next.into_iter().next());
        told.insert(item, Told { title: faces.get(&item).map(super::read::Face::title), next });
    }
    Ok(told)
}
