//! Verdicts of other systems on a commit.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::event::VerdictState;

/// Most verdicts of one connection that are kept of one commit.
const MOST: usize = 100;

/// The verdicts on one commit: of each name, the newest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CommitVerdicts {
    verdicts: Vec<VerdictFact>,
    /// Connections that sent more than are kept: it is not known what they say.
    cut: BTreeSet<String>,
}

/// A verdict. The order of its fields makes the newest of two the greater one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VerdictFact {
    /// Time of the state, by its sender.
    pub at: Timestamp,
    /// State.
    pub state: VerdictState,
    /// The connection that sent it.
    pub connection: String,
    /// Its name among those of its connection.
    pub name: String,
    /// The environment that it is about, lower case; `None`: any.
    pub environment: Option<String>,
    /// Time at which it expires, if its sender names one.
    pub valid_until: Option<Timestamp>,
    /// Explanation for people.
    pub reason: Option<String>,
    /// URL of the details.
    pub url: Option<String>,
}

impl VerdictFact {
    fn is_of(&self, other: &Self) -> bool {
        (&self.connection, &self.name, &self.environment) == (&other.connection, &other.name, &other.environment)
    }
}

impl CommitVerdicts {
    /// Adds a verdict unless a newer one of its name is known. Returns whether anything changed.
    pub fn add(&mut self, verdict: VerdictFact) -> bool {
        let of_connection = self.verdicts.iter().filter(|known| known.connection == verdict.connection).count();
        match self.verdicts.iter_mut().find(|known| known.is_of(&verdict)) {
            Some(known) if *known >= verdict => return false,
            Some(known) => *known = verdict,
            None if of_connection < MOST => self.verdicts.push(verdict),
            None => return self.cut.insert(verdict.connection),
        }
        self.verdicts.sort_unstable();
        true
    }

    /// Returns the verdicts of a connection that count for an environment (lower case), one for each
    /// name: of one for that environment and one for any, a failed one, else the newer. `None` if the
    /// connection sent more verdicts than are kept.
    pub fn of(&self, connection: &str, environment: Option<&str>) -> Option<Vec<&VerdictFact>> {
        if self.cut.contains(connection) {
            return None;
        }
        let mut by_name: BTreeMap<&str, &VerdictFact> = BTreeMap::new();
        let of_connection = self.verdicts.iter().filter(|verdict| verdict.connection == connection);
        for verdict in of_connection
            .filter(|verdict| verdict.environment.is_none() || verdict.environment.as_deref() == environment)
        {
            let counts = |one: &VerdictFact| (one.state == VerdictState::Fail, one.at);
            let known = by_name.entry(&verdict.name).or_insert(verdict);
            if counts(verdict) > counts(known) {
                *known = verdict;
            }
        }
        Some(by_name.into_values().collect())
    }

    /// Returns the time of the newest verdict.
    pub fn newest_at(&self) -> Option<Timestamp> {
        self.verdicts.last().map(|verdict| verdict.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(name: &str, environment: Option<&str>, second: i64, state: VerdictState) -> VerdictFact {
        VerdictFact {
            at: Timestamp::from_second(second).unwrap(),
            state,
            connection: "lint".to_owned(),
            name: name.to_owned(),
            environment: environment.map(str::to_owned),
            valid_until: None,
            reason: None,
            url: None,
        }
    }

    #[test]
    fn neither_order_nor_repetition_matters() {
        let mut all: Vec<VerdictFact> = (0..150)
            .flat_map(|n| {
                [VerdictState::Pass, VerdictState::Fail].map(|state| verdict(&format!("v{}", n % 90), None, n, state))
            })
            .collect();
        let mut forward = CommitVerdicts::default();
        for verdict in &all {
            forward.add(verdict.clone());
        }
        all.reverse();
        let mut backward = CommitVerdicts::default();
        for verdict in all.iter().chain(&all) {
            backward.add(verdict.clone());
        }
        assert_eq!(forward, backward);
        let of_time = |verdict: &&VerdictFact| verdict.state == VerdictState::Fail;
        assert!(forward.of("lint", None).unwrap().iter().all(of_time), "of one time, the worse counts");
    }

    /// Others' verdicts, and more than are kept, never push one out that keeps a gate shut.
    #[test]
    fn no_number_of_verdicts_hides_a_failed_one() {
        let mut verdicts = CommitVerdicts::default();
        verdicts.add(verdict("schema", None, 1, VerdictState::Fail));
        for n in 0..300 {
            let other = VerdictFact { connection: "other".to_owned(), ..verdict("v", None, 2 + n, VerdictState::Pass) };
            verdicts.add(VerdictFact { name: format!("v{n}"), ..other });
        }
        assert_eq!(verdicts.of("lint", None).unwrap()[0].state, VerdictState::Fail);
        assert_eq!(verdicts.of("other", None), None);
        for n in 0..99 {
            verdicts.add(verdict(&format!("v{n}"), None, 400 + n, VerdictState::Pass));
        }
        assert_eq!(verdicts.of("lint", None).unwrap().len(), 100);
        verdicts.add(verdict("one more", None, 900, VerdictState::Pass));
        assert_eq!(verdicts.of("lint", None), None, "what it says is not known any more");
    }

    #[test]
    fn a_failed_verdict_counts_for_the_environment_and_for_any() {
        let of = |verdicts: &[VerdictFact], environment| {
            let mut known = CommitVerdicts::default();
            for verdict in verdicts {
                known.add(verdict.clone());
            }
            known.of("lint", environment).unwrap().iter().map(|verdict| verdict.state).collect::<Vec<_>>()
        };
        let (pass, fail, pending) = (VerdictState::Pass, VerdictState::Fail, VerdictState::Pending);
        let production = Some("production");
        let both = |here, then| [verdict("schema", production, 1, here), verdict("schema", None, 2, then)];
        assert_eq!(of(&both(fail, pass), production), [fail]);
        assert_eq!(of(&both(fail, pass), None), [pass]);
        assert_eq!(of(&both(pass, fail), production), [fail]);
        assert_eq!(of(&both(pass, pending), production), [pending]);
        assert_eq!(of(&[verdict("other", Some("staging"), 3, pass)], production), []);
    }
}
