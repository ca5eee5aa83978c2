//! `/{owner}/{name}/items/{n}`: how an item came to its phase, by which evidence and which rule, and
//! what moves it on. The stored decision is what `phasebot why` derives.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    domain::{
        derived::{Derived, Transition},
        fact::command::{CommandFacts, Ending},
        policy::Policy,
    },
    port::store::{RepositoryRow, StoreError},
    web::{
        Web, age, deployments,
        failure::Failure,
        figure, gates,
        page::{Page, Place},
        part::{commit, rule},
        prose,
        read::{Face, Repository, Visit},
        work::Work,
    },
};

/// Transitions shown, the newest.
const MOST_MOVES: usize = 200;
/// Commands shown, the newest.
const MOST_COMMANDS: usize = 100;
/// Gates shown, the newest.
const MOST_GATES: usize = 6;

/// Number of the item in an address.
#[derive(Deserialize)]
pub(super) struct Number {
    item: String,
}

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    Repository { row, edition }: Repository,
    Path(Number { item }): Path<Number>,
) -> Result<Response, Failure> {
    let item = item.parse().map_err(|_| Failure::NotFound)?;
    let _turn = web.turn().await?;
    let stored = web.store.item(&row.repo, item).await?.ok_or(Failure::NotFound)?;
    let derived: Derived =
        serde_json::from_str(&stored.derived).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let history = web.store.transitions(&row.repo, item).await?;
    let policy = web.policy(&row).await?;
    let faces = web.faces(&row, [item]).await?;
    let commands = web.commands_on(&row, item).await?;
    let pulls = if faces.get(&item).is_some_and(Face::is_pull) { [item].into() } else { derived.pulls.clone() };
    let work = web.work(&row, &policy, &pulls).await?;
    let title = faces.get(&item).map_or_else(|| format!("Item {item}"), Face::title);
    let main = html! {
        div.head {
            p { "#" (item) " in " a href={ "/" (row.full_name) } { (row.full_name) } }
            h1 { (title) }
            p { a rel="noreferrer" href=(web.on_forge(&row, &format!("/issues/{item}"))) { "Open on the forge" } }
        }
        (state(&web, &row, &derived, &policy, web.clock.now()))
        @if !work.deployments.is_empty() { (deployed(&web, &row, &work)) }
        @if !work.gates.is_empty() { (gated(&web, &row, &work, web.clock.now())) }
        (moves(&web, &row, &history, &policy))
        @if !commands.is_empty() { (journal(&commands)) }
    };
    let title = format!("#{item} {title}");
    let page = Page { title: &title, repository: Some((&row.full_name, Place::Item)), person: visitor.person(), main };
    Ok(edition.page(page.render()))
}

fn state(web: &Web, row: &RepositoryRow, derived: &Derived, policy: &Policy, now: Timestamp) -> Markup {
    let color = derived.phase.as_deref().and_then(|phase| policy.phase_index(phase)).map(figure::color);
    html! {
        section class={ "phase " (color.unwrap_or_default()) } aria-labelledby="now" {
            header {
                h2 id="now" { (derived.phase.as_deref().unwrap_or("no phase")) }
                @if let Some(since) = derived.since { span.soft { "for " (age::long(since, now)) } }
            }
            dl {
                dt { "Why" }
                dd { (prose::linked(&derived.reason.sentence, &row.full_name)) }
                @if !derived.reason.rule.is_empty() { dt { "Rule" } dd { (rule(web, row, &derived.reason.rule)) } }
                @if let Some(since) = derived.since { dt { "Since" } dd { (age::at(since)) } }
                @if !derived.next.is_empty() {
                    dt { "Moves on to" }
                    dd { @for next in &derived.next { div { (prose::linked(next, &row.full_name)) } } }
                }
                @if !derived.pulls.is_empty() {
                    dt { "Work" }
                    dd {
                        @for (index, pull) in derived.pulls.iter().enumerate() {
                            @if index > 0 { ", " }
                            a href={ "/" (row.full_name) "/items/" (pull) } { "#" (pull) }
                        }
                    }
                }
                @if let Some(at) = derived.wake_at.filter(|at| *at > now) {
                    dt { "Looked at again" }
                    dd { (age::at(at)) }
                }
                @if !derived.ours { dt { "Labels" } dd { "phasebot leaves this item's labels alone" } }
            }
        }
    }
}

