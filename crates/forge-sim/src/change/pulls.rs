//! Pull requests: opening, reviewing, merging.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    super::{
        SimError,
        git::NewCommit,
        model::{Closer, Merged, Pull, Review},
        shape,
        state::State,
    },
    closing_keywords,
};

/// Merge methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeMethod {
    /// Creates a merge commit.
    Merge,
    /// Creates one new commit with all changes.
    Squash,
    /// Creates a new copy of each commit.
    Rebase,
}

/// A pull request to open.
#[derive(Debug, Clone, Default)]
pub struct NewPull {
    /// `branch`, or `owner:branch` of a fork.
    pub head: String,
    /// Target branch; empty for the default branch.
    pub base: String,
    /// Title.
    pub title: String,
    /// Body.
    pub body: String,
    /// Whether it is a draft.
    pub draft: bool,
}

impl State {
    /// Opens a pull request; returns its number.
    pub(crate) fn open_pull(&mut self, repo: u64, by: &str, new: &NewPull) -> Result<u64, SimError> {
        let id = self.id();
        let place = self.repo(repo)?;
        let base = if new.base.is_empty() { place.default_branch.clone() } else { new.base.clone() };
        let missing = |name: &str| SimError::NoSuch(format!("branch {name}"));
        let head_sha = place.git.branches.get(&new.head).cloned().ok_or_else(|| missing(&new.head))?;
        let base_sha = place.git.branches.get(&base).cloned().ok_or_else(|| missing(&base))?;
        let pull = Pull {
            id,
            draft: new.draft,
            head: new.head.clone(),
            head_sha,
            base,
            base_sha,
            merged: None,
            stack: None,
            linked_issues: BTreeSet::new(),
        };
        let number = self.make_item(repo, by, &new.title, &new.body, Some(pull))?;
        self.emit_item(repo, number, "opened", by, Value::Null);
        Ok(number)
    }

    /// Returns a pull request.
    pub(crate) fn pull(&self, repo: u64, number: u64) -> Result<&Pull, SimError> {
        let found = self.item(repo, number)?.pull.as_ref();
        found.ok_or_else(|| SimError::NoSuch(format!("pull request #{number}")))
    }

    /// Returns a pull request, for changes.
    pub(super) fn pull_mut(&mut self, repo: u64, number: u64) -> Result<&mut Pull, SimError> {
        let found = self.item_mut(repo, number)?.pull.as_mut();
        found.ok_or_else(|| SimError::NoSuch(format!("pull request #{number}")))
    }

    /// Marks a draft as ready, or a pull request as a draft.
    pub(crate) fn set_draft(&mut self, repo: u64, number: u64, by: &str, draft: bool) -> Result<(), SimError> {
        self.pull_mut(repo, number)?.draft = draft;
        let action = if draft { "converted_to_draft" } else { "ready_for_review" };
        self.emit_item(repo, number, action, by, Value::Null);
        Ok(())
    }

    /// Changes a pull request's target branch.
    pub(crate) fn retarget(&mut self, repo: u64, number: u64, by: &str, base: &str) -> Result<(), SimError> {
        let sha = self.resolve(repo, &format!("heads/{base}"))?;
        let now = self.now();
        let pull = self.pull_mut(repo, number)?;
        let from = std::mem::replace(&mut pull.base, base.to_owned());
        let from_sha = std::mem::replace(&mut pull.base_sha, sha);
        self.item_mut(repo, number)?.updated_at = now;
        let changes = json!({ "base": { "ref": { "from": from }, "sha": { "from": from_sha } } });
        self.emit_item(repo, number, "edited", by, json!({ "changes": changes }));
        Ok(())
    }

    /// Reviews a pull request: `approved`, `changes_requested`, `commented`.
    pub(crate) fn review(
        &mut self,
        repo: u64,
        number: u64,
        by: &str,
        verdict: &str,
        body: &str,
    ) -> Result<u64, SimError> {
        self.pull(repo, number)?;
        self.user(by, "User");
        let id = self.id();
        let place = self.repo(repo)?;
        let (item, pull) = (self.item(repo, number)?, self.pull(repo, number)?);
        let shown = shape::pull_of_review(self, place, item, pull);
        let review = Review {
            id,
            pull: number,
            by: by.to_owned(),
            verdict: verdict.to_owned(),
            body: body.to_owned(),
            commit: pull.head_sha.clone(),
            at: self.now(),
        };
        let own = json!({ "review": shape::review(self, place, &review), "pull_request": shown });
        self.emit(repo, "pull_request_review", Some("submitted"), by, own);
        self.repo_mut(repo)?.reviews.insert(id, review);
        self.repo_mut(repo)?.review_reactions.insert(id, Vec::new());
        Ok(id)
    }

