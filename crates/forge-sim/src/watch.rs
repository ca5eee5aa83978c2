//! Queries and controls of the simulation for tests and the demo.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    SimError,
    delivery::Delivery,
    exchange::Exchange,
    fault::{Fault, Weather},
    forge::{SimForge, number_of},
    model::{Dispatched, Item, LabelChange, ProtectionAnswer, Repo},
    shape,
};

impl SimForge {
    // ── Deliveries ──

    /// Sends the pending deliveries in order, and those that arise meanwhile. Returns each with the
    /// receiver's status (502 if it could not be reached).
    pub async fn deliver_pending(&self) -> Vec<(Delivery, u16)> {
        self.shared().deliver_pending().await
    }

    /// Takes the pending deliveries without sending them.
    pub fn take_pending(&self) -> Vec<Delivery> {
        self.shared().state().outgoing.drain(..).collect()
    }

    /// Sends one delivery now: again, late, or out of order. Returns the receiver's status.
    pub async fn send(&self, delivery: &Delivery) -> u16 {
        self.shared().send(delivery).await
    }

    /// Records a delivery as failed without sending it, as if the receiver were down.
    pub fn lose(&self, delivery: &Delivery) {
        self.shared().note(delivery, 502);
    }

    /// Somebody else uses up so many of the App's own requests of this hour.
    pub fn spend_as_app(&self, requests: u32) {
        let mut state = self.shared().state();
        let now = state.now();
        state.limits.spend(super::limits::THE_APP, requests, now);
    }

