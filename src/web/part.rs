//! Parts that several pages are made of.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::{
    domain::{
        decision::ConditionState,
        id::{ItemId, Sha},
        policy::FILE,
    },
    port::store::RepositoryRow,
    web::{Web, read::Face},
};

/// Returns a commit's digits with a link to it on the forge.
pub(super) fn commit(web: &Web, row: &RepositoryRow, sha: &Sha) -> Markup {
    html! {
        a rel="noreferrer" href=(web.on_forge(row, &format!("/commit/{sha}"))) { code { (sha.short()) } }
    }
}

/// Returns a change, which is written as `#12` or as a commit, with its title and a link to its page.
pub(super) fn change(web: &Web, row: &RepositoryRow, written: &str, faces: &BTreeMap<ItemId, Face>) -> Markup {
    html! {
        @if let Some(item) = pull_of(written) {
            a href={ "/" (row.full_name) "/items/" (item) } {
                span.ref { "#" (item) }
                @if let Some(face) = faces.get(&item) { " " (face.title()) }
            }
        } @else if let Ok(sha) = written.parse() {
            (commit(web, row, &sha))
        } @else {
            (written)
        }
    }
}

/// Returns the number of a change, if it is a pull request: they are written as `#12`.
pub(super) fn pull_of(change: &str) -> Option<ItemId> {
    change.strip_prefix('#')?.parse().ok()
}

/// Returns a rule's place, with a link if it is in the repository's own file.
pub(super) fn rule(web: &Web, row: &RepositoryRow, place: &str) -> Markup {
    let line = place.strip_prefix(FILE).and_then(|rest| rest.strip_prefix(':'));
    let line = line.filter(|line| line.bytes().all(|b| b.is_ascii_digit()));
    html! {
        @match line {
            Some(line) => {
                a rel="noreferrer" href=(web.on_forge(row, &format!("/blob/HEAD/{FILE}#L{line}"))) { code { (place) } }
            }
            None => { code { (place) } }
        }
    }
}

/// Returns a condition's state in a word, marked for eyes that see colour.
pub(super) fn state(state: ConditionState) -> Markup {
    let (class, word) = match state {
        ConditionState::Pass => ("state good", "open"),
        ConditionState::Waived => ("state good", "waived"),
        ConditionState::Pending => ("state wait", "waiting"),
        ConditionState::Fail => ("state bad", "blocked"),
        ConditionState::Error => ("state bad", "unknown"),
    };
    html! { span class=(class) { (word) } }
}
