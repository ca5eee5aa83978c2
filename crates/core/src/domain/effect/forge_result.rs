//! Results of effects that something waits for.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::{id::Sha, schema::SchemaChange};

/// The forge's result of an effect that something waits for. An effect that was simply applied has
/// none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForgeResult {
    /// The pull request's head is another commit; nothing was started.
    HeadMoved {
        /// The expected head.
        known: Sha,
        /// The current head.
        found: Sha,
    },
    /// Workflows were started again.
    Reran {
        /// Names of the workflows.
        workflows: Vec<String>,
        /// Failed checks that only another App can start again, each with its owner if the forge
        /// names it.
        others: BTreeMap<String, Option<String>>,
    },
    /// The forge did not assign these.
    NotAssignable(Vec<String>),
    /// The ref that named the commit has moved; nothing was started.
    NameMoved {
        /// The commit it names now; `None`: it is gone.
        found: Option<Sha>,
    },
    /// A deployment was created, or existed already.
    Deployed {
        /// Deployment id.
        deployment: u64,
        /// The deployment's commit, according to the forge.
        sha: Sha,
        /// Creation time by the forge's clock, if the forge reported it.
        at: Option<Timestamp>,
    },
    /// A workflow was started, or had been already.
    Started {
        /// The workflow run, if the forge named it.
        run: Option<u64>,
        /// The commit that it runs at, if the forge reported it.
        sha: Option<Sha>,
        /// True if it received the commit to deploy as an input, so that the commit it runs at does
        /// not matter.
        pinned: bool,
    },
    /// A creation whose result is unknown was looked up and not found. It was not to be repeated
    /// now.
    NotFound,
    /// Nothing was started, with the reason. Repeating it would give the same result.
    NotStarted(String),
    /// The act was carried out, or had been already; the schema change as the database then told it.
    SchemaActed(Box<SchemaChange>),
    /// The milestone does not exist.
    NoMilestone {
        /// Titles of the open milestones.
        known: Vec<String>,
    },
}
