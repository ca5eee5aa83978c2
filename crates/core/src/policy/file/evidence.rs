//! Evidence: events that must have happened for an item to be in a phase.

use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use crate::policy::file::{text::Glob, time::Length};

/// The conditions that every kind of evidence has.
#[derive(Debug, Clone, Copy)]
pub struct Narrow<'a> {
    /// Only items that have one of these labels.
    pub labels: (&'a Option<Glob>, &'a Option<Vec<Glob>>),
    /// Only these branches.
    pub branches: (&'a Option<Glob>, &'a Option<Vec<Glob>>),
}

/// Declares the conditions of one kind of evidence: its own, and those that every kind has.
macro_rules! conditions {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[$meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$meta])* pub $field: $type,)*
            /// Only items that have this label; a glob.
            pub label: Option<Glob>,
            /// Only items that have one of these labels; globs.
            pub labels: Option<Vec<Glob>>,
            /// Only this branch (a pull request's base, a linked branch, the branch of the merged
            /// commit); a glob.
            pub branch: Option<Glob>,
            /// Only one of these branches; globs.
            pub branches: Option<Vec<Glob>>,
        }

        impl $name {
            fn narrow(&self) -> Narrow<'_> {
                Narrow { labels: (&self.label, &self.labels), branches: (&self.branch, &self.branches) }
            }
        }
    };
}

conditions! {
    /// Conditions of evidence that has none of its own.
    Plain {}
}

conditions! {
    /// Conditions of `branch_linked`.
    BranchLinked {
        /// If `true`, a branch named `12-title` links issue 12. Default: `false`.
        numeric: Option<bool>,
    }
}

conditions! {
    /// Conditions of `checks_passed`.
    ChecksPassed {
        /// Only these checks count, and each must be there; globs. Default: all that report.
        named: Option<Vec<Glob>>,
    }
}

conditions! {
    /// Conditions of `tagged`.
    Tagged {
        /// Tags that count although they are not final versions, such as `v*-rc.*`; globs.
        also: Option<Vec<Glob>>,
    }
}

conditions! {
    /// Conditions of `release_published`.
    ReleasePublished {
        /// If `true`, pre-releases count. Default: `false`.
        prereleases: Option<bool>,
    }
}

conditions! {
    /// Conditions of `deployment_started` and `deployment_succeeded`.
    Deployment {
        /// Only this environment; a glob, without case.
        environment: Option<Glob>,
        /// Only one of these environments; globs, without case.
        environments: Option<Vec<Glob>>,
        /// `true`: only production; `false`: only other environments. Default: as the evidence
        /// says.
        production: Option<bool>,
    }
}

conditions! {
    /// Conditions of `soaked`.
    Soaked {
        /// Time without an incident. Default: `30m`.
        #[serde(rename = "for")]
        quiet: Option<Length>,
        /// Only this environment; a glob, without case.
        environment: Option<Glob>,
        /// Only one of these environments; globs, without case.
        environments: Option<Vec<Glob>>,
        /// `true`: only production; `false`: only other environments. Default: production.
        production: Option<bool>,
    }
}

/// An event that must have happened: a word, or a mapping from the word to conditions that narrow
/// it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", rename = "Evidence")]
#[schemars(transform = also_bare)]
pub enum EvidenceFile {
    /// The issue is open.
    IssueOpen(Plain),
    /// A pull request that closes the issue is open, draft or not. The pull request itself counts
    /// in the same way.
    PullRequestOpen(Plain),
    /// The forge lists a branch as linked to the open issue, or somebody with write access pushed a
    /// branch named `issue-12…`, `gh-12…` or `feature/12-…`.
    BranchLinked(BranchLinked),
    /// Somebody with write access approved the pull request.
    PullRequestApproved(Plain),
    /// The change is on the default branch or on one listed in `branches`.
    Merged(Plain),
    /// The checks of the change's commit, or of a later one, passed.
    ChecksPassed(ChecksPassed),
    /// A tag with a final version (`v1.2.3`, `web-v1.2.3`, `api/v1.2.3`, `@scope/pkg@1.2.3`)
    /// contains the change.
    Tagged(Tagged),
    /// A published release contains the change.
    ReleasePublished(ReleasePublished),
    /// A deployment that contains the change is in progress: to production, or to another
    /// environment if the change is already released.
    DeploymentStarted(Deployment),
    /// A deployment that contains the change succeeded, in production.
    DeploymentSucceeded(Deployment),
    /// The change has run in production without an incident for a time.
    Soaked(Soaked),
}

impl EvidenceFile {
    /// Returns the number of globs in it.
    pub fn globs(&self) -> usize {
        fn count((one, several): (&Option<Glob>, &Option<Vec<Glob>>)) -> usize {
            usize::from(one.is_some()) + several.as_ref().map_or(0, Vec::len)
        }
        let own = match self {
            Self::ChecksPassed(c) => count((&None, &c.named)),
            Self::Tagged(c) => count((&None, &c.also)),
            Self::DeploymentStarted(c) | Self::DeploymentSucceeded(c) => count((&c.environment, &c.environments)),
            Self::Soaked(c) => count((&c.environment, &c.environments)),
            Self::IssueOpen(_)
            | Self::PullRequestOpen(_)
            | Self::BranchLinked(_)
            | Self::PullRequestApproved(_)
            | Self::Merged(_)
            | Self::ReleasePublished(_) => 0,
        };
        own + count(self.narrow().labels) + count(self.narrow().branches)
    }

    /// Returns the conditions that every kind has.
    pub fn narrow(&self) -> Narrow<'_> {
        match self {
            Self::IssueOpen(c) | Self::PullRequestOpen(c) | Self::PullRequestApproved(c) | Self::Merged(c) => {
                c.narrow()
            }
            Self::BranchLinked(c) => c.narrow(),
            Self::ChecksPassed(c) => c.narrow(),
            Self::Tagged(c) => c.narrow(),
            Self::ReleasePublished(c) => c.narrow(),
            Self::DeploymentStarted(c) | Self::DeploymentSucceeded(c) => c.narrow(),
            Self::Soaked(c) => c.narrow(),
        }
    }
}

/// Adds the bare words to a schema of one-key mappings.
fn also_bare(schema: &mut Schema) {
    let Some(serde_json::Value::Array(variants)) = schema.get_mut("oneOf") else { return };
    let words: Vec<serde_json::Value> = variants.iter().filter_map(|v| v.pointer("/required/0").cloned()).collect();
    variants.insert(0, serde_json::json!({ "description": "Without conditions.", "type": "string", "enum": words }));
}