    /// Merges a pull request: the base moves, the pull request closes, and so do the issues that it
    /// names, if the base is the default branch.
    pub(crate) fn merge_pull(
        &mut self,
        repo: u64,
        number: u64,
        by: &str,
        method: MergeMethod,
    ) -> Result<String, SimError> {
        let now = self.now();
        let item = self.item(repo, number)?;
        if !item.open {
            return Err(SimError::Refused(format!("#{number} is not open")));
        }
        let (title, body) = (item.title.clone(), item.body.clone());
        let pull = self.pull(repo, number)?.clone();
        let base = self.resolve(repo, &format!("heads/{}", pull.base))?;
        let place = self.repo_mut(repo)?;
        let (owner, git) = (place.owner.clone(), &mut place.git);
        let sha = match method {
            MergeMethod::Merge => {
                let from = pull.fork().unwrap_or(&owner);
                let message = format!("Merge pull request #{number} from {from}/{}\n\n{title}", pull.head_ref());
                let files = git.changes(&base, &pull.head_sha);
                git.commit(vec![base.clone(), pull.head_sha.clone()], &NewCommit { message, files }, by, now)
            }
            MergeMethod::Squash => {
                let message = if body.is_empty() {
                    format!("{title} (#{number})")
                } else {
                    format!("{title} (#{number})\n\n{body}")
                };
                let files = git.changes(&base, &pull.head_sha);
                git.commit(vec![base.clone()], &NewCommit { message, files }, by, now)
            }
            MergeMethod::Rebase => {
                let mut tip = base.clone();
                for old in git.between(Some(&base), &pull.head_sha) {
                    let Some(old) = git.get(&old).cloned() else { continue };
                    let files = old.touched.keys().map(|path| (path.clone(), old.tree.get(path).cloned())).collect();
                    tip = git.commit(vec![tip], &NewCommit { message: old.message, files }, &old.author, now);
                }
                tip
            }
        };
        self.settle_merge(repo, number, by, &sha)?;
        Ok(sha)
    }

    /// Closes the pull request and its issues once the merge's commit exists.
    pub(super) fn settle_merge(&mut self, repo: u64, number: u64, by: &str, sha: &str) -> Result<(), SimError> {
        let now = self.now();
        self.user(by, "User");
        let closes = self.closing_issues(repo, number)?;
        let base = self.pull(repo, number)?.base.clone();
        self.pull_mut(repo, number)?.merged = Some(Merged { at: now, by: by.to_owned(), sha: sha.to_owned() });
        self.move_branch(repo, by, &base, sha)?;
        self.close_item(repo, number, by, "")?;
        for issue in closes {
            self.close_for(repo, issue, by, Closer::Pull(number))?;
        }
        Ok(())
    }

    /// Returns the issues that a pull request closes once merged: those in its body with a keyword
    /// or linked by hand, and only if its target is the default branch.
    pub(crate) fn closing_issues(&self, repo: u64, number: u64) -> Result<BTreeSet<u64>, SimError> {
        let pull = self.pull(repo, number)?;
        if pull.base != self.repo(repo)?.default_branch {
            return Ok(BTreeSet::new());
        }
        let mut found = pull.linked_issues.clone();
        found.extend(closing_keywords(&self.item(repo, number)?.body));
        found.retain(|n| self.item(repo, *n).is_ok_and(|i| i.pull.is_none()));
        Ok(found)
    }

    /// Links an issue to a pull request by hand. GitHub sends no webhook for it.
    pub(crate) fn link_issue(&mut self, repo: u64, number: u64, issue: u64) -> Result<(), SimError> {
        self.item(repo, issue)?;
        self.pull_mut(repo, number)?.linked_issues.insert(issue);
        Ok(())
    }

    /// Lists a branch in the issue's "Development" box. GitHub sends no webhook for it.
    pub(crate) fn link_branch(&mut self, repo: u64, issue: u64, branch: &str) -> Result<(), SimError> {
        self.item_mut(repo, issue)?.linked_branches.insert(branch.to_owned());
        Ok(())
    }
}
