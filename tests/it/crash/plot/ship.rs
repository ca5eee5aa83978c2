//! `/deploy` by deployment and by workflow: each request is started once.

use phasebot_forge_sim::{NewCommit, Person, SimForge, Worker};

use super::Plot;

const FILE: &str = ".github/workflows/deploy.yml";
const WORKFLOW: &str = "on:\n  workflow_dispatch:\n    inputs:\n      phasebot_request: {}\n      phasebot_sha: {}\n";

/// Trigger of a repository's deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// phasebot creates a deployment, and a workflow reacts to it.
    Deployment,
    /// phasebot dispatches a workflow.
    Workflow,
}

/// A repository with one environment that a person deploys to.
pub struct Ship {
    person: Person,
    sim: SimForge,
    full_name: String,
    issue: u64,
    comments: Vec<u64>,
    times: usize,
}

impl Ship {
    /// Sets up the repository. `times` is the number of deployments.
    pub fn new(sim: &SimForge, person: &Person, full_name: &str, via: Via, times: usize) -> Self {
        let (way, trigger) = match via {
            Via::Deployment => ("via: deployment", "deployment"),
            Via::Workflow => ("via: workflow_dispatch, workflow: deploy.yml", "workflow_dispatch"),
        };
        let policy = format!("version: 1\nmode: act\nenvironments:\n  staging: {{ deploy: {{ {way} }} }}\n");
        let files =
            vec![(".github/phasebot.yml".to_owned(), Some(policy)), (FILE.to_owned(), Some(WORKFLOW.to_owned()))];
        person.push("main", &[NewCommit { message: "A policy".to_owned(), files }]).unwrap();
        person.add_worker(&Worker::new(FILE, trigger)).unwrap();
        let issue = person.open_issue("Ship it", "", &[]).unwrap().made;
        let (sim, full_name) = (sim.clone(), full_name.to_owned());
        Self { person: person.clone(), sim, full_name, issue, comments: Vec::new(), times }
    }

    /// Returns the number of starts.
    pub fn started(&self) -> usize {
        let made = self.sim.deployments(&self.full_name).len();
        // A dispatched workflow creates deployments of its own, which are not ours.
        made + self.sim.dispatched(&self.full_name).len()
    }

    /// Returns whether the newest command has ended.
    pub fn ended(&self) -> bool {
        self.comments.last().is_none_or(|comment| {
            let seen = self.sim.reactions(&self.full_name, *comment);
            seen.contains("rocket") || seen.contains("-1")
        })
    }

    fn succeeded(&self) -> usize {
        let done = |comment: &&u64| self.sim.reactions(&self.full_name, **comment).contains("rocket");
        self.comments.iter().filter(done).count()
    }
}

impl Plot for Ship {
    fn go_on(&mut self) -> bool {
        self.person.work().unwrap();
        if !self.ended() {
            return true;
        }
        if self.comments.len() == self.times {
            return false;
        }
        self.person.push("main", &[NewCommit::from("More")]).unwrap();
        self.comments.push(self.person.comment(self.issue, "/deploy staging").unwrap().made);
        true
    }

    fn check(&self, _: &SimForge) {
        let (started, succeeded) = (self.started(), self.succeeded());
        assert!(self.ended(), "{}: a deploy has no end", self.full_name);
        assert!(started <= self.times, "{}: {started} starts of {}", self.full_name, self.times);
        // A start is proven, or left to people: it is never reported as done without having
        // happened.
        assert!(succeeded <= started, "{}: {succeeded} called done of {started}", self.full_name);
    }
}