fn moves(web: &Web, row: &RepositoryRow, history: &[Transition], policy: &Policy) -> Markup {
    let earlier = history.len().saturating_sub(MOST_MOVES);
    html! {
        section aria-labelledby="history" {
            h2 id="history" { "How it got here" }
            @if history.is_empty() { p.soft { "No move is recorded yet." } }
            @if earlier > 0 { p.more { (earlier) " earlier moves are not shown." } }
            ol.history {
                @for move_ in &history[earlier..] {
                    @let color = move_.to.as_deref().and_then(|to| policy.phase_index(to)).map(figure::color);
                    li class=[color] {
                        span.to { (move_.to.as_deref().unwrap_or("no phase")) }
                        " " span.soft { (age::at(move_.at)) }
                        div { (prose::linked(&move_.reason.sentence, &row.full_name)) }
                        @if !move_.reason.rule.is_empty() { div.rule { "Rule " (rule(web, row, &move_.reason.rule)) } }
                    }
                }
            }
        }
    }
}

/// Returns where its changes ran: since when, by which deployment, and what became of that.
fn deployed(web: &Web, row: &RepositoryRow, work: &Work) -> Markup {
    html! {
        section aria-labelledby="deployments" {
            h2 id="deployments" { "Deployments" }
            div.scroll tabindex="0" role="region" aria-label="Where its changes ran" {
                table {
                    thead { tr { @for head in ["Environment", "Live", "Deployment", "Commit", "What became of it"] { th scope="col" { (head) } } } }
                    tbody {
                        @for (change, deployment) in &work.deployments {
                            tr {
                                th scope="row" { (change.environment) }
                                td {
                                    (age::at(change.live))
                                    @if let Some(lost) = change.lost { div { "until " (age::at(lost)) } }
                                    @if !work.is_one { div.soft { (change.change) } }
                                }
                                td { a href=(deployments::address(row, change.deployment)) { (change.deployment) } }
                                td {
                                    @if let Some(Ok(sha)) = deployment.as_ref().and_then(|one| one.commit.as_deref()).map(str::parse) {
                                        (commit(web, row, &sha))
                                    }
                                }
                                td { @if let Some(one) = deployment { (deployments::outcome(row, one, &work.issues)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the gates that its commits met, with their conditions.
fn gated(web: &Web, row: &RepositoryRow, work: &Work, now: Timestamp) -> Markup {
    html! {
        section.cards.one aria-labelledby="gates" {
            h2 id="gates" { "Gates" }
            @for gate in work.gates.iter().take(MOST_GATES) { (gates::decision(web, row, gate, now)) }
            @if work.gates.len() > MOST_GATES { p.more { "And " (work.gates.len() - MOST_GATES) " older ones." } }
        }
    }
}

/// Returns who ran which command, and what came of it.
fn journal(commands: &[CommandFacts]) -> Markup {
    let earlier = commands.len().saturating_sub(MOST_COMMANDS);
    let result = |ending: &Ending| match ending {
        Ending::Done(words) if words.is_empty() => "done".to_owned(),
        Ending::Pending => "under way".to_owned(),
        Ending::Done(words) | Ending::Failed(words) | Ending::Refused(words) | Ending::Misread(words) => {
            words.text.lines().next().unwrap_or_default().to_owned()
        }
    };
    html! {
        section aria-labelledby="commands" {
            h2 id="commands" { "Commands" }
            @if earlier > 0 { p.more { (earlier) " earlier ones are not shown." } }
            ol.history {
                @for command in &commands[earlier..] {
                    li {
                        code { (command.line) } " " span.soft { (command.by.login) ", " (age::at(command.at)) }
                        div { (prose::inline(&result(&command.ending))) }
                    }
                }
            }
        }
    }
}
