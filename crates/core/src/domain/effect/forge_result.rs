//! What the forge found, where something waits to hear of it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::id::Sha;

/// What the forge found where a command waits to hear of it. An effect that
/// was simply done tells nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForgeResult {
    /// The pull request's head is another commit; nothing was started.
    HeadMoved {
        /// The commit that was meant.
        known: Sha,
        /// The head now.
        found: Sha,
    },
    /// What was started again.
    Reran {
        /// Names of workflows.
        workflows: Vec<String>,
        /// Failed checks that only someone else can start, with whose they
        /// are if the forge tells.
        others: BTreeMap<String, Option<String>>,
    },
    /// The forge did not assign these.
    NotAssignable(Vec<String>),
    /// What the commit was named by has moved; nothing was started.
    NameMoved {
        /// Where to; `None`: it is gone.
        found: Option<Sha>,
    },
    /// A deployment was made, or was there already.
    Deployed {
        /// Its id.
        deployment: u64,
        /// The commit that the forge says it is of.
        sha: Sha,
        /// When it was made, by the forge's clock, if the forge told.
        at: Option<Timestamp>,
    },
    /// A workflow was started, or had been already.
    Started {
        /// Its run, if the forge told which.
        run: Option<u64>,
        /// The commit that it runs at, if the forge told.
        sha: Option<Sha>,
        /// It was told which commit to deploy, so that the one that it runs
        /// at does not matter.
        pinned: bool,
    },
    /// What may have been made is not there, and was not to be made now.
    NotFound,
    /// Nothing was started, and why; it would be the same again.
    NotStarted(String),
    /// There is no such milestone; these are open.
    NoMilestone {
        /// Titles.
        known: Vec<String>,
    },
}
