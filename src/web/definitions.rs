//! `/about/figures`: the definition of every figure, as `docs/metrics.md` has it, from the code itself.

use std::sync::{Arc, LazyLock};

use axum::{extract::State, response::Response};
use maud::{Markup, PreEscaped, html};

use crate::{
    insight::definitions::definitions_markdown,
    web::{Web, edition::Asked, failure::Failure, page::Page, prose, read::Visit},
};

/// Address of the page.
const PATH: &str = "/about/figures";

static TEXT: LazyLock<String> = LazyLock::new(|| prose::document(&definitions_markdown()));

/// Shows the page.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    asked: Asked,
) -> Result<Response, Failure> {
    let edition = web.edition(&visitor, &asked, &[]).await?;
    let main = html! { div.prose.wide { (PreEscaped(TEXT.as_str())) } };
    let page = Page { title: "Definitions of the figures", repository: None, person: visitor.person(), main };
    Ok(edition.page(page.render()))
}

/// Returns the address of a section of the page: its heading in lower case, with hyphens.
pub(super) fn address(section: &str) -> String {
    format!("{PATH}#{section}")
}

/// Returns a link to a section of the page.
pub(super) fn link(section: &str, words: &str) -> Markup {
    html! { a href=(address(section)) { (words) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sections_that_pages_lead_to_exist() {
        for section in [
            "change-lead-time",
            "deployment-frequency",
            "change-fail-rate",
            "failed-deployment-recovery-time",
            "deployment-rework-rate",
            "flow",
            "gate-waits",
            "limits",
        ] {
            assert!(TEXT.contains(&format!("<h2 id=\"{section}\">")), "{section}");
        }
    }
}
