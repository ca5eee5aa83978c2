//! Simulated workflow runs: started by deployments or by hand, and advanced step by step, so that a
//! test decides how far each gets and how it ends.

use serde_json::{Value, json};

use super::{
    super::{SimError, model::Item, shape, state::State, workflow::Worker},
    ship::NewDeployment,
};

/// The account of GitHub Actions.
const ACTIONS: &str = "github-actions[bot]";

impl State {
    /// Starts the runs that a new deployment triggers.
    pub(crate) fn deployment_starts(&mut self, repo: u64, id: u64) -> Result<(), SimError> {
        let (sha, reference) = self.deployment(repo, id).map(|d| (d.sha.clone(), d.reference.clone()))?;
        let workers = self.repo(repo)?.workers.clone();
        for worker in workers.iter().filter(|worker| worker.on == "deployment" && !worker.dead) {
            self.start_run(repo, ACTIONS, &worker.path, &reference, &sha, "deployment", json!({}))?;
        }
        Ok(())
    }

    /// Advances every run of a registered workflow by one step; returns how many advanced.
    pub(crate) fn work(&mut self, repo: u64) -> Result<usize, SimError> {
        let place = self.repo(repo)?;
        let open = place.runs.values().filter(|run| run.status != "completed");
        let open: Vec<(u64, String)> = open.map(|run| (run.id, run.path.clone())).collect();
        let mut moved = 0;
        for (run, path) in open {
            let worker = self.repo(repo)?.workers.iter().find(|worker| worker.path == path).cloned();
            if let Some(worker) = worker {
                moved += usize::from(self.step(repo, run, &worker)?);
            }
        }
        Ok(moved)
    }

    fn step(&mut self, repo: u64, id: u64, worker: &Worker) -> Result<bool, SimError> {
        let Some(run) = self.repo(repo)?.runs.get(&id).cloned() else { return Ok(false) };
        let job = self.repo(repo)?.jobs.get(&(id, run.attempt)).copied();
        match (run.status.as_str(), job, &worker.environment) {
            ("queued", None, Some(environment)) => {
                let new = NewDeployment {
                    reference: run.sha.clone(),
                    environment: environment.clone(),
                    ..NewDeployment::default()
                };
                let deployment = self.job_deployment(repo, id, &new)?;
                self.repo_mut(repo)?.jobs.insert((id, run.attempt), deployment);
                if worker.protected {
                    self.ask_protection(repo, id, environment, deployment)?;
                } else {
                    self.begin(repo, id, Some(deployment))?;
                }
            }
            ("queued", Some(deployment), Some(environment)) => {
                let answers = &self.repo(repo)?.answers;
                let given =
                    answers.iter().rev().find(|a| a.run == id && a.environment == *environment && a.state.is_some());
                match given.and_then(|answer| answer.state.clone()).as_deref() {
                    Some("approved") => self.begin(repo, id, Some(deployment))?,
                    Some(_) => self.end(repo, id, Some(deployment), "failure")?,
                    None => return Ok(false),
                }
            }
            ("queued", ..) => self.begin(repo, id, None)?,
            ("in_progress", job, _) => match &worker.conclusion {
                Some(conclusion) => self.end(repo, id, job, conclusion)?,
                None => return Ok(false),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn begin(&mut self, repo: u64, run: u64, deployment: Option<u64>) -> Result<(), SimError> {
        self.change_run(repo, run, ACTIONS, None)?;
        self.job_status(repo, deployment, "in_progress")
    }

    fn end(&mut self, repo: u64, run: u64, deployment: Option<u64>, conclusion: &str) -> Result<(), SimError> {
        self.job_status(repo, deployment, if conclusion == "success" { "success" } else { "failure" })?;
        self.change_run(repo, run, ACTIONS, Some(conclusion))
    }

    fn job_status(&mut self, repo: u64, deployment: Option<u64>, to: &str) -> Result<(), SimError> {
        let Some(deployment) = deployment else { return Ok(()) };
        let status = self.new_deployment_status(to, ACTIONS);
        self.set_deployment_status(repo, deployment, ACTIONS, &status, true)?;
        Ok(())
    }

    /// Creates the deployment for a job's `environment:`; its event names the run.
    fn job_deployment(&mut self, repo: u64, run: u64, new: &NewDeployment) -> Result<u64, SimError> {
        let id = self.note_deployment(repo, ACTIONS, new)?;
        self.of_pull(repo, run, id)?;
        let place = self.repo(repo)?;
        let found = place.runs.get(&run).ok_or_else(|| SimError::NoSuch(format!("workflow run {run}")))?;
        let own = json!({
            "deployment": shape::deployment(self, place, self.deployment(repo, id)?),
            "workflow": Value::Null,
            "workflow_run": shape::workflow_run(self, place, found),
        });
        self.emit(repo, "deployment", Some("created"), ACTIONS, own);
        Ok(id)
    }

    /// Sets the ref of a pull request run's deployment to the trial merge.
    fn of_pull(&mut self, repo: u64, run: u64, deployment: u64) -> Result<(), SimError> {
        let place = self.repo(repo)?;
        let Some(found) = place.runs.get(&run).filter(|run| run.trigger == "pull_request") else { return Ok(()) };
        let is_head = |item: &&Item| item.pull.as_ref().is_some_and(|pull| pull.head_sha == found.sha);
        let number = place.items.values().find(is_head).map(|item| item.number);
        let made = self.repo_mut(repo)?.deployments.get_mut(&deployment);
        if let (Some(made), Some(number)) = (made, number) {
            made.reference = format!("refs/pull/{number}/merge");
        }
        Ok(())
    }

    /// Cancels a run; returns `false` if it had already completed.
    pub(crate) fn cancel_run(&mut self, repo: u64, run: u64, by: &str) -> Result<bool, SimError> {
        let found = self.repo(repo)?.runs.get(&run).cloned();
        let found = found.ok_or_else(|| SimError::NoSuch(format!("workflow run {run}")))?;
        if found.status == "completed" {
            return Ok(false);
        }
        let deployment = self.repo(repo)?.jobs.get(&(run, found.attempt)).copied();
        self.job_status(repo, deployment, "failure")?;
        self.change_run(repo, run, by, Some("cancelled"))?;
        Ok(true)
    }
}
