//! Check runs, workflow runs and deployments.

use jiff::Timestamp;
use phasebot_core::domain::{
    event::{
        CheckSeen, CheckSource, DeployState, DeployStatus, DeploymentSeen, ExternalDeployment, ExternalState,
        ProtectionSeen, RunOutcome, StatusSeen, VerdictSeen, VerdictState, WorkflowSeen,
    },
    id::Actor,
};

use super::{
    Forge,
    words::{after, has, number_after, outcome, time},
};

impl Forge {
    /// `check ci running on m1` starts a run; a later `check ci success on m1` ends it.
    pub(super) fn check(&mut self, at: Timestamp, w: &[String]) -> Option<CheckSeen> {
        let sha = self.sha(after(w, "on")?);
        let key = format!("{} {sha} {} {}", w[1], after(w, "app").unwrap_or(""), after(w, "suite").unwrap_or(""));
        let how = outcome(&w[2])?;
        let begins = how == RunOutcome::Running || !self.checks.contains_key(&key);
        if begins {
            let fresh = CheckSeen {
                source_name: after(w, "slug").unwrap_or_default().to_owned(),
                id: self.id(),
                sha,
                name: w[1].clone(),
                source: CheckSource(number_after(w, "app").unwrap_or(15368)),
                suite: number_after(w, "suite"),
                started_at: at,
                completed: None,
                ours: has(w, "ours"),
                asked_again: false,
                url: format!("https://ci.example.com/{}", w[1].replace(' ', "-")),
            };
            self.checks.insert(key.clone(), fresh);
        }
        let run = self.checks.get_mut(&key)?;
        if how != RunOutcome::Running {
            run.completed = Some((at, how));
        }
        Some(run.clone())
    }

    /// `deploy 9 production of m1 in_progress [flagged] [run 801] [ref refs/pull/3/merge] [of-repo
    /// fork]`: a deployment status.
    pub(super) fn deploy(&mut self, at: Timestamp, w: &[String]) -> Option<DeploymentSeen> {
        let id: u64 = w[1].parse().ok()?;
        let sha = after(w, "of").map(str::to_owned).map(|name| self.sha(&name));
        let status_id = self.id();
        let deployment = self.deployments.entry(id).or_insert_with(|| DeploymentSeen {
            from_fork: after(w, "of-repo").map(|whose| whose == "fork"),
            id,
            sha: sha.clone().unwrap_or_else(|| panic!("deployment {id} of what?")),
            // `ref refs/pull/3/merge`: a pull request's job created it.
            reference: after(w, "ref").unwrap_or("main").to_owned(),
            environment: w[2].clone(),
            production: Some((w[2].eq_ignore_ascii_case("production") && !has(w, "transient")) || has(w, "flagged")),
            created_at: at,
            creator: after(w, "creator").map(|login| self.accounts.actor(login)),
            run: number_after(w, "run"),
            transient: has(w, "transient"),
            source: None,
            status: None,
        });
        let state = w.iter().find_map(|x| match x.as_str() {
            "waiting" => Some(DeployState::Waiting),
            "in_progress" => Some(DeployState::InProgress),
            "success" => Some(DeployState::Success),
            "failure" => Some(DeployState::Failure),
            "inactive" => Some(DeployState::Inactive),
            _ => None,
        });
        deployment.status = state.map(|state| DeployStatus { at, id: status_id, state });
        Some(deployment.clone())
    }

    /// `external argocd sync-1 production of m1|tag:v1.0.0 success [for 10:00]`: another system than
    /// the forge reports the state of its deployment `sync-1`, as of a time.
    pub(super) fn external(&mut self, at: Timestamp, w: &[String]) -> Option<ExternalDeployment> {
        let commit = after(w, "of").map(str::to_owned).map(|name| match name.strip_prefix("tag:") {
            Some(tag) => tag.to_owned(),
            None => self.sha(&name).to_string(),
        });
        let state = w.iter().find_map(|x| match x.as_str() {
            "in_progress" => Some(ExternalState::InProgress),
            "success" => Some(ExternalState::Success),
            "failure" => Some(ExternalState::Failure),
            "removed" => Some(ExternalState::Removed),
            _ => None,
        });
        Some(ExternalDeployment {
            connection: w[1].clone(),
            key: w[2].clone(),
            commit,
            environment: w[3].clone(),
            state: state?,
            at: after(w, "for").and_then(time).unwrap_or(at),
            mirrored: has(w, "mirrored"),
        })
    }

    /// `verdict lint schema of c1 pass env production valid 12:00 for 08:00`: another system judges
    /// a commit.
    pub(super) fn verdict(&mut self, at: Timestamp, w: &[String]) -> Option<VerdictSeen> {
        let state = VerdictState::ALL.into_iter().find(|(_, name)| w.iter().any(|word| word == name));
        Some(VerdictSeen {
            connection: w[1].clone(),
            name: w[2].clone(),
            commit: self.sha(after(w, "of")?),
            environment: after(w, "env").map(str::to_owned),
            state: state?.0,
            at: after(w, "for").and_then(time).unwrap_or(at),
            reason: after(w, "because").map(str::to_owned),
            url: None,
            valid_until: after(w, "valid").and_then(time),
        })
    }

    /// `actor ada triggering cyd`: the accounts that started a run and that re-ran it.
    fn starters(&mut self, run: u64, w: &[String]) -> Vec<Actor> {
        let named = ["actor", "triggering"].into_iter().filter_map(|key| after(w, key));
        let found: Vec<Actor> = named.map(|login| self.accounts.actor(login)).collect();
        self.starters.entry(run).or_default().extend(found.iter().map(Actor::account));
        found
    }

    /// `status jenkins pending on m1`
    pub(super) fn status(&mut self, at: Timestamp, w: &[String]) -> Option<StatusSeen> {
        let (outcome, sha) = (outcome(&w[2])?, self.sha(after(w, "on")?));
        Some(StatusSeen { id: self.id(), sha, context: w[1].clone(), outcome, at, ours: false, url: String::new() })
    }

    /// `workflow deployment on c1 run 801 [attempt 2] [titled T] [ends failure]`
    pub(super) fn workflow(&mut self, at: Timestamp, w: &[String]) -> Option<WorkflowSeen> {
        let sha = self.sha(after(w, "on")?);
        let id = number_after(w, "run").unwrap_or_else(|| self.id());
        let created_at = *self.workflows.entry(id).or_insert(at);
        Some(WorkflowSeen {
            id,
            sha,
            suite: number_after(w, "suite"),
            trigger: w[1].clone().into(),
            outcome: after(w, "ends").and_then(outcome).unwrap_or(RunOutcome::Running),
            attempt: after(w, "attempt").and_then(|n| n.parse().ok()).unwrap_or(1),
            title: after(w, "titled").unwrap_or_default().to_owned(),
            workflow: after(w, "file").unwrap_or("deploy.yml").to_owned(),
            created_at: Some(created_at),
            url: format!("https://github.com/acme/shop/actions/runs/{id}"),
            started_by: self.starters(id, w),
        })
    }

    /// `protect production run 700 [of c1] [deployment 40] [event push]`: a job waits for our answer.
    pub(super) fn protection(&mut self, w: &[String]) -> ProtectionSeen {
        ProtectionSeen {
            of_pull: after(w, "event").is_some_and(|event| event.starts_with("pull_request")),
            run: number_after(w, "run"),
            environment: w[1].clone(),
            sha: after(w, "of").map(str::to_owned).map(|name| self.sha(&name)),
            deployment: number_after(w, "deployment"),
            creator: None,
        }
    }
}
