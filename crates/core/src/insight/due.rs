//! Deployments that are to be derived again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// Runs before the first one of interest that are read, to find what a rollback returned to.
pub(crate) const CONTEXT: usize = 50;

/// Deployments to one environment that are to be derived again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Due {
    /// All since this time.
    open: Option<Timestamp>,
    /// Those that succeeded at these times.
    pub(crate) at: BTreeSet<Timestamp>,
    /// Those that succeeded between these times, inclusive.
    between: Vec<(Timestamp, Timestamp)>,
}

impl Due {
    /// Returns the time of the first deployment that is due, or earlier.
    pub(crate) fn earliest(&self) -> Timestamp {
        let first = self.at.first().copied();
        let between = self.between.iter().map(|(from, _)| *from).min();
        [first, self.open, between].into_iter().flatten().min().unwrap_or(Timestamp::MAX)
    }

    /// Returns the time of the last deployment that is due; `None`: there is no end.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        let between = self.between.iter().map(|(_, to)| *to).max();
        if self.open.is_some() { None } else { self.at.last().copied().max(between) }
    }

    /// Returns whether a deployment that succeeded at this time is due.
    pub(crate) fn covers(&self, at: Timestamp) -> bool {
        self.open.is_some_and(|open| at >= open)
            || self.at.contains(&at)
            || self.between.iter().any(|(from, to)| (*from..=*to).contains(&at))
    }
}

/// Deployments that are to be derived again, by the environment's lower-case name.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllDue {
    by_environment: BTreeMap<String, Due>,
}

impl AllDue {
    fn of(&mut self, environment: &str) -> &mut Due {
        self.by_environment.entry(environment.to_owned()).or_default()
    }

    /// Adds all deployments since a time.
    pub(crate) fn since(&mut self, environment: &str, at: Timestamp) {
        let due = self.of(environment);
        due.open = Some(due.open.map_or(at, |open| open.min(at)));
    }

    /// Adds the deployment that succeeded at a time.
    pub(crate) fn at(&mut self, environment: &str, at: Timestamp) {
        self.of(environment).at.insert(at);
    }

    /// Adds the deployments that succeeded between two times, inclusive.
    pub(crate) fn between(&mut self, environment: &str, from: Timestamp, to: Timestamp) {
        self.of(environment).between.push((from, to));
    }

    /// Returns what is due in an environment.
    pub(crate) fn take(&self, environment: &str) -> Option<Due> {
        self.by_environment.get(environment).cloned()
    }
}
