//! The merge queue.

use serde_json::json;

use super::super::{SimError, git::NewCommit, shape, state::State};

/// GitHub's own account, which merges groups that passed the queue.
const MERGER: &str = "github-merge-queue[bot]";

impl State {
    /// Adds a pull request to the queue: creates the group's commit on its own branch, and requests
    /// checks on it. Returns the commit.
    pub(crate) fn merge_group(&mut self, repo: u64, number: u64) -> Result<String, SimError> {
        self.user(MERGER, "Bot");
        let now = self.now();
        let pull = self.pull(repo, number)?.clone();
        let title = self.item(repo, number)?.title.clone();
        let base = self.resolve(repo, &format!("heads/{}", pull.base))?;
        let git = &mut self.repo_mut(repo)?.git;
        let files = git.changes(&base, &pull.head_sha);
        let message = format!("Merge pull request #{number}\n\n{title}");
        let sha = git.commit(vec![base.clone(), pull.head_sha], &NewCommit { message, files }, MERGER, now);
        let branch = group_branch(&pull.base, number, &base);
        self.move_branch(repo, MERGER, &branch, &sha)?;
        self.emit_group(repo, "checks_requested", &pull.base, &branch, &base, &sha, None);
        Ok(sha)
    }

    /// Merges the group with the commit `sha`.
    pub(crate) fn merge_queued(&mut self, repo: u64, number: u64, sha: &str) -> Result<(), SimError> {
        let base = self.pull(repo, number)?.base.clone();
        let before = self.resolve(repo, &format!("heads/{base}"))?;
        let branch = group_branch(&base, number, &before);
        self.settle_merge(repo, number, MERGER, sha)?;
        self.emit_group(repo, "destroyed", &base, &branch, &before, sha, Some("merged"));
        self.delete_ref(repo, MERGER, "branch", &branch)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the webhook")]
    fn emit_group(
        &mut self,
        repo: u64,
        action: &str,
        base: &str,
        branch: &str,
        before: &str,
        sha: &str,
        reason: Option<&str>,
    ) {
        let Ok(place) = self.repo(repo) else { return };
        let Some(commit) = place.git.get(sha) else { return };
        let mut own = json!({
            "merge_group": {
                "head_sha": sha,
                "head_ref": format!("refs/heads/{branch}"),
                "base_sha": before,
                "base_ref": format!("refs/heads/{base}"),
                "head_commit": shape::simple_commit(commit),
            },
        });
        if let Some(reason) = reason {
            own["reason"] = reason.into();
        }
        self.emit(repo, "merge_group", Some(action), MERGER, own);
    }
}

fn group_branch(base: &str, number: u64, before: &str) -> String {
    format!("gh-readonly-queue/{base}/pr-{number}-{before}")
}
