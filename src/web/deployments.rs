//! `/{owner}/{name}/deployments`: the deployments behind a figure, each with its commit, what it brought,
//! and why it counts as it does.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    domain::{id::ItemId, insight::RowKind},
    insight::{
        InsightRows, Query,
        figures::{Rollout, select},
        row::{DeploymentKind, DeploymentRow, FailureReason},
    },
    port::store::RepositoryRow,
    web::{
        Web, age, definitions,
        failure::Failure,
        page::{Page, Place},
        part,
        plot::length,
        read::{Parameters, Repository, Visit},
    },
};

/// Most deployments on the page.
const MOST: usize = 300;
/// Kinds of rows that say which deployments a figure counts.
const KINDS: [RowKind; 2] = [RowKind::Terms, RowKind::Deployment];

/// What a reader asks for.
#[derive(Deserialize)]
pub(super) struct Asked {
    from: Option<String>,
    to: Option<String>,
    #[serde(default)]
    show: Show,
    id: Option<u64>,
}

/// The deployments that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Show {
    /// All of them.
    #[default]
    All,
    /// Those that brought something new.
    New,
    /// Those of them that failed.
    Failed,
    /// Those that only repaired.
    Rework,
}

impl Show {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::All, "all", "All"),
        (Self::New, "new", "That brought something new"),
        (Self::Failed, "failed", "That failed"),
        (Self::Rework, "rework", "That only repaired"),
    ];
}

/// A deployment as the page lists it.
struct Entry<'r> {
    row: &'r DeploymentRow,
    /// Other environments that got the commit within a day: they are one deployment.
    also: Vec<&'r str>,
}

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    Repository { row, edition }: Repository,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Failure> {
    let _turn = web.turn().await?;
    let main = match asked.id {
        Some(id) => one(&web, &row, id).await?,
        None => several(&web, &row, &asked).await?,
    };
    let page = Page {
        title: &format!("Deployments of {}", row.full_name),
        repository: Some((&row.full_name, Place::Delivery)),
        person: visitor.person(),
        main,
    };
    Ok(edition.page(page.render()))
}

/// Returns one deployment, in each of its environments.
async fn one(web: &Web, row: &RepositoryRow, id: u64) -> Result<Markup, Failure> {
    let found: Vec<DeploymentRow> = web.rows_by(row, RowKind::Deployment, &[id.to_string()]).await?;
    let entries: Vec<Entry<'_>> = found.iter().map(|row| Entry { row, also: Vec::new() }).collect();
    if entries.is_empty() {
        return Err(Failure::NotFound);
    }
    let issues = issues(web, row, &entries).await?;
    Ok(html! {
        div.head {
            h1 { "Deployment " (id) }
            p { "In " (row.full_name) "." }
        }
        (table(web, row, &entries, &issues))
        (rules())
    })
}

/// Returns those of a time.
async fn several(web: &Web, row: &RepositoryRow, asked: &Asked) -> Result<Markup, Failure> {
    let spanned = web.spanned(row, &KINDS, asked.from.as_deref(), asked.to.as_deref()).await?;
    let query = &spanned.query;
    let mut entries = entries(&spanned.rows, query, asked.show);
    let all = entries.len();
    entries.reverse();
    entries.truncate(MOST);
    let issues = issues(web, row, &entries).await?;
    let address = |name: &str| {
        let (first, until) = (query.window.first, query.window.whole_until);
        format!("/{}/deployments?from={first}&to={until}&show={name}", row.full_name)
    };
    Ok(html! {
        div.head {
            h1 { "Deployments" }
            p {
                strong { (all) } " to production in " (row.full_name) ", " (spanned.days()) ", the newest first."
            }
            ul.choices aria-label="Deployments that are shown" {
                @for (show, name, words) in Show::ALL {
                    li { a href=(address(name)) aria-current=[(show == asked.show).then_some("true")] { (words) } }
                }
            }
        }
        @if entries.is_empty() { p.soft { "None in this time." } } @else { (table(web, row, &entries, &issues)) }
        @if all > entries.len() { p.more { "And " (all - entries.len()) " earlier ones: ask for a shorter time." } }
        (rules())
    })
}

