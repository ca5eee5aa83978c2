//! A repository with environments, and people who deploy.

use jiff::SignedDuration;
use phasebot_forge_sim::{MergeMethod, NewCommit, Person, Worker};

use crate::flow::{BOT, REPO, Setup, World};

/// A workflow file that can be told everything.
pub const WORKFLOW: &str = "on:\n  workflow_dispatch:\n    inputs:\n      phasebot_request: {}\n      phasebot_sha: {}\n      phasebot_environment: {}\n      region: {}\n";
/// One that can't be told the commit.
pub const LOOSE: &str = "on:\n  workflow_dispatch:\n    inputs:\n      phasebot_request: {}\n";

pub struct Stage {
    pub world: World,
    pub bob: Person,
    /// An issue that a merged pull request has closed.
    pub issue: u64,
    /// What the merge put on main.
    pub merged: String,
}

impl Stage {
    /// A repository with this policy and these workflow files, a merged change, and a worker.
    pub async fn new(policy: &'static str, files: &[(&str, &str)], workers: &[Worker]) -> Self {
        let world = World::with(Setup { policy, ..Setup::default() }).await;
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

    /// Says something on the issue and lets a minute pass; gives our reactions.
    pub async fn say(&self, who: &str, text: &str) -> Vec<String> {
        let comment = self.bob.colleague(who).comment(self.issue, text).unwrap().made;
        self.world.minute().await;
        self.reactions(comment)
    }

    pub fn reactions(&self, comment: u64) -> Vec<String> {
        self.world.forge.reactions(REPO, comment).into_iter().collect()
    }

    /// Lets the workflows run to where they stop.
    pub async fn work(&self) {
        for _ in 0..6 {
            self.bob.work().unwrap();
            self.world.minute().await;
        }
    }

    pub async fn pass(&self, minutes: i64) {
        self.world.run(SignedDuration::from_mins(minutes)).await;
    }

    /// Deployments that the bot made: environment, commit, newest status.
    pub fn ours(&self) -> Vec<(String, String, String)> {
        self.world.forge.deployments(REPO)
    }

    /// A commit on main, by bob.
    pub async fn push(&self, message: &str) -> String {
        let made = self.bob.push("main", &[NewCommit::from(message)]).unwrap().made.pop().unwrap();
        self.world.minute().await;
        made
    }

    /// What the bot wrote on the issue, newest last.
    pub fn words(&self) -> Vec<String> {
        let all = self.world.forge.comments(REPO, self.issue).into_iter();
        all.filter(|(by, _)| by == BOT).map(|(_, text)| text).collect()
    }

    /// What it last answered in words.
    pub fn answer(&self) -> String {
        self.words().into_iter().rfind(|text| text.starts_with("<!-- phasebot:answer")).unwrap_or_default()
    }
}
