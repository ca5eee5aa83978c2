//! A repository with environments, and people who deploy.

use jiff::SignedDuration;
use phasebot_forge_sim::{MergeMethod, NewCommit, Person, Worker};

use crate::flow::{BOT, REPO, Setup, World};

/// A workflow file that declares every input.
pub const WORKFLOW: &str = "on:\n  workflow_dispatch:\n    inputs:\n      phasebot_request: {}\n      phasebot_sha: {}\n      phasebot_environment: {}\n      region: {}\n";
/// A workflow file without an input for the commit.
pub const LOOSE: &str = "on:\n  workflow_dispatch:\n    inputs:\n      phasebot_request: {}\n";

pub struct Stage {
    pub world: World,
    pub bob: Person,
    /// Issue that a merged pull request has closed.
    pub issue: u64,
    /// Merge commit on main.
    pub merged: String,
}

impl Stage {
    /// Creates a repository with this policy and these workflow files, a merged change, and a
    /// worker.
    pub async fn new(policy: &'static str, files: &[(&str, &str)], workers: &[Worker]) -> Self {
        Self::with_alerts(policy, "", files, workers).await
    }

    /// Creates the same, with these connections of the settings.
    pub async fn with_alerts(
        policy: &'static str,
        alerts: &'static str,
        files: &[(&str, &str)],
        workers: &[Worker],
    ) -> Self {
        let world = World::with(Setup { policy, alerts, ..Setup::default() }).await;
        let bob = world.person("bob");
        world.forge.set_role(REPO, "carol", "write").unwrap();
        world.forge.set_role(REPO, "dan", "maintain").unwrap();
        if !files.is_empty() {
            let files = files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect();
            bob.push("main", &[NewCommit { message: "Workflows".to_owned(), files }]).unwrap();
        }
        for worker in workers {
            bob.add_worker(worker).unwrap();
        }
        let issue = bob.open_issue("The basket forgets", "", &[]).unwrap().made;
        let pull = world.open_pull("fix/basket", &format!("Closes #{issue}"));
        world.minute().await;
        let merged = bob.merge_pull(pull, MergeMethod::Squash).unwrap().made;
        world.minute().await;
        Self { world, bob, issue, merged }
    }

    /// Comments on the issue and lets a minute pass; returns our reactions.
    pub async fn say(&self, who: &str, text: &str) -> Vec<String> {
        let comment = self.bob.colleague(who).comment(self.issue, text).unwrap().made;
        self.world.minute().await;
        self.reactions(comment)
    }

    pub fn reactions(&self, comment: u64) -> Vec<String> {
        self.world.forge.reactions(REPO, comment).into_iter().collect()
    }

    /// Runs the workflows until they stop.
    pub async fn work(&self) {
        for _ in 0..6 {
            self.bob.work().unwrap();
            self.world.minute().await;
        }
    }

    pub async fn pass(&self, minutes: i64) {
        self.world.run(SignedDuration::from_mins(minutes)).await;
    }

    /// Returns the bot's deployments: environment, commit, last status.
    pub fn ours(&self) -> Vec<(String, String, String)> {
        self.world.forge.deployments(REPO)
    }

    /// Returns the commits that dispatched workflows were given, oldest first.
    pub fn dispatched(&self) -> Vec<String> {
        let runs = self.world.forge.dispatched(REPO).into_iter();
        runs.map(|run| run.inputs["phasebot_sha"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Pushes a commit to main, by bob.
    pub async fn push(&self, message: &str) -> String {
        let made = self.bob.push("main", &[NewCommit::from(message)]).unwrap().made.pop().unwrap();
        self.world.minute().await;
        made
    }

    /// Returns the bot's comments on the issue, oldest first.
    pub fn words(&self) -> Vec<String> {
        let all = self.world.forge.comments(REPO, self.issue).into_iter();
        all.filter(|(by, _)| by == BOT).map(|(_, text)| text).collect()
    }

    /// Returns the bot's last comment.
    pub fn answer(&self) -> String {
        self.words().into_iter().rfind(|text| text.starts_with("<!-- phasebot:answer")).unwrap_or_default()
    }
}
