//! `/{owner}/{name}/env`: what runs where, since when and by whom, and what stands in the way.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::HeaderMap;
use jiff::Timestamp;
use maud::{Markup, html};

use crate::{
    command::environments::{self, EnvironmentState},
    domain::{
        fact::{DocumentKey, RepoFacts},
        id::Sha,
    },
    port::store::{Document, RepositoryRow},
    web::{
        Web, age,
        answer::{self, Failure},
        gates,
        page::{Page, Place},
        prose,
        read::{Name, Visit},
    },
};

/// Most documents of one kind that are read.
const MOST: usize = 20_000;

/// Beginnings of the keys of the documents that the environments depend on.
const KINDS: [&str; 8] = [
    "{\"Deployment\":",
    "{\"Request\":",
    "{\"Run\":",
    "{\"Command\":",
    "{\"Gate\":[{\"Deploy\":",
    "{\"Incident\":",
    "{\"Storm\":",
    "{\"Ref\":{\"Tag\":",
];

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    name: Path<Name>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let row = web.repository(&visitor, &name).await?;
    let _turn = web.turn().await?;
    let now = web.clock.now();
    let main = if let Some(states) = states(&web, &row).await? {
        cards(&web, &row, &states, now)
    } else {
        html! {
            p.prose {
                "More is recorded of this repository than this page reads. Ask with " code { "/where" } " in a comment."
            }
        }
    };
    let main = html! {
        div.head {
            h1 { "Environments" }
            p { "What runs where in " (row.full_name) ", and what stands in the way of the next deployment." }
        }
        (main)
    };
    let page = Page {
        title: &format!("Environments of {}", row.full_name),
        repository: Some((&row.full_name, Place::Environments)),
        person: visitor.person(),
        main,
    };
    Ok(answer::page(&headers, page.render()))
}

/// Returns the state of every environment; `None` if more is recorded than is read for it.
pub(super) async fn states(web: &Web, row: &RepositoryRow) -> Result<Option<Vec<EnvironmentState>>, Failure> {
    let Some(documents) = read(web, row).await? else { return Ok(None) };
    let (policy, repo, now) = (web.policy(row).await?, row.repo.clone(), web.clock.now());
    // Thousands of documents are work for the processor, not for a thread that serves others.
    let states = tokio::task::spawn_blocking(move || environments::environments(&load(repo, &documents), &policy, now));
    Ok(Some(states.await.map_err(|_| Failure::Unavailable)?))
}

/// Reads the documents that the environments depend on; `None` if there are too many.
async fn read(web: &Web, row: &RepositoryRow) -> Result<Option<Vec<Document>>, Failure> {
    let keys = [DocumentKey::About, DocumentKey::Tags, DocumentKey::Policy].map(|key| key.to_string());
    let mut all = web.store.documents(&row.repo, &keys).await?;
    for kind in KINDS {
        let found = web.store.documents_under(&row.repo, kind, MOST).await?;
        if found.len() == MOST {
            return Ok(None);
        }
        all.extend(found);
    }
    // An incident whose issue a person closed is over, so the issues are needed, too.
    let repo = row.repo.clone();
    let parsing = tokio::task::spawn_blocking(move || {
        let issues: BTreeSet<u64> = load(repo, &all).index.shown_in.keys().copied().collect();
        let issues: Vec<String> = issues.into_iter().map(|item| DocumentKey::Item(item).to_string()).collect();
        (all, issues)
    });
    let (mut all, issues) = parsing.await.map_err(|_| Failure::Unavailable)?;
    all.extend(web.store.documents(&row.repo, &issues).await?);
    Ok(Some(all))
}

fn load(repo: crate::domain::id::RepoKey, documents: &[Document]) -> RepoFacts {
    let documents = documents.iter().filter_map(|document| Some((document.key.as_str(), document.body.as_deref()?)));
    RepoFacts::load(repo, documents).0
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
