//! Releases and deployments.

use serde_json::{Value, json};

use super::super::{
    SimError,
    model::{Deployment, DeploymentStatus, Release},
    shape,
    state::State,
};

/// A release to create.
#[derive(Debug, Clone, Default)]
pub struct NewRelease {
    /// Its tag, created on publication if it is missing.
    pub tag: String,
    /// Branch or commit to tag; empty for the default branch.
    pub target: String,
    /// Name.
    pub name: Option<String>,
    /// Notes.
    pub body: Option<String>,
    /// Whether it is not published yet.
    pub draft: bool,
    /// Whether it is a pre-release, not meant for production.
    pub prerelease: bool,
}

/// A deployment to create.
#[derive(Debug, Clone, Default)]
pub struct NewDeployment {
    /// Branch, tag or commit.
    pub reference: String,
    /// Environment.
    pub environment: String,
    /// The forge's production flag; `None` applies GitHub's rule: only `production` is.
    pub production: Option<bool>,
    /// Whether its environment is transient.
    pub transient: bool,
    /// Its task; empty for `deploy`.
    pub task: String,
    /// Description.
    pub description: Option<String>,
    /// Additional data.
    pub payload: Option<Value>,
}

impl State {
    /// Creates a release; returns its id.
    pub(crate) fn create_release(&mut self, repo: u64, by: &str, new: &NewRelease) -> Result<u64, SimError> {
        self.user(by, "User");
        let (id, now) = (self.id(), self.now());
        let place = self.repo_mut(repo)?;
        let target = if new.target.is_empty() { place.default_branch.clone() } else { new.target.clone() };
        let release = Release {
            id,
            tag: new.tag.clone(),
            target,
            name: new.name.clone(),
            body: new.body.clone(),
            draft: true,
            prerelease: new.prerelease,
            author: by.to_owned(),
            created_at: now,
            published_at: None,
        };
        place.releases.insert(id, release);
        if new.draft {
            self.emit_release(repo, id, "created", by);
        } else {
            self.publish(repo, id, by, true)?;
        }
        Ok(id)
    }

    /// Publishes a draft.
    pub(crate) fn publish_release(&mut self, repo: u64, id: u64, by: &str) -> Result<(), SimError> {
        self.publish(repo, id, by, false)
    }

    fn publish(&mut self, repo: u64, id: u64, by: &str, at_once: bool) -> Result<(), SimError> {
        let now = self.now();
        let release = self.release(repo, id)?.clone();
        if !release.draft {
            return Ok(());
        }
        if !self.repo(repo)?.git.tags.contains_key(&release.tag) {
            self.set_tag(repo, by, &release.tag, &release.target)?;
        }
        if let Some(release) = self.repo_mut(repo)?.releases.get_mut(&id) {
            release.draft = false;
            release.published_at = Some(now);
        }
        if at_once {
            self.emit_release(repo, id, "created", by);
        }
        self.emit_release(repo, id, "published", by);
        self.emit_release(repo, id, if release.prerelease { "prereleased" } else { "released" }, by);
        Ok(())
    }

    /// Deletes a release, but keeps its tag.
    pub(crate) fn delete_release(&mut self, repo: u64, id: u64, by: &str) -> Result<(), SimError> {
        self.release(repo, id)?;
        self.emit_release(repo, id, "deleted", by);
        self.repo_mut(repo)?.releases.remove(&id);
        Ok(())
    }

    /// Returns a release.
    pub(crate) fn release(&self, repo: u64, id: u64) -> Result<&Release, SimError> {
        self.repo(repo)?.releases.get(&id).ok_or_else(|| SimError::NoSuch(format!("release {id}")))
    }

    fn emit_release(&mut self, repo: u64, id: u64, action: &str, by: &str) {
        let Ok(place) = self.repo(repo) else { return };
        let Some(release) = place.releases.get(&id) else { return };
        let own = json!({ "release": shape::release(self, place, release) });
        self.emit(repo, "release", Some(action), by, own);
    }

    /// Creates a deployment and starts the workflows that it triggers; returns its id.
    pub(crate) fn create_deployment(&mut self, repo: u64, by: &str, new: &NewDeployment) -> Result<u64, SimError> {
        let id = self.note_deployment(repo, by, new)?;
        let place = self.repo(repo)?;
        let shown = shape::deployment(self, place, self.deployment(repo, id)?);
        let own = json!({ "deployment": shown, "workflow": null, "workflow_run": null });
        self.emit(repo, "deployment", Some("created"), by, own);
        self.deployment_starts(repo, id)?;
        Ok(id)
    }

