//! Ingests verdicts of other systems on commits.

use crate::{
    domain::{
        event::VerdictSeen,
        fact::{DocumentKey, verdict::VerdictFact},
        rule::name_key,
    },
    ingest::event::Notes,
};

/// Most commits of a repository whose verdicts are kept. Further ones are not judged, so that their
/// gates stay shut.
const MOST_COMMITS: usize = 10_000;

impl Notes<'_> {
    /// Records a verdict. Commits may arrive later than their verdicts.
    pub(super) fn verdict(&mut self, seen: &VerdictSeen) {
        if self.facts.verdicts.len() >= MOST_COMMITS && !self.facts.verdicts.contains_key(&seen.commit) {
            return;
        }
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        domain::{
            event::VerdictState,
            fact::RepoFacts,
            id::{ForgeName, RepoKey, Sha},
        },
        ingest::forget,
    };

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).unwrap()
    }

    fn sha(n: i64) -> Sha {
        format!("{n:040x}").parse().unwrap()
    }

    #[test]
    fn old_verdicts_go() {
        let mut facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 });
        for day in [1, 9] {
            let verdict = VerdictFact {
                at: at(day),
                state: VerdictState::Pass,
                connection: "lint".to_owned(),
                name: "schema".to_owned(),
                environment: None,
                valid_until: None,
                reason: None,
                url: None,
            };
            facts.verdicts.entry(sha(day)).or_default().add(verdict);
        }
        assert_eq!(forget(&mut facts, at(5)), [DocumentKey::Verdicts(sha(1))].into());
        assert!(facts.verdicts.contains_key(&sha(9)));
    }
}
