//! Schema changes of a deploy: they are pinned like its commit.

use crate::{
    deploy::change,
    domain::{fact::RepoFacts, schema::SchemaPin},
    gate::{schema_changes, subject},
    plan::{DecisionContext, PartialPlan},
};

/// Pins the schema changes that belong to a waiting request, each with the content that it has once
/// the database has compared it. Another content later is not what was asked for.
pub(super) fn pin(facts: &mut RepoFacts, id: &str, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let Some(request) = facts.requests.get(id) else { return };
    let Some(subject) = subject::of_request(facts, terms.policy, id, request) else { return };
    let is_known = |pin: &SchemaPin| {
        request.schema.iter().any(|known| known.connection == pin.connection && known.number == pin.number)
    };
    let mut new = schema_changes::contents(facts, terms.policy, &subject, terms.now);
    new.retain(|pin| !is_known(pin));
    if !new.is_empty() {
        change(facts, id, out, |request| request.schema.extend(new));
    }
}
