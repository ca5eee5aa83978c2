//! Check runs, commit statuses, workflow runs.

use serde_json::{Value, json};

use super::super::{
    SimError,
    model::{CheckRun, Status, WorkflowRun},
    shape,
    state::State,
};

/// Fields of a check run to set.
#[derive(Debug, Clone, Default)]
pub(crate) struct CheckChange {
    pub(crate) status: Option<String>,
    pub(crate) conclusion: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) details_url: Option<String>,
    pub(crate) output: Option<Value>,
}

/// A commit status to set.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewStatus {
    pub(crate) context: String,
    pub(crate) state: String,
    pub(crate) description: Option<String>,
    pub(crate) target_url: Option<String>,
}

impl State {
    /// Creates a check run of the App `app` on a commit; returns its id.
    pub(crate) fn create_check(
        &mut self,
        repo: u64,
        app: &str,
        sha: &str,
        name: &str,
        set: &CheckChange,
    ) -> Result<u64, SimError> {
        let sha = self.resolve(repo, sha)?;
        self.user(app, "Organization");
        self.user(&format!("{app}[bot]"), "Bot");
        let suite = self.suite(repo, app, &sha)?;
        let (id, now) = (self.id(), self.now());
        let run = CheckRun {
            id,
            suite,
            app: app.to_owned(),
            sha,
            name: name.to_owned(),
            status: "queued".to_owned(),
            conclusion: None,
            started_at: now,
            completed_at: None,
            external_id: String::new(),
            details_url: None,
            output: Value::Null,
        };
        self.repo_mut(repo)?.checks.insert(id, run);
        let completes = set.status.as_deref() == Some("completed") || set.conclusion.is_some();
        if completes {
            self.emit_check(repo, id, "created");
        }
        self.change_check(repo, id, set)?;
        if !completes {
            self.emit_check(repo, id, "created");
        }
        Ok(id)
    }

    /// Changes a check run. Its suite completes with the last of its runs.
    pub(crate) fn change_check(&mut self, repo: u64, id: u64, set: &CheckChange) -> Result<(), SimError> {
        let now = self.now();
        let found = self.repo_mut(repo)?.checks.get_mut(&id);
        let run = found.ok_or_else(|| SimError::NoSuch(format!("check run {id}")))?;
        let was_done = run.status == "completed";
        if let Some(status) = &set.status {
            run.status.clone_from(status);
        }
        if let Some(conclusion) = &set.conclusion {
            "completed".clone_into(&mut run.status);
            run.conclusion = Some(conclusion.clone());
        }
        if let Some(external) = &set.external_id {
            run.external_id.clone_from(external);
        }
        if set.details_url.is_some() {
            run.details_url.clone_from(&set.details_url);
        }
        if let Some(output) = &set.output {
            run.output = output.clone();
        }
        if run.status == "completed" {
            if !was_done {
                run.completed_at = Some(now);
                self.emit_check(repo, id, "completed");
                self.emit_suite(repo, id);
            }
        } else {
            run.conclusion = None;
            run.completed_at = None;
        }
        Ok(())
    }

    fn suite(&mut self, repo: u64, app: &str, sha: &str) -> Result<u64, SimError> {
        let key = (app.to_owned(), sha.to_owned());
        if let Some(id) = self.repo(repo)?.suites.get(&key) {
            return Ok(*id);
        }
        let id = self.id();
        self.repo_mut(repo)?.suites.insert(key, id);
        Ok(id)
    }

    /// Requests a re-run of a check run. Only its App receives the webhook.
    pub(crate) fn rerequest(&mut self, repo: u64, id: u64, by: &str) -> Result<(), SimError> {
        let place = self.repo(repo)?;
        let run = place.checks.get(&id).ok_or_else(|| SimError::NoSuch(format!("check run {id}")))?;
        let shown = shape::check_run(self, place, run);
        self.emit(repo, "check_run", Some("rerequested"), by, json!({ "check_run": shown }));
        Ok(())
    }

    /// Requests a re-run of all checks of an App on a commit. Only that App receives the webhook,
    /// once.
    pub(crate) fn rerequest_all(&mut self, repo: u64, app: &str, sha: &str, by: &str) -> Result<(), SimError> {
        let place = self.repo(repo)?;
        let run = place.checks.values().rfind(|run| run.app == app && run.sha == sha);
        let run = run.ok_or_else(|| SimError::NoSuch(format!("check suite of {app} on {sha}")))?;
        let shown = shape::check_suite(self, place, run);
        self.emit(repo, "check_suite", Some("rerequested"), by, json!({ "check_suite": shown }));
        Ok(())
    }

    fn emit_check(&mut self, repo: u64, id: u64, action: &str) {
        let Ok(place) = self.repo(repo) else { return };
        let Some(run) = place.checks.get(&id) else { return };
        let (shown, by) = (shape::check_run(self, place, run), format!("{}[bot]", run.app));
        self.emit(repo, "check_run", Some(action), &by, json!({ "check_run": shown }));
    }

    fn emit_suite(&mut self, repo: u64, check: u64) {
        let Ok(place) = self.repo(repo) else { return };
        let Some(run) = place.checks.get(&check) else { return };
        if place.checks.values().any(|c| c.suite == run.suite && c.status != "completed") {
            return;
        }
        let (shown, by) = (shape::check_suite(self, place, run), format!("{}[bot]", run.app));
        self.emit(repo, "check_suite", Some("completed"), &by, json!({ "check_suite": shown }));
    }