    /// Every delivery that was made so far.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared().state().made.clone()
    }

    // ── Requests and visible state ──

    /// Returns all requests so far, with their answers.
    pub fn requests(&self) -> Vec<Exchange> {
        self.shared().state().exchanges.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared().state().exchanges.clear();
    }

    /// Returns the labels on an item, as people see them; empty if there is no such item.
    pub fn visible_labels(&self, full_name: &str, number: u64) -> BTreeSet<String> {
        self.look(full_name, |repo| {
            let on = repo.items.get(&number).map_or(&[][..], |i| &i.labels);
            on.iter().filter_map(|key| repo.labels.get(key)).map(|l| l.name.clone()).collect()
        })
    }

    /// Returns the check runs on a commit, oldest first, as the API shows them.
    pub fn check_runs(&self, full_name: &str, sha: &str) -> Vec<Value> {
        let shared = self.shared();
        let state = shared.state();
        let Some(repo) = number_of(&state, full_name).ok().and_then(|id| state.repo(id).ok()) else {
            return Vec::new();
        };
        repo.checks.values().filter(|run| run.sha == sha).map(|run| shape::check_run(&state, repo, run)).collect()
    }

    /// Returns all changes of an item's labels, oldest first.
    pub fn label_history(&self, full_name: &str, number: u64) -> Vec<LabelChange> {
        self.look(full_name, |repo| repo.items.get(&number).map(|i| i.history.clone()).unwrap_or_default())
    }

    /// Returns an item's title and body.
    pub fn text(&self, full_name: &str, number: u64) -> (String, String) {
        let of = |item: &Item| (item.title.clone(), item.body.clone());
        self.look(full_name, |repo| repo.items.get(&number).map(of).unwrap_or_default())
    }

    /// Returns the items with titles that begin so, by number: number, title, body, and whether it is
    /// open.
    pub fn titled(&self, full_name: &str, beginning: &str) -> Vec<(u64, String, String, bool)> {
        self.look(full_name, |repo| {
            let found = repo.items.iter().filter(|(_, item)| item.title.starts_with(beginning));
            found.map(|(number, item)| (*number, item.title.clone(), item.body.clone(), item.open)).collect()
        })
    }

    /// Returns an item's comments, oldest first: author and body.
    pub fn comments(&self, full_name: &str, number: u64) -> Vec<(String, String)> {
        self.look(full_name, |repo| {
            let all = repo.comments.values().filter(|c| c.item == number);
            all.map(|c| (c.author.clone(), c.body.clone())).collect()
        })
    }

    /// Returns our reactions to a comment or a review, by its id.
    pub fn reactions(&self, full_name: &str, id: u64) -> BTreeSet<String> {
        self.look(full_name, |repo| {
            let comment = repo.comments.get(&id).map(|c| &c.reactions);
            let found = comment.or_else(|| repo.review_reactions.get(&id));
            found.into_iter().flatten().map(|r| r.content.clone()).collect()
        })
    }

    /// Returns the bodies of an item's minimized comments.
    pub fn folded(&self, full_name: &str, number: u64) -> Vec<String> {
        self.look(full_name, |repo| {
            let all = repo.comments.values().filter(|c| c.item == number && c.minimized);
            all.map(|c| c.body.clone()).collect()
        })
    }

    /// Returns the accounts assigned to an item, and the title of its milestone.
    pub fn assignment(&self, full_name: &str, number: u64) -> (Vec<String>, Option<String>) {
        self.look(full_name, |repo| {
            let item = repo.items.get(&number);
            let milestone = item.and_then(|i| i.milestone).and_then(|n| repo.milestones.get(&n)).cloned();
            (item.map(|i| i.assignees.clone()).unwrap_or_default(), milestone)
        })
    }

    /// Returns the attempt and status of a workflow run.
    pub fn run_state(&self, full_name: &str, id: u64) -> Option<(u64, String)> {
        self.look(full_name, |repo| repo.runs.get(&id).map(|r| (r.attempt, r.status.clone())))
    }

    /// Returns the deployments that the App created, oldest first: environment, commit, newest
    /// status.
    pub fn deployments(&self, full_name: &str) -> Vec<(String, String, String)> {
        let bot = self.shared().state().bot();
        self.look(full_name, |repo| {
            let ours = repo.deployments.values().filter(|d| d.creator == bot);
            ours.map(|d| {
                let status = d.statuses.last().map_or("", |s| s.state.as_str());
                (d.environment.clone(), d.sha.clone(), status.to_owned())
            })
            .collect()
        })
    }

    /// Returns the answers to deployment protection rules, oldest first.
    pub fn protection_answers(&self, full_name: &str) -> Vec<ProtectionAnswer> {
        self.look(full_name, |repo| repo.answers.clone())
    }

    /// Returns the dispatched workflow runs, oldest first.
    pub fn dispatched(&self, full_name: &str) -> Vec<Dispatched> {
        self.look(full_name, |repo| {
            let runs = repo.runs.values().filter(|r| r.trigger == "workflow_dispatch");
            runs.map(|r| Dispatched {
                run: r.id,
                workflow: r.path.clone(),
                reference: r.branch.clone(),
                sha: r.sha.clone(),
                inputs: r.inputs.clone(),
            })
            .collect()
        })
    }

    /// Reads from a repository; returns the default if there is none with this name.
    fn look<T: Default>(&self, full_name: &str, read: impl FnOnce(&Repo) -> T) -> T {
        let state = self.shared().state();
        let repo = number_of(&state, full_name).ok().and_then(|id| state.repos.get(&id));
        repo.map(read).unwrap_or_default()
    }

    /// Resolves a branch, tag or commit name to a commit.
    pub fn commit_of(&self, full_name: &str, name: &str) -> Result<String, SimError> {
        let state = self.shared().state();
        state.resolve(number_of(&state, full_name)?, name)
    }

    /// Returns a new token of an installation, for people who want to query the API themselves.
    pub fn new_token(&self, installation: u64) -> String {
        self.shared().state().new_token(installation, None).0
    }

    // ── Requested permissions, and enforcement of gates ──

    /// Changes the permissions and events that the App requests. Installations keep what they
    /// granted until their owners accept.
    pub fn ask_for(&self, permissions: &[(&str, &str)], events: &[&str]) {
        let mut state = self.shared().state();
        let asked = permissions.iter().map(|(name, access)| ((*name).to_owned(), (*access).to_owned()));
        state.app.permissions.extend(asked);
        state.app.events.extend(events.iter().map(|event| (*event).to_owned()));
    }

    /// Sets the classic protection of a branch: the required checks, each of one App or of any.
    pub fn protect_branch(
        &self,
        full_name: &str,
        branch: &str,
        checks: &[(&str, Option<u64>)],
    ) -> Result<(), SimError> {
        let mut state = self.shared().state();
        let repo = number_of(&state, full_name)?;
        let checks = checks.iter().map(|(name, app)| ((*name).to_owned(), *app)).collect();
        state.repo_mut(repo)?.protected.insert(branch.to_owned(), checks);
        Ok(())
    }

    /// Adds a ruleset; `rules` and `conditions` as in the API.
    pub fn add_ruleset(
        &self,
        full_name: &str,
        name: &str,
        target: &str,
        enforcement: &str,
        conditions: &Value,
        rules: &Value,
    ) -> Result<u64, SimError> {
        let mut state = self.shared().state();
        let (repo, id, at) = (number_of(&state, full_name)?, state.id(), shape::time(state.now()));
        let ruleset = json!({
            "id": id, "name": name, "target": target, "source_type": "Repository", "source": full_name,
            "enforcement": enforcement, "conditions": conditions, "rules": rules,
            "created_at": at, "updated_at": at,
        });
        state.repo_mut(repo)?.rulesets.push(ruleset);
        Ok(id)
    }

    /// Creates an environment, and enables or disables our App's protection rule there.
    pub fn set_environment(&self, full_name: &str, name: &str, protected: bool) -> Result<(), SimError> {
        let mut state = self.shared().state();
        let (repo, slug) = (number_of(&state, full_name)?, state.app.slug.clone());
        let apps = state.repo_mut(repo)?.environments.entry(name.to_owned()).or_default();
        if protected {
            apps.insert(slug)
        } else {
            apps.remove(&slug)
        };
        Ok(())
    }

    // ── Faults ──

    /// Injects a fault into the next `times` matching requests.
    pub fn inject(&self, fault: Fault, times: u32) {
        self.inject_after(0, fault, times);
    }

    /// Like [`SimForge::inject`], after `spared` matching requests have passed.
    pub fn inject_after(&self, spared: u32, fault: Fault, times: u32) {
        self.shared().state().faults.add(fault, spared, times);
    }

    /// Lets `weather` decide on each request that no injected fault hits.
    pub fn weather(&self, weather: Weather) {
        self.shared().state().faults.turn(weather);
    }

    /// Returns how many injected faults are still pending.
    pub fn faults_left(&self) -> u32 {
        self.shared().state().faults.left()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared().state().faults.clear();
    }

    /// Revokes all installation tokens, as GitHub does when a key is revoked.
    pub fn revoke_tokens(&self) {
        self.shared().state().tokens.clear();
    }
}
