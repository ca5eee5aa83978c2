//! Issue numbers in branch names.

use crate::domain::id::ItemId;

/// An issue that a branch's name refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedIssue {
    /// The issue.
    pub issue: ItemId,
    /// True if only a bare leading number names it (`12-title`): too common a form to count by
    /// itself.
    pub bare: bool,
}

/// First path segments that are known to hold work on one issue.
const FOLDERS: [&str; 14] = [
    "feature", "feat", "fix", "bugfix", "bug", "hotfix", "chore", "task", "issue", "issues", "story", "docs",
    "refactor", "gh",
];

/// Parses `issue-12…`, `gh-12…`, `feature/12-…` and, as bare, `12-title`.
pub fn named_issue(branch: &str) -> Option<NamedIssue> {
    let (folder, name) = match branch.rsplit_once('/') {
        Some((path, name)) => (path.split('/').next(), name),
        None => (None, branch),
    };
    let lower = name.to_ascii_lowercase();
    for prefix in ["issue-", "issue_", "issue", "gh-", "gh_", "gh"] {
        if let Some(issue) = lower.strip_prefix(prefix).and_then(leading_number) {
            return Some(NamedIssue { issue, bare: false });
        }
    }
    let issue = leading_number(&lower)?;
    let bare = !folder.is_some_and(|f| FOLDERS.contains(&f.to_ascii_lowercase().as_str()));
    Some(NamedIssue { issue, bare })
}

/// Parses a number that ends the text or is followed by `-` or `_`, so that neither `2024.1` nor
/// `3d-view` is taken for an issue.
fn leading_number(text: &str) -> Option<ItemId> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    if digits == 0 || digits > 9 || !(rest.is_empty() || rest.starts_with(['-', '_'])) {
        return None;
    }
    number.parse().ok().filter(|n| *n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_link() {
        for (branch, issue) in [
            ("issue-12", 12),
            ("issue-12-add-login", 12),
            ("gh-7_fix", 7),
            ("feature/12-login", 12),
            ("fix/9", 9),
            ("alice/issue-3-x", 3),
            ("GH-40", 40),
        ] {
            assert_eq!(named_issue(branch), Some(NamedIssue { issue, bare: false }), "{branch}");
        }
    }

    #[test]
    fn a_bare_number_is_marked_as_such() {
        assert_eq!(named_issue("12-title"), Some(NamedIssue { issue: 12, bare: true }));
        assert_eq!(named_issue("renovate/12-x"), Some(NamedIssue { issue: 12, bare: true }));
    }

    #[test]
    fn what_is_no_issue() {
        for branch in [
            "main",
            "release/1.2",
            "v2",
            "3d-view",
            "2024.1",
            "issue-",
            "0-x",
            "99999999999-x",
            "dependabot/npm/left-pad-1.2",
        ] {
            assert_eq!(named_issue(branch), None, "{branch}");
        }
    }
}
