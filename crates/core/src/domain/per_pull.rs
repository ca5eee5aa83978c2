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
        pull_in(&self.name, environment)
    }
}

/// Returns the pull request for which a template with [`NUMBER`] makes an environment.
pub fn pull_in(template: &str, environment: &str) -> Option<ItemId> {
    let (before, after) = template.split_once(NUMBER)?;
    let end = environment.len().checked_sub(after.len())?;
    let number = environment.get(before.len()..end)?;
    let pull: ItemId = number.parse().ok()?;
    template.replacen(NUMBER, &pull.to_string(), 1).eq_ignore_ascii_case(environment).then_some(pull)
}

/// Returns whether two templates may make environments of one name.
pub fn may_overlap(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let (Some((before, after)), Some((other_before, other_after))) = (one.split_once(NUMBER), other.split_once(NUMBER))
    else {
        return one == other;
    };
    // What one of them has in addition has to be part of the other's number, at least where they meet.
    let more = |long: &str, short: &str| long.strip_prefix(short).map(|more| more.chars().next());
    let less = |long: &str, short: &str| long.strip_suffix(short).map(|more| more.chars().next_back());
    let meets = |more: Option<Option<char>>| more.is_some_and(|at| at.is_none_or(|at| at.is_ascii_digit()));
    let starts = meets(more(before, other_before)) || meets(more(other_before, before));
    let ends = meets(less(after, other_after)) || meets(less(other_after, after));
    starts && ends
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

    #[test]
    fn two_templates_meet_where_a_number_can_be_part_of_the_other() {
        for (one, other) in
            [("pr-{n}", "PR-{n}"), ("pr-{n}", "pr-1{n}"), ("pr-{n}", "pr-{n}0"), ("pr-{n}-x7", "pr-3-x{n}")]
        {
            assert!(may_overlap(one, other) && may_overlap(other, one), "{one} {other}");
        }
        for (one, other) in [("pr-{n}", "pr-web-{n}"), ("pr-{n}", "pr-{n}-web"), ("a/{n}", "b/{n}")] {
            assert!(!may_overlap(one, other) && !may_overlap(other, one), "{one} {other}");
        }
    }
}
