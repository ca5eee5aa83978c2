//! Section of the status comment: the phase within each service that an item belongs to.

use crate::{context::EvalContext, domain::derived::Derived, phase, text::message::quoted};

/// Returns a line for each service.
pub(super) fn rows(eval: &EvalContext<'_>, derived: &Derived) -> Vec<String> {
    if eval.policy.services.is_empty() || !derived.ours {
        return Vec::new();
    }
    let rows = phase::by_service(eval, derived.item).into_iter().map(|(service, phase)| match phase {
        Some((phase, reason)) => format!("- {}: {}, {}", quoted(&service), quoted(&phase), reason.sentence),
        None => format!("- {}: no phase", quoted(&service)),
    });
    rows.collect()
}
