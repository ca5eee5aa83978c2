//! `/about`: what the pages show, and where it comes from.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::html;

use crate::web::{Web, answer::Failure, edition::Asked, page::Page, read::Visit};

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
