//! The frame of every page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::web::{asset, form};

/// A page.
pub(super) struct Page<'a> {
    /// Title, without the name of the program.
    pub(super) title: &'a str,
    /// The repository that it is about, `owner/name`, and the page's place in its navigation.
    pub(super) repository: Option<(&'a str, Place)>,
    /// The signed-in person; `None` if nobody has to sign in.
    pub(super) person: Option<&'a SignedIn>,
    /// Contents of `<main>`.
    pub(super) main: Markup,
}

/// A person who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedIn {
    /// Login.
    pub(super) login: String,
    /// Token that the form for signing out must contain.
    pub(super) form_token: String,
}

/// Pages of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The loop.
    Loop,
    /// Its environments.
    Environments,
    /// Its gates.
    Gates,
    /// Its delivery metrics.
    Delivery,
    /// Its flow.
    Flow,
    /// A retrospective.
    Retro,
    /// One of its items.
    Item,
    /// What its data are.
    About,
}

impl Place {
    const NAMED: [(Self, &'static str, &'static str); 6] = [
        (Self::Loop, "", "Loop"),
        (Self::Environments, "/env", "Environments"),
        (Self::Gates, "/gates", "Gates"),
        (Self::Delivery, "/dora", "Delivery"),
        (Self::Flow, "/flow", "Flow"),
        (Self::Retro, "/retro", "Retrospective"),
    ];
}

impl Page<'_> {
    /// Returns the whole document.
    pub(super) fn render(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · phasebot" }
                    link rel="icon" type="image/svg+xml" href=(asset::icon());
                    link rel="stylesheet" href=(asset::style());
                    script defer src=(asset::script()) {}
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header.top {
                        a.brand href="/" { (mark()) "phasebot" }
                        @if let Some((name, place)) = self.repository { (navigation(name, place)) }
                        @if let Some(person) = self.person { (who(person)) }
                    }
                    main id="main" tabindex="-1" { (self.main) }
                    footer.foot {
                        a href="/about" { "What these pages show" }
                        @if let Some((name, _)) = self.repository { a href={ "/" (name) "/about" } { "About the data" } }
                        span { "phasebot " (env!("CARGO_PKG_VERSION")) }
                    }
                }
            }
        };
        page.into_string()
    }
}

fn navigation(name: &str, here: Place) -> Markup {
    html! {
        nav aria-label=(name) {
            ul {
                @for (place, path, words) in Place::NAMED {
                    li { a href={ "/" (name) (path) } aria-current=[(place == here).then_some("page")] { (words) } }
                }
            }
        }
    }
}

fn who(person: &SignedIn) -> Markup {
    html! {
        div.who {
            span { (person.login) }
            form method="post" action="/logout" {
                input type="hidden" name="token" value=(form::masked(&person.form_token));
                button { "Sign out" }
            }
        }
    }
}

/// Returns the mark of phasebot.
fn mark() -> Markup {
    PreEscaped(
        r#"<svg viewBox="0 0 64 30" aria-hidden="true" focusable="false"><path d="M32 15C24 4 20 2 15 2a13 13 0 0 0 0 26c5 0 9-2 17-13"/><path d="M32 15c8 11 12 13 17 13a13 13 0 0 0 0-26c-5 0-9 2-17 13"/></svg>"#
            .to_owned(),
    )
}

/// Returns a page that only says something.
pub(super) fn message(title: &str, words: &Markup) -> String {
    let main = html! {
        div.prose {
            h1 { (title) }
            p { (words) }
            p { a href="/" { "All repositories" } }
        }
    };
    Page { title, repository: None, person: None, main }.render()
}
