//! A commit graph: the part of Git that a forge's API shows.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Git's object name for "nothing".
pub(super) const ZERO: &str = "0000000000000000000000000000000000000000";

/// Files by path.
pub(super) type Tree = BTreeMap<String, String>;

/// A commit. Parents always exist before their children.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    pub(super) sha: String,
    pub(super) tree_sha: String,
    pub(super) parents: Vec<String>,
    pub(super) message: String,
    pub(super) author: String,
    pub(super) at: Timestamp,
    /// Files that it adds or changes (`true`), or removes (`false`).
    pub(super) touched: BTreeMap<String, bool>,
    pub(super) tree: Arc<Tree>,
    /// Its position in the order of creation, which is a topological order.
    pub(super) order: usize,
}

/// A commit to create.
#[derive(Debug, Clone, Default)]
pub struct NewCommit {
    /// The full message.
    pub message: String,
    /// Files to write (`Some`) or remove (`None`).
    pub files: Vec<(String, Option<String>)>,
}

impl From<&str> for NewCommit {
    fn from(message: &str) -> Self {
        Self { message: message.to_owned(), files: Vec::new() }
    }
}

impl From<String> for NewCommit {
    fn from(message: String) -> Self {
        Self { message, files: Vec::new() }
    }
}

/// Comparison of two commits.
pub(super) struct Comparison {
    pub(super) merge_base: String,
    /// Commits of the head that the base lacks, oldest first.
    pub(super) ahead: Vec<String>,
    pub(super) behind: usize,
}

/// Commits, branches and tags of a repository and its forks. A fork's branch is called
/// `owner:branch`, as in the API; no Git branch can have such a name.
#[derive(Debug, Default)]
pub(super) struct Git {
    commits: HashMap<String, Commit>,
    pub(super) branches: BTreeMap<String, String>,
    /// The commit of each tag, also of an annotated one.
    pub(super) tags: BTreeMap<String, String>,
    /// Objects of annotated tags, by the tag's name.
    pub(super) annotated: BTreeMap<String, TagObject>,
}

/// The object of an annotated tag.
#[derive(Debug, Clone)]
pub(super) struct TagObject {
    pub(super) sha: String,
    pub(super) commit: String,
    pub(super) tagger: String,
    pub(super) at: Timestamp,
    /// Whether the forge could verify its signature.
    pub(super) verified: bool,
}

impl Git {
    /// Creates a commit on top of `parents`.
    pub(super) fn commit(&mut self, parents: Vec<String>, new: &NewCommit, author: &str, at: Timestamp) -> String {
        let order = self.commits.len();
        let mut tree = parents.first().and_then(|p| self.commits.get(p)).map(|c| c.tree.clone()).unwrap_or_default();
        let mut touched = BTreeMap::new();
        for (path, content) in &new.files {
            touched.insert(path.clone(), content.is_some());
            match content {
                Some(text) => Arc::make_mut(&mut tree).insert(path.clone(), text.clone()),
                None => Arc::make_mut(&mut tree).remove(path),
            };
        }
        let tree_sha = hash(&[&format!("tree {tree:?}")]);
        let sha = hash(&["commit", &order.to_string(), &parents.join(" "), &new.message, author, &at.to_string()]);
        let commit = Commit {
            sha: sha.clone(),
            tree_sha,
            parents,
            message: new.message.clone(),
            author: author.to_owned(),
            at,
            touched,
            tree,
            order,
        };
        self.commits.insert(sha.clone(), commit);
        sha
    }

    /// Returns the commit with this full name.
    pub(super) fn get(&self, sha: &str) -> Option<&Commit> {
        self.commits.get(sha)
    }

    /// Resolves a branch, a tag, a `heads/…`, `tags/…` or `refs/…` path, or a commit's name (at
    /// least seven digits of it) to a commit.
    pub(super) fn resolve(&self, name: &str) -> Option<String> {
        let name = name.strip_prefix("refs/").unwrap_or(name);
        if let Some(branch) = name.strip_prefix("heads/").and_then(|n| self.branches.get(n)) {
            return Some(branch.clone());
        }
        if let Some(tag) = name.strip_prefix("tags/").and_then(|n| self.tags.get(n)) {
            return Some(tag.clone());
        }
        if let Some(sha) = self.branches.get(name).or_else(|| self.tags.get(name)) {
            return Some(sha.clone());
        }
        if self.commits.contains_key(name) {
            return Some(name.to_owned());
        }
        let short = name.len() >= 7 && name.bytes().all(|b| b.is_ascii_hexdigit());
        short.then(|| self.commits.keys().find(|sha| sha.starts_with(name)).cloned()).flatten()
    }

