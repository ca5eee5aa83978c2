//! Monitoring connections as the shell knows them.

use crate::domain::alert::AlertRules;

/// All monitoring connections.
#[derive(Clone, Default)]
pub struct Alerts {
    /// What decisions depend on.
    pub(crate) rules: AlertRules,
}