    /// Sets a commit status; returns its id.
    pub(crate) fn set_status(&mut self, repo: u64, by: &str, sha: &str, new: &NewStatus) -> Result<u64, SimError> {
        let sha = self.resolve(repo, sha)?;
        self.user(by, "User");
        let (id, now) = (self.id(), self.now());
        let status = Status {
            id,
            sha: sha.clone(),
            context: new.context.clone(),
            state: new.state.clone(),
            description: new.description.clone(),
            target_url: new.target_url.clone(),
            at: now,
            creator: by.to_owned(),
        };
        self.repo_mut(repo)?.statuses.push(status.clone());
        let place = self.repo(repo)?;
        let url = format!("{}/repos/{}/commits/{sha}", self.api, place.full_name());
        let branches: Vec<Value> = place
            .git
            .branches
            .iter()
            .filter(|(name, tip)| !name.contains(':') && place.git.contains(tip, &sha))
            .take(10)
            .map(|(name, tip)| json!({ "name": name, "commit": { "sha": tip, "url": url }, "protected": false }))
            .collect();
        let own = json!({
            "id": id,
            "sha": sha,
            "name": place.full_name(),
            "avatar_url": format!("{}/avatars/u/1", self.api),
            "target_url": status.target_url,
            "context": status.context,
            "description": status.description,
            "state": status.state,
            "commit": place.git.get(&sha).map(|c| shape::commit(self, place, c)),
            "branches": branches,
            "created_at": shape::time(now),
            "updated_at": shape::time(now),
        });
        self.emit(repo, "status", None, by, own);
        Ok(id)
    }

    /// Starts a run of the workflow at `path`; returns its id.
    #[expect(clippy::too_many_arguments, reason = "what a run is made of")]
    pub(crate) fn start_run(
        &mut self,
        repo: u64,
        by: &str,
        path: &str,
        branch: &str,
        sha: &str,
        trigger: &str,
        inputs: Value,
    ) -> Result<u64, SimError> {
        let suite = self.suite(repo, "github-actions", sha)?;
        self.workflow_id(repo, path)?;
        let (id, now) = (self.id(), self.now());
        let title = self.repo(repo)?.git.get(sha).map(|c| c.message.lines().next().unwrap_or("").to_owned());
        let run = WorkflowRun {
            id,
            suite,
            path: path.to_owned(),
            sha: sha.to_owned(),
            branch: branch.to_owned(),
            trigger: trigger.to_owned(),
            // A workflow whose `run-name` shows our request's id.
            title: match inputs.get("phasebot_request").and_then(Value::as_str) {
                Some(request) => format!("Deploy {request}"),
                None => title.unwrap_or_default(),
            },
            inputs,
            status: "queued".to_owned(),
            conclusion: None,
            begun: false,
            attempt: 1,
            actor: by.to_owned(),
            created_at: now,
            updated_at: now,
        };
        self.repo_mut(repo)?.runs.insert(id, run);
        self.emit_run(repo, id, "requested", by);
        Ok(id)
    }

    /// Re-runs the failed jobs of a run.
    pub(crate) fn rerun(&mut self, repo: u64, id: u64, by: &str) -> Result<(), SimError> {
        let now = self.now();
        let found = self.repo_mut(repo)?.runs.get_mut(&id);
        let run = found.ok_or_else(|| SimError::NoSuch(format!("workflow run {id}")))?;
        "queued".clone_into(&mut run.status);
        run.conclusion = None;
        run.begun = false;
        run.attempt += 1;
        run.updated_at = now;
        self.emit_run(repo, id, "requested", by);
        Ok(())
    }

    /// Advances a workflow run: to `in_progress`, or to `completed` with a conclusion.
    pub(crate) fn change_run(
        &mut self,
        repo: u64,
        id: u64,
        by: &str,
        conclusion: Option<&str>,
    ) -> Result<(), SimError> {
        let now = self.now();
        let found = self.repo_mut(repo)?.runs.get_mut(&id);
        let run = found.ok_or_else(|| SimError::NoSuch(format!("workflow run {id}")))?;
        let status = if conclusion.is_some() { "completed" } else { "in_progress" };
        status.clone_into(&mut run.status);
        run.begun |= conclusion.is_none_or(|conclusion| conclusion != "cancelled");
        run.conclusion = conclusion.map(str::to_owned);
        run.updated_at = now;
        self.emit_run(repo, id, status, by);
        Ok(())
    }

    /// Returns the id of the workflow at `path`, which it registers if necessary.
    pub(crate) fn workflow_id(&mut self, repo: u64, path: &str) -> Result<u64, SimError> {
        let new = self.id();
        Ok(*self.repo_mut(repo)?.workflows.entry(path.to_owned()).or_insert(new))
    }

    fn emit_run(&mut self, repo: u64, id: u64, action: &str, by: &str) {
        let Ok(place) = self.repo(repo) else { return };
        let Some(run) = place.runs.get(&id) else { return };
        let own = json!({
            "workflow_run": shape::workflow_run(self, place, run),
            "workflow": shape::workflow(self, place, &run.path),
        });
        self.emit(repo, "workflow_run", Some(action), by, own);
    }
}