    /// Returns `from` and all its ancestors.
    pub(super) fn ancestors(&self, from: &str) -> HashSet<&str> {
        let mut seen = HashSet::new();
        let mut open: Vec<&Commit> = self.commits.get(from).into_iter().collect();
        while let Some(commit) = open.pop() {
            if seen.insert(commit.sha.as_str()) {
                open.extend(commit.parents.iter().filter_map(|p| self.commits.get(p)));
            }
        }
        seen
    }

    /// Returns whether `old` is `new` or one of its ancestors.
    pub(super) fn contains(&self, new: &str, old: &str) -> bool {
        self.ancestors(new).contains(old)
    }

    /// Returns the commits that `head` has and `base` lacks, oldest first.
    pub(super) fn between(&self, base: Option<&str>, head: &str) -> Vec<String> {
        let known = base.map(|b| self.ancestors(b)).unwrap_or_default();
        let mut new: Vec<&Commit> =
            self.ancestors(head).into_iter().filter(|s| !known.contains(s)).filter_map(|s| self.get(s)).collect();
        new.sort_by_key(|c| c.order);
        new.into_iter().map(|c| c.sha.clone()).collect()
    }

    /// Compares two commits; `None` if they have no common history.
    pub(super) fn compare(&self, base: &str, head: &str) -> Option<Comparison> {
        let (of_base, of_head) = (self.ancestors(base), self.ancestors(head));
        let merge_base = of_base
            .intersection(&of_head)
            .filter_map(|s| self.get(s))
            .max_by_key(|c| c.order)
            .map(|c| c.sha.clone())?;
        let behind = of_base.difference(&of_head).count();
        Some(Comparison { merge_base, ahead: self.between(Some(base), head), behind })
    }

    /// Returns the files changed by the commits of `head` that `base` lacks.
    pub(super) fn changes(&self, base: &str, head: &str) -> Vec<(String, Option<String>)> {
        let mut paths = BTreeMap::new();
        for commit in self.between(Some(base), head).iter().filter_map(|s| self.get(s)) {
            for path in commit.touched.keys() {
                paths.insert(path.clone(), self.get(head).and_then(|c| c.tree.get(path)).cloned());
            }
        }
        paths.into_iter().collect()
    }

    /// Returns all commits reachable from `head`, newest first.
    pub(super) fn log(&self, head: &str) -> Vec<String> {
        let mut all = self.between(None, head);
        all.reverse();
        all
    }

    /// Returns the names of the repository's own branches whose head is `sha`.
    pub(super) fn branches_at<'a>(&'a self, sha: &'a str) -> impl Iterator<Item = &'a str> {
        self.branches.iter().filter(move |(n, s)| !n.contains(':') && *s == sha).map(|(n, _)| n.as_str())
    }
}

/// Returns forty hex digits, like a Git object name.
pub(super) fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let mut text = hex::encode(hasher.finalize());
    text.truncate(40);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_diverged_history() {
        let mut git = Git::default();
        let at = Timestamp::UNIX_EPOCH;
        let root = git.commit(vec![], &"root".into(), "a", at);
        let left = git.commit(vec![root.clone()], &"left".into(), "a", at);
        let right = git.commit(vec![root.clone()], &"right".into(), "a", at);
        let merge = git.commit(vec![left.clone(), right.clone()], &"merge".into(), "a", at);
        let tip = git.commit(vec![right.clone()], &"tip".into(), "a", at);
        let found = git.compare(&merge, &tip).unwrap();
        assert_eq!((found.merge_base, found.ahead, found.behind), (right, vec![tip.clone()], 2));
        assert!(git.contains(&merge, &root));
        assert_eq!(git.resolve(&tip[..7]), Some(tip));
    }
}
