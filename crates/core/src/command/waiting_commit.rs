//! The commit that waits at a gate, of which a command decides.

use crate::{
    command::{messages, run::Invocation},
    domain::{decision::GateName, fact::gate::GateFacts},
    text::headline::Headline,
};

impl Invocation<'_> {
    /// Returns the commit that waits at a gate: the newest of those that waited when the line was
    /// written, or the one that a tag or commit names.
    pub(super) fn waiting(&self, gate: &GateName, reference: Option<&str>) -> Result<&GateFacts, Headline> {
        let at_gate = self.facts.decided_at(gate).filter(|known| known.live);
        let known_then = at_gate.filter(|known| known.since <= self.at);
        let mut meant = known_then.filter(|known| {
            reference.is_none_or(|name| {
                let short = name.len() >= 7 && known.decision.sha.starts_with(name);
                short || known.tags.iter().any(|tag| tag == name)
            })
        });
        meant.next().ok_or_else(|| messages::nothing_waits(&gate.check(), reference))
    }
}