fn entries<'r>(rows: &'r InsightRows, query: &Query, show: Show) -> Vec<Entry<'r>> {
    let selection = select(rows, query);
    let rollout = |rollout: &Rollout<'r>| Entry {
        row: rollout.failed().unwrap_or(rollout.first),
        also: rollout.all.iter().skip(1).map(|row| row.environment.as_str()).collect(),
    };
    let single = |row: &&'r DeploymentRow| Entry { row, also: Vec::new() };
    let forward = selection.forward.iter();
    let mut entries: Vec<Entry<'r>> = match show {
        Show::New => forward.map(rollout).collect(),
        Show::Failed => forward.filter(|one| one.failed().is_some()).map(rollout).collect(),
        Show::Rework => {
            forward.filter(|one| one.is_rework()).map(rollout).chain(selection.rollbacks.iter().map(single)).collect()
        }
        Show::All => {
            let others = [&selection.rollbacks, &selection.redeploys, &selection.attempts, &selection.unknown];
            forward.map(rollout).chain(others.into_iter().flatten().map(single)).collect()
        }
    };
    entries.sort_by_key(|entry| (entry.row.at, entry.row.id));
    entries
}

/// Returns the issues that show the incidents which deployments caused.
async fn issues(web: &Web, row: &RepositoryRow, entries: &[Entry<'_>]) -> Result<BTreeMap<String, ItemId>, Failure> {
    let failures = entries.iter().flat_map(|entry| &entry.row.failures);
    web.incident_issues(row, failures.filter_map(FailureReason::incident).collect()).await
}

fn table(web: &Web, row: &RepositoryRow, entries: &[Entry<'_>], issues: &BTreeMap<String, ItemId>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Deployments" {
            table {
                thead { tr { @for head in ["Live", "Deployment", "Commit", "Brought", "What became of it"] { th scope="col" { (head) } } } }
                tbody {
                    @for Entry { row: one, also } in entries {
                        tr {
                            td { (age::at(one.at)) }
                            th scope="row" {
                                a href=(address(row, one.id)) { (one.id) }
                                " to " (one.environment)
                                @for environment in also { ", " (environment) }
                                div.soft { (kind(one.kind)) }
                            }
                            td { @if let Some(Ok(sha)) = one.commit.as_deref().map(str::parse) { (part::commit(web, row, &sha)) } }
                            td {
                                @match one.brought {
                                    0 => { "nothing" },
                                    brought => {
                                        a href={ "/" (row.full_name) "/changes?deployment=" (one.id) } {
                                            (brought) @if brought == 1 { " change" } @else { " changes" }
                                        }
                                    }
                                }
                            }
                            td { (outcome(row, one, issues)) }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the address of a deployment.
pub(super) fn address(row: &RepositoryRow, id: u64) -> String {
    format!("/{}/deployments?id={id}", row.full_name)
}

/// Returns what a kind means.
pub(super) fn kind(kind: DeploymentKind) -> &'static str {
    match kind {
        DeploymentKind::Forward => "something new",
        DeploymentKind::Rollback => "rollback: back to an older commit",
        DeploymentKind::Redeploy => "the commit that ran already",
        DeploymentKind::Attempt => "never succeeded",
        DeploymentKind::Unknown => "its commit is not known yet",
    }
}

/// Returns why a deployment counts as failed or as rework, and when service was restored.
pub(super) fn outcome(row: &RepositoryRow, one: &DeploymentRow, issues: &BTreeMap<String, ItemId>) -> Markup {
    let other = |id: &u64| html! { a href=(address(row, *id)) { "deployment " (id) } };
    html! {
        @if !one.failures.is_empty() {
            span.state.bad { "Failed" }
            ul {
                @for failure in &one.failures {
                    li {
                        @match failure {
                            FailureReason::RolledBack(by) => { (other(by)) " rolled it back" },
                            FailureReason::Reverted(by) => { (other(by)) " brought a revert of something in it" },
                            FailureReason::FailedLater => { "it was reported as failed after it had succeeded" },
                            FailureReason::Incident(id) => {
                                "it caused an incident"
                                @if let Some(issue) = issues.get(id) {
                                    ": " a href={ "/" (row.full_name) "/items/" (issue) } { "#" (issue) }
                                }
                            }
                        }
                    }
                }
                @if let Some(hurt) = one.hurt {
                    li {
                        @match one.restored {
                            Some(restored) => {
                                "restored after " (length(restored.duration_since(hurt).as_secs().max(0))) ", "
                                (age::at(restored))
                            }
                            None => { "not restored yet: users are hurt since " (age::at(hurt)) }
                        }
                    }
                }
            }
        } @else if one.rework {
            "It only repaired"
        } @else {
            span.soft { "Nothing wrong is known" }
        }
    }
}

/// Returns where the rules are defined by which deployments count.
fn rules() -> Markup {
    html! {
        p.more {
            "Why they count as they do: "
            (definitions::link("deployment-frequency", "what is something new")) ", "
            (definitions::link("change-fail-rate", "what is a failure")) ", "
            (definitions::link("failed-deployment-recovery-time", "when service is restored")) ", "
            (definitions::link("deployment-rework-rate", "what only repairs")) "."
        }
    }
}
