//! Actions of people and other systems on the forge.

use super::{
    SimError,
    change::{CheckChange, ItemEdit, MergeMethod, NewDeployment, NewPull, NewRelease, NewStatus},
    delivery::Act,
    forge::{SimForge, number_of},
    git::NewCommit,
    state::State,
    workflow::Worker,
};

/// An account that acts on one repository. Its actions need no permission here: the simulation
/// trusts its author.
#[derive(Clone)]
pub struct Person {
    sim: SimForge,
    login: String,
    repo: u64,
}

type Done<T> = Result<Act<T>, SimError>;

impl SimForge {
    /// Returns an account that acts on a repository, which may be renamed meanwhile.
    pub fn person(&self, login: &str, full_name: &str) -> Result<Person, SimError> {
        let mut state = self.shared().state();
        state.user(login, "User");
        Ok(Person { sim: self.clone(), login: login.to_owned(), repo: number_of(&state, full_name)? })
    }
}

impl Person {
    /// Returns another account on the same repository.
    #[must_use]
    pub fn colleague(&self, login: &str) -> Self {
        self.sim.shared().state().user(login, "User");
        Self { login: login.to_owned(), ..self.clone() }
    }

    /// Returns the repository's id.
    pub fn repo(&self) -> u64 {
        self.repo
    }

    fn act<T>(&self, what: impl FnOnce(&mut State, u64, &str) -> Result<T, SimError>) -> Done<T> {
        self.sim.act(|state| what(state, self.repo, &self.login))
    }

    // ── Issues ──

    /// Opens an issue; returns its number.
    pub fn open_issue(&self, title: &str, body: &str, labels: &[&str]) -> Done<u64> {
        let labels: Vec<String> = labels.iter().map(|l| (*l).to_owned()).collect();
        self.act(|state, repo, by| state.open_issue(repo, by, title, body, &labels))
    }

    /// Changes title or body of an issue or pull request.
    pub fn edit(&self, number: u64, title: Option<&str>, body: Option<&str>) -> Done<()> {
        let edit = ItemEdit { title: title.map(str::to_owned), body: body.map(str::to_owned), ..ItemEdit::default() };
        self.act(|state, repo, by| state.edit_item(repo, number, by, &edit))
    }

    /// Closes an issue (`completed`, `not_planned`, `duplicate`) or, unmerged, a pull request.
    pub fn close(&self, number: u64, reason: &str) -> Done<()> {
        self.act(|state, repo, by| state.close_item(repo, number, by, reason))
    }

    /// Reopens a closed issue or pull request.
    pub fn reopen(&self, number: u64) -> Done<()> {
        self.act(|state, repo, by| state.reopen_item(repo, number, by))
    }

    /// Locks or unlocks a conversation.
    pub fn lock(&self, number: u64, locked: bool) -> Done<()> {
        self.act(|state, repo, by| state.lock_item(repo, number, by, locked))
    }

    /// Deletes an issue.
    pub fn delete_issue(&self, number: u64) -> Done<()> {
        self.act(|state, repo, by| state.delete_issue(repo, number, by))
    }

    /// Adds a label to an item; creates it if it is missing.
    pub fn label(&self, number: u64, name: &str) -> Done<()> {
        self.act(|state, repo, by| state.add_labels(repo, number, by, &[name.to_owned()]))
    }

    /// Removes a label from an item.
    pub fn unlabel(&self, number: u64, name: &str) -> Done<()> {
        self.act(|state, repo, by| state.remove_label(repo, number, by, name))
    }

    /// Deletes a label of the repository.
    pub fn delete_label(&self, name: &str) -> Done<()> {
        self.act(|state, repo, by| state.delete_label(repo, by, name))
    }

    /// Comments; returns the comment's id.
    pub fn comment(&self, number: u64, body: &str) -> Done<u64> {
        self.act(|state, repo, by| state.comment(repo, number, by, body))
    }

    /// Comments through an App that acts in this account's name; returns the comment's id.
    pub fn comment_via(&self, number: u64, body: &str, app: &str) -> Done<u64> {
        self.act(|state, repo, by| state.comment_via(repo, number, by, body, Some(app)))
    }

    /// Renames the account; returns it under its new login. The old login becomes free: an account
    /// that takes it (`colleague`) is a different one.
    #[must_use]
    pub fn rename(&self, to: &str) -> Self {
        self.sim.shared().state().rename(&self.login, to);
        Self { login: to.to_owned(), ..self.clone() }
    }

    /// Changes a comment.
    pub fn edit_comment(&self, id: u64, body: &str) -> Done<()> {
        self.act(|state, repo, by| state.edit_comment(repo, id, by, body))
    }

    /// Links a branch to an issue by hand. GitHub sends nothing for it.
    pub fn link_branch(&self, issue: u64, branch: &str) -> Done<()> {
        self.act(|state, repo, _| state.link_branch(repo, issue, branch))
    }

