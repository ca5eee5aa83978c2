//! Verdicts of other systems on a commit.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::event::VerdictState;

/// Most verdicts that are kept of one commit: the newest.
const MOST: usize = 100;

/// The verdicts on one commit: of each name, the newest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CommitVerdicts(Vec<VerdictFact>);

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
        let place = match self.0.iter().position(|known| known.is_of(&verdict)) {
            None if self.0.len() < MOST => self.0.len(),
            // The oldest gives way.
            place => place.unwrap_or(0),
        };
        match self.0.get_mut(place) {
            Some(known) if *known >= verdict => return false,
            Some(known) => *known = verdict,
            None => self.0.push(verdict),
        }
        self.0.sort_unstable();
        true
    }

    /// Returns the verdicts of a connection that count for an environment (lower case), by name.
    /// One for that environment counts before one for any.
    pub fn of<'a>(&'a self, connection: &'a str, environment: Option<&'a str>) -> Vec<&'a VerdictFact> {
        let mut found: Vec<&VerdictFact> = self
            .0
            .iter()
            .filter(|verdict| verdict.connection == connection)
            .filter(|verdict| verdict.environment.is_none() || verdict.environment.as_deref() == environment)
            .collect();
        found.sort_by_key(|verdict| (&verdict.name, verdict.environment.is_none()));
        found.dedup_by_key(|verdict| &verdict.name);
        found
    }

    /// Returns the time of the newest verdict.
    pub fn newest_at(&self) -> Option<Timestamp> {
        self.0.last().map(|verdict| verdict.at)
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
                [VerdictState::Pass, VerdictState::Fail].map(|state| verdict(&format!("v{}", n % 120), None, n, state))
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
        assert_eq!(forward.0.len(), MOST);
        assert!(forward.0.iter().all(|verdict| verdict.state == VerdictState::Fail), "of one time, the worse counts");
    }

    #[test]
    fn a_verdict_for_the_environment_counts_before_one_for_any() {
        let mut verdicts = CommitVerdicts::default();
        verdicts.add(verdict("schema", Some("production"), 1, VerdictState::Fail));
        verdicts.add(verdict("schema", None, 2, VerdictState::Pass));
        verdicts.add(verdict("other", Some("staging"), 3, VerdictState::Pass));
        let of = |environment| verdicts.of("lint", environment).iter().map(|v| v.state).collect::<Vec<_>>();
        assert_eq!(of(Some("production")), [VerdictState::Fail]);
        assert_eq!(of(None), [VerdictState::Pass]);
        assert_eq!(verdicts.of("other", None).len(), 0);
    }
}