    /// Creates a deployment without its webhook; returns its id.
    pub(super) fn note_deployment(&mut self, repo: u64, by: &str, new: &NewDeployment) -> Result<u64, SimError> {
        let sha = self.resolve(repo, &new.reference)?;
        self.user(by, "User");
        let (id, now) = (self.id(), self.now());
        let deployment = Deployment {
            id,
            sha,
            reference: new.reference.clone(),
            environment: new.environment.clone(),
            task: if new.task.is_empty() { "deploy".to_owned() } else { new.task.clone() },
            payload: new.payload.clone().unwrap_or_else(|| json!({})),
            description: new.description.clone(),
            production: new.production.unwrap_or(new.environment == "production"),
            transient: new.transient,
            creator: by.to_owned(),
            created_at: now,
            statuses: Vec::new(),
        };
        self.repo_mut(repo)?.deployments.insert(id, deployment);
        Ok(id)
    }

    /// Returns a deployment.
    pub(crate) fn deployment(&self, repo: u64, id: u64) -> Result<&Deployment, SimError> {
        self.repo(repo)?.deployments.get(&id).ok_or_else(|| SimError::NoSuch(format!("deployment {id}")))
    }

    /// Sets a deployment's status; returns its id. With `auto_inactive`, a success makes the
    /// earlier successful deployments of the environment inactive.
    pub(crate) fn set_deployment_status(
        &mut self,
        repo: u64,
        id: u64,
        by: &str,
        status: &DeploymentStatus,
        auto_inactive: bool,
    ) -> Result<u64, SimError> {
        let environment = self.deployment(repo, id)?.environment.clone();
        let success = status.state == "success";
        let made = self.note_deployment_status(repo, id, by, status)?;
        if success && auto_inactive {
            let older: Vec<u64> = self
                .repo(repo)?
                .deployments
                .values()
                .filter(|d| d.id != id && d.environment == environment && !d.production && !d.transient)
                .filter(|d| d.statuses.last().is_some_and(|s| s.state == "success"))
                .map(|d| d.id)
                .collect();
            for old in older {
                let status = self.new_deployment_status("inactive", by);
                self.note_deployment_status(repo, old, by, &status)?;
            }
        }
        Ok(made)
    }

    /// Returns a new status with only its state set.
    pub(crate) fn new_deployment_status(&mut self, state: &str, by: &str) -> DeploymentStatus {
        DeploymentStatus {
            id: self.id(),
            state: state.to_owned(),
            description: String::new(),
            log_url: String::new(),
            environment_url: String::new(),
            creator: by.to_owned(),
            at: self.now(),
        }
    }

    fn note_deployment_status(
        &mut self,
        repo: u64,
        id: u64,
        by: &str,
        status: &DeploymentStatus,
    ) -> Result<u64, SimError> {
        self.user(by, "User");
        let made = status.id;
        if let Some(deployment) = self.repo_mut(repo)?.deployments.get_mut(&id) {
            deployment.statuses.push(status.clone());
        }
        let place = self.repo(repo)?;
        let deployment = self.deployment(repo, id)?;
        let own = json!({
            "deployment_status": shape::deployment_status(self, place, deployment, status),
            "deployment": shape::deployment(self, place, deployment),
            "check_run": null,
            "workflow": null,
            "workflow_run": null,
        });
        self.emit(repo, "deployment_status", Some("created"), by, own);
        Ok(made)
    }

    /// Makes a job of a workflow run wait for the App's protection rule.
    pub(crate) fn request_protection(
        &mut self,
        repo: u64,
        run: u64,
        environment: &str,
        by: &str,
    ) -> Result<(), SimError> {
        let found = self.repo(repo)?.runs.get(&run).cloned();
        let waiting = found.ok_or_else(|| SimError::NoSuch(format!("workflow run {run}")))?;
        let new = NewDeployment {
            reference: waiting.sha.clone(),
            environment: environment.to_owned(),
            ..NewDeployment::default()
        };
        let id = self.create_deployment(repo, by, &new)?;
        self.ask_protection(repo, run, environment, id)
    }

    /// Makes a job's deployment wait for the App's protection rule.
    pub(super) fn ask_protection(&mut self, repo: u64, run: u64, environment: &str, id: u64) -> Result<(), SimError> {
        let found = self.repo(repo)?.runs.get(&run).cloned();
        let waiting = found.ok_or_else(|| SimError::NoSuch(format!("workflow run {run}")))?;
        let by = waiting.actor.clone();
        let place = self.repo(repo)?;
        let own = json!({
            "environment": environment,
            "event": waiting.trigger,
            "sha": waiting.sha,
            "ref": format!("refs/heads/{}", waiting.branch),
            "deployment_callback_url":
                format!("{}/repos/{}/actions/runs/{run}/deployment_protection_rule", self.api, place.full_name()),
            "deployment": shape::deployment(self, place, self.deployment(repo, id)?),
            "pull_requests": [],
        });
        self.emit(repo, "deployment_protection_rule", Some("requested"), &by, own);
        Ok(())
    }
}