    // ── Code ──

    /// Creates a branch at a branch, tag or commit; returns the commit.
    pub fn create_branch(&self, name: &str, from: &str) -> Done<String> {
        self.act(|state, repo, by| state.create_branch(repo, by, name, from))
    }

    /// Deletes a branch.
    pub fn delete_branch(&self, name: &str) -> Done<()> {
        self.act(|state, repo, by| state.delete_ref(repo, by, "branch", name))
    }

    /// Pushes commits to a branch, or to a fork's `owner:branch`; creates it if it is missing.
    /// Returns the commits' names.
    pub fn push(&self, branch: &str, commits: &[NewCommit]) -> Done<Vec<String>> {
        self.act(|state, repo, by| state.push(repo, by, branch, commits))
    }

    /// Points a branch at an existing commit, by force if necessary.
    pub fn reset_branch(&self, branch: &str, to: &str) -> Done<()> {
        self.act(|state, repo, by| {
            let sha = state.resolve(repo, to)?;
            state.move_branch(repo, by, branch, &sha)
        })
    }

    /// Creates a tag, or moves it by force; returns the commit.
    pub fn tag(&self, name: &str, at: &str) -> Done<String> {
        self.act(|state, repo, by| state.set_tag(repo, by, name, at))
    }

    /// Creates an annotated tag, whose signature GitHub can verify if `verified`; returns its
    /// commit.
    pub fn annotated_tag(&self, name: &str, at: &str, verified: bool) -> Done<String> {
        self.act(|state, repo, by| state.annotate(repo, by, name, at, verified))
    }

    /// Deletes a tag.
    pub fn delete_tag(&self, name: &str) -> Done<()> {
        self.act(|state, repo, by| state.delete_ref(repo, by, "tag", name))
    }

    // ── Pull requests ──

    /// Opens a pull request; returns its number.
    pub fn open_pull(&self, new: &NewPull) -> Done<u64> {
        self.act(|state, repo, by| state.open_pull(repo, by, new))
    }

    /// Marks a draft as ready, or a pull request as a draft.
    pub fn set_draft(&self, number: u64, draft: bool) -> Done<()> {
        self.act(|state, repo, by| state.set_draft(repo, number, by, draft))
    }

    /// Changes a pull request's target branch.
    pub fn retarget(&self, number: u64, base: &str) -> Done<()> {
        self.act(|state, repo, by| state.retarget(repo, number, by, base))
    }

    /// Links an issue to a pull request by hand. GitHub sends nothing for it.
    pub fn link_issue(&self, pull: u64, issue: u64) -> Done<()> {
        self.act(|state, repo, _| state.link_issue(repo, pull, issue))
    }

    /// Approves a pull request; returns the review's id.
    pub fn approve(&self, number: u64) -> Done<u64> {
        self.review(number, "approved", "")
    }

    /// Reviews: `approved`, `changes_requested`, `commented`; returns the review's id.
    pub fn review(&self, number: u64, verdict: &str, body: &str) -> Done<u64> {
        self.act(|state, repo, by| state.review(repo, number, by, verdict, body))
    }

    /// Merges a pull request; returns the commit on the base branch.
    pub fn merge_pull(&self, number: u64, method: MergeMethod) -> Done<String> {
        self.act(|state, repo, by| state.merge_pull(repo, number, by, method))
    }

    /// Makes a stack of pull requests, bottom first.
    pub fn stack(&self, pulls: &[u64]) -> Done<()> {
        self.act(|state, repo, by| state.stack(repo, by, pulls))
    }

    /// Merges a stack up to and with a pull request; returns the commits on the stack's base.
    pub fn merge_stack(&self, top: u64) -> Done<Vec<String>> {
        self.act(|state, repo, by| state.merge_stack(repo, by, top))
    }

    /// Adds a pull request to the merge queue; returns the commit of its group.
    pub fn merge_group(&self, number: u64) -> Done<String> {
        self.act(|state, repo, _| state.merge_group(repo, number))
    }

    /// Merges a group of the merge queue.
    pub fn merge_queued(&self, number: u64, sha: &str) -> Done<()> {
        self.act(|state, repo, _| state.merge_queued(repo, number, sha))
    }

    // ── Builds: here the account's login is the name of the App or system ──

    /// Starts a check run; returns its id.
    pub fn start_check(&self, sha: &str, name: &str) -> Done<u64> {
        let set = CheckChange { status: Some("in_progress".to_owned()), ..CheckChange::default() };
        self.act(|state, repo, by| state.create_check(repo, by, sha, name, &set))
    }

