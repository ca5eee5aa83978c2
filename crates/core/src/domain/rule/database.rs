//! Rules for the database behind an environment.

use schemars::JsonSchema;
use serde::Deserialize;

/// The database behind an environment, and which of its schema changes belong to a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseRule {
    /// The connection, `[alerts.NAME]` of the operator's settings.
    pub connection: String,
    /// The database branch that the environment uses.
    pub into: String,
    /// The schema changes that belong to a commit.
    pub matching: SchemaMatch,
    /// How phasebot applies them; `None`: it only watches.
    pub apply: Option<ApplyRule>,
}

/// How phasebot applies schema changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplyRule {
    /// Their order beside the code.
    pub order: SchemaOrder,
    /// What becomes of them in a rollback.
    pub rollback: SchemaRollback,
}

/// The order of schema changes and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SchemaOrder {
    /// What only adds before the code, what only drops after it; what does both is refused.
    #[default]
    Auto,
    /// Everything before the code.
    SchemaFirst,
    /// Everything after the code.
    CodeFirst,
}

/// What becomes of schema changes in a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SchemaRollback {
    /// What only added stays; what dropped something is reverted before the old code is deployed.
    #[default]
    Auto,
    /// Everything stays.
    Keep,
}

/// The schema changes that belong to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SchemaMatch {
    /// Those whose database branch is named like the branch of a pull request that the commit
    /// brings.
    #[default]
    Branch,
    /// Those whose notes name a pull request or a commit that the commit brings.
    Notes,
    /// Every open one.
    Any,
}

/// How far a gate requires a commit's schema changes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SchemaGoal {
    /// The database would deploy them.
    Deployable,
    /// They are prepared, and only have to be applied.
    Staged,
    /// They are applied.
    Deployed,
}

impl SchemaGoal {
    /// Returns the goal's name in a policy file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployable => "deployable",
            Self::Staged => "staged",
            Self::Deployed => "deployed",
        }
    }
}
