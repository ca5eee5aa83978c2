//! Section of the status comment: the phase within each service that an item belongs to.

use std::collections::BTreeSet;

use crate::{
    commits::{landing::Work, services::Touched},
    context::EvalContext,
    domain::{derived::Derived, id::ItemId},
    phase,
    text::message::quoted,
};

/// Returns a line for each service.
pub(super) fn rows(eval: &EvalContext<'_>, derived: &Derived) -> Vec<String> {
    if eval.policy.services.is_empty() || !derived.ours {
        return Vec::new();
    }
    let rows = phase::by_service(eval, derived.item).into_iter().map(|(service, phase)| match phase {
        Some((phase, reason)) => format!("- {}: {}, {}", quoted(&service), quoted(&phase), reason.sentence),
        None => format!("- {}: no phase", quoted(&service)),
    });
    rows.chain(unlisted(eval, derived.item)).collect()
}

/// Returns a line for a change that counts for every service because not all of its files are known.
fn unlisted(eval: &EvalContext<'_>, item: ItemId) -> Vec<String> {
    let works: BTreeSet<Work> = match eval.facts.pull(item) {
        Some(_) => [Work::Pull(item)].into(),
        None => eval.works_on(item),
    };
    let landed = works.iter().filter(|work| !eval.landings(work).is_empty());
    let lines = landed.filter_map(|work| {
        let name = match work {
            Work::Pull(pull) => format!("#{pull}"),
            Work::Commit(sha) => sha.code(),
        };
        match eval.touched(work) {
            Touched::Known(_) => None,
            Touched::Cut => Some(format!("- {name} counts for every service: GitHub does not list all of its files")),
            Touched::Unknown => Some(format!("- {name} counts for every service: GitHub has not listed its files")),
        }
    });
    lines.collect()
}