    /// Completes a check run: `success`, `failure`, `neutral`, `cancelled`, `skipped`, `timed_out`,
    /// `action_required`.
    pub fn complete_check(&self, id: u64, conclusion: &str) -> Done<()> {
        let set = CheckChange { conclusion: Some(conclusion.to_owned()), ..CheckChange::default() };
        self.act(|state, repo, _| state.change_check(repo, id, &set))
    }

    /// Requests a re-run of a check run, as the button on its page does.
    pub fn rerequest_check(&self, id: u64) -> Done<()> {
        self.act(|state, repo, by| state.rerequest(repo, id, by))
    }

    /// Requests a re-run of all checks of an App on a commit, as "Re-run all checks" does.
    pub fn rerequest_all_checks(&self, app: &str, sha: &str) -> Done<()> {
        self.act(|state, repo, by| state.rerequest_all(repo, app, sha, by))
    }

    /// Sets a commit status: `pending`, `success`, `failure`, `error`; returns its id.
    pub fn status(&self, sha: &str, context: &str, to: &str) -> Done<u64> {
        let new = NewStatus { context: context.to_owned(), state: to.to_owned(), ..NewStatus::default() };
        self.act(|state, repo, by| state.set_status(repo, by, sha, &new))
    }

    /// Starts a run of the workflow at `path` (`.github/workflows/ci.yml`) on a branch; returns its
    /// id.
    pub fn start_run(&self, path: &str, branch: &str, trigger: &str) -> Done<u64> {
        self.act(|state, repo, by| {
            let sha = state.resolve(repo, branch)?;
            state.start_run(repo, by, path, branch, &sha, trigger, serde_json::json!({}))
        })
    }

    /// Completes a workflow run.
    pub fn complete_run(&self, id: u64, conclusion: &str) -> Done<()> {
        self.act(|state, repo, by| state.change_run(repo, id, by, Some(conclusion)))
    }

    /// Cancels a workflow run; returns false if it had completed.
    pub fn cancel_run(&self, id: u64) -> Done<bool> {
        self.act(|state, repo, by| state.cancel_run(repo, id, by))
    }

    /// Re-runs a workflow run, as its next attempt.
    pub fn rerun(&self, id: u64) -> Done<()> {
        self.act(|state, repo, by| state.rerun(repo, id, by))
    }

    /// Registers a workflow, so that it can be dispatched; returns its id.
    pub fn add_workflow(&self, path: &str) -> Done<u64> {
        self.act(|state, repo, _| state.workflow_id(repo, path))
    }

    /// Registers a workflow whose runs [`Self::work`] advances.
    pub fn add_worker(&self, worker: &Worker) -> Done<u64> {
        self.act(|state, repo, _| {
            let workers = &mut state.repo_mut(repo)?.workers;
            workers.retain(|known| known.path != worker.path);
            workers.push(worker.clone());
            state.workflow_id(repo, &worker.path)
        })
    }

    /// Advances every run of a registered workflow by one step; returns how many advanced.
    pub fn work(&self) -> Done<usize> {
        self.act(|state, repo, _| state.work(repo))
    }

    /// Makes a job of a workflow run wait for the App's protection rule.
    pub fn request_protection(&self, run: u64, environment: &str) -> Done<()> {
        self.act(|state, repo, by| state.request_protection(repo, run, environment, by))
    }

    // ── Releases and deployments ──

    /// Creates a release; returns its id.
    pub fn release(&self, new: &NewRelease) -> Done<u64> {
        self.act(|state, repo, by| state.create_release(repo, by, new))
    }

    /// Publishes a draft release.
    pub fn publish_release(&self, id: u64) -> Done<()> {
        self.act(|state, repo, by| state.publish_release(repo, id, by))
    }

    /// Deletes a release.
    pub fn delete_release(&self, id: u64) -> Done<()> {
        self.act(|state, repo, by| state.delete_release(repo, id, by))
    }

    /// Creates a deployment; returns its id.
    pub fn deployment(&self, new: &NewDeployment) -> Done<u64> {
        self.act(|state, repo, by| state.create_deployment(repo, by, new))
    }

    /// Sets a deployment's status: `queued`, `in_progress`, `success`, `failure`, `error`,
    /// `inactive`; returns its id.
    pub fn deployment_status(&self, id: u64, to: &str) -> Done<u64> {
        self.act(|state, repo, by| {
            let status = state.new_deployment_status(to, by);
            state.set_deployment_status(repo, id, by, &status, true)
        })
    }

    // ── The repository ──

    /// Renames the repository.
    pub fn rename_repo(&self, name: &str) -> Done<()> {
        self.act(|state, repo, by| state.rename_repo(repo, by, name))
    }

    /// Archives the repository, or unarchives it.
    pub fn archive_repo(&self, archived: bool) -> Done<()> {
        self.act(|state, repo, by| state.archive_repo(repo, by, archived))
    }
}
