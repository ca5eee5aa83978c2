//! How an environment is made for each pull request.

use jiff::SignedDuration;

use crate::domain::id::ItemId;

/// The number of the pull request in the name of its environment.
pub const NUMBER: &str = "{n}";

/// How an environment is made for each pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerPullRule {
    /// The name of each, with [`NUMBER`] for the pull request's.
    pub name: String,
    /// Label that makes one; `None`: only `/deploy` does.
    pub label: Option<String>,
    /// The workflow that tears one down.
    pub teardown: String,
    /// Time since the last deployment after which it is torn down.
    pub ttl: Option<SignedDuration>,
    /// Maximum number at one time.
    pub most: usize,
}

impl PerPullRule {
    /// Returns the name of a pull request's environment.
    pub fn name_for(&self, pull: ItemId) -> String {
        self.name.replacen(NUMBER, &pull.to_string(), 1)
    }

    /// Returns the pull request for which an environment is made; names are compared without the case
    /// of ASCII letters.
    pub fn pull_of(&self, environment: &str) -> Option<ItemId> {
        let (before, after) = self.name.split_once(NUMBER)?;
        let end = environment.len().checked_sub(after.len())?;
        let number = environment.get(before.len()..end)?;
        let pull: ItemId = number.parse().ok()?;
        self.name_for(pull).eq_ignore_ascii_case(environment).then_some(pull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_belongs_to_one_pull_request() {
        let rule = |name: &str| PerPullRule {
            name: name.to_owned(),
            label: None,
            teardown: "down.yml".to_owned(),
            ttl: None,
            most: 1,
        };
        let preview = rule("Preview/pr-{n}");
        assert_eq!(preview.name_for(7), "Preview/pr-7");
        assert_eq!(preview.pull_of("preview/pr-7"), Some(7));
        for other in ["preview/pr-", "preview/pr-07", "preview/pr-7x", "preview/pr-+7", "preview", "pr-7", "ä"] {
            assert_eq!(preview.pull_of(other), None, "{other}");
        }
        assert_eq!(rule("pr-{n}-web").pull_of("pr-12-web"), Some(12));
        assert_eq!(rule("pr-{n}-web").pull_of("pr-web"), None);
    }
}
