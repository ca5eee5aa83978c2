//! Ingests verdicts of other systems on commits.

use crate::{
    domain::{
        event::VerdictSeen,
        fact::{DocumentKey, verdict::VerdictFact},
        rule::name_key,
    },
    ingest::event::Notes,
};

impl Notes<'_> {
    /// Records a verdict. Commits may arrive later than their verdicts.
    pub(super) fn verdict(&mut self, seen: &VerdictSeen) {
        let verdict = VerdictFact {
            at: seen.at,
            state: seen.state,
            connection: seen.connection.clone(),
            name: seen.name.clone(),
            environment: seen.environment.as_deref().map(name_key),
            valid_until: seen.valid_until,
            reason: seen.reason.clone(),
            url: seen.url.clone(),
        };
        if self.facts.verdicts.entry(seen.commit.clone()).or_default().add(verdict) {
            self.changed.insert(DocumentKey::Verdicts(seen.commit.clone()));
        }
    }
}
