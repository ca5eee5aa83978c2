//! Conditions of gates and environments.

use schemars::{JsonSchema, Schema};
use serde::Deserialize;

pub use crate::domain::rule::{ConditionName, SchemaGoal};
use crate::policy::file::{
    text::{Glob, LabelName, Name, word, word_or_settings},
    time::{Length, Weekly, Zone},
};

word! {
    /// A team of the organisation, by the name in its URL, with or without `org/`.
    Team, check_team, { "minLength": 1, "maxLength": 200 }
}

fn check_team(text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if text.is_empty() || text.chars().count() > 200 || !text.chars().all(fits) {
        return Err("a team is named like `sre` or `acme/sre`, without `@`".to_owned());
    }
    Ok(())
}

/// A condition that must hold.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = also_bare)]
pub enum Condition {
    /// The commit's required checks passed, and the checks named here.
    Checks(ChecksCondition),
    /// Every pull request that the commit contains was approved, and no change request is
    /// outstanding.
    Reviews(ReviewsCondition),
    /// The tag never moved and meets these requirements.
    Tag(TagCondition),
    /// No open issue has a blocking label or is in a blocking milestone.
    Blockers(BlockersCondition),
    /// No incident is open.
    Alerts(AlertsCondition),
    /// The same commit is deployed in another environment.
    Deployed(DeployedCondition),
    /// Another system passed the commit.
    External(ExternalCondition),
    /// The schema changes that belong to the commit are far enough at the database.
    Database(DatabaseCondition),
    /// The current time is within an allowed window.
    Window(WindowCondition),
    /// People approved. The requester's own approval doesn't count.
    Approval(ApprovalCondition),
    /// The commit is on one of these branches.
    Ancestry(AncestryCondition),
    /// Nobody else holds the environment's lock. It applies even if it is not listed.
    Lock(NoSettings),
    /// No freeze covers the environment. It applies even if it is not listed.
    Freeze(NoSettings),
    /// No item that the commit contains is on hold. It applies even if it is not listed.
    Hold(NoSettings),
    /// All of these hold.
    All(Vec<Condition>),
    /// At least one of these holds.
    Any(Vec<Condition>),
    /// This does not hold. An unknown result stays unknown.
    Not(Box<Condition>),
}

impl Condition {
    /// Returns the number of globs in it.
    pub fn globs(&self) -> usize {
        match self {
            Self::Checks(checks) => checks.named.as_ref().map_or(0, Vec::len),
            Self::Ancestry(ancestry) => ancestry.of().len(),
            Self::All(inner) | Self::Any(inner) => inner.iter().map(Self::globs).sum(),
            Self::Not(inner) => inner.globs(),
            Self::Reviews(_)
            | Self::Tag(_)
            | Self::Blockers(_)
            | Self::Alerts(_)
            | Self::Deployed(_)
            | Self::External(_)
            | Self::Database(_)
            | Self::Window(_)
            | Self::Approval(_)
            | Self::Lock(_)
            | Self::Freeze(_)
            | Self::Hold(_) => 0,
        }
    }
}

/// Settings of `checks`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChecksCondition {
    /// Checks that must have passed in addition to the required ones: globs, or each with the App
    /// whose check run counts.
    pub named: Option<Vec<NamedCheckFile>>,
    /// A check that has not reported after this time counts as failed. Default: `2h`.
    pub report_within: Option<Length>,
}

/// Settings of `reviews`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewsCondition {
    /// Number of approvals by people with write access, 1 to 20. Default: 1.
    #[schemars(range(min = 1, max = 20))]
    pub count: Option<u8>,
}

/// Settings of `tag`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TagCondition {
    /// If `true`, the tag's version must be higher than every version that the commit contains.
    /// Default: `true`.
    pub increasing: Option<bool>,
    /// If `true`, the tag must be signed, and the forge must have verified the signature. Default:
    /// `false`.
    pub signed: Option<bool>,
}

/// Settings of `blockers`: at least one of the two.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockersCondition {
    /// The label of blocking issues.
    pub label: Option<LabelName>,
    /// The title of a milestone whose open issues block. `{tag}` stands for the name of the tag, so
    /// a title with `{tag}` only applies in gates for tags.
    pub milestone: Option<Name>,
}

/// Settings of `alerts`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertsCondition {
    /// Only incidents on this environment. Default: the environment that the gate is about.
    pub environment: Option<Name>,
}

/// Settings of `deployed`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployedCondition {
    /// The environment in which the commit must be deployed.
    pub environment: Name,
    /// Time that the commit must have been deployed there without an incident. Default: `0s`.
    pub soak: Option<Length>,
}

/// Settings of `external`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalCondition {
    /// The connection that sends the verdicts: `[verdicts.NAME]` of the operator's settings.
    pub from: Name,
    /// Names of the verdicts that count; a glob. Every one of them must pass, and at least one must
    /// have come. Default: `*`.
    pub name: Option<Glob>,
    /// Verdicts about this environment, in addition to those about any. Default: the environment
    /// that the gate is about.
    pub environment: Option<Name>,
    /// Time after which a verdict no longer counts. Default: `24h`.
    pub max_age: Option<Length>,
    /// A verdict that has not come after this time counts as failed. Default: `2h`.
    pub report_within: Option<Length>,
}

/// Settings of `database`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseCondition {
    /// How far the schema changes have to be: the database would deploy them (`deployable`), they
    /// are prepared and only have to be applied (`staged`), or they are applied (`deployed`).
    pub want: SchemaGoal,
    /// The environment whose `database` it is. Default: the environment that the gate is about.
    pub environment: Option<Name>,
}

/// Settings of `window`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowCondition {
    /// Allowed days and hours.
    #[schemars(length(min = 1))]
    pub allow: Vec<Weekly>,
    /// Time zone. Default: `UTC`.
    pub tz: Option<Zone>,
}

/// Settings of `approval`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalCondition {
    /// Number of people, 1 to 20. Default: 1.
    #[schemars(range(min = 1, max = 20))]
    pub count: Option<u8>,
    /// Teams whose members may approve. Default: people who maintain the repository.
    pub teams: Option<Vec<Team>>,
    /// If `true`, the comment that asks for the approval mentions the teams, which notifies their
    /// members. Default: `false`.
    pub mention: Option<bool>,
}

/// `ancestry: any`, or settings of `ancestry`.
#[derive(Debug, Clone, PartialEq)]
pub enum AncestryCondition {
    /// A commit of any branch passes.
    Any,
    /// The commit is on one of these branches.
    Of(AncestrySettings),
}

/// Settings of `ancestry`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AncestrySettings {
    /// Branches; globs. Default: the default branch and those in `branches`.
    pub of: Option<Vec<Glob>>,
}

impl AncestryCondition {
    /// Returns the branches; empty for `any`, and for the default branches.
    pub fn of(&self) -> &[Glob] {
        match self {
            Self::Any => &[],
            Self::Of(settings) => settings.of.as_deref().unwrap_or_default(),
        }
    }
}

word_or_settings! {
    AncestryCondition, "WordOrSettings", ["of"], "`any` or a mapping",
    word: |text| if text == "any" { Ok(AncestryCondition::Any) } else { Err(format!("unknown value `{text}`; known here: `any`")) },
    settings: |settings: AncestrySettings| AncestryCondition::Of(settings),
    schema: |generator| {
        let settings = generator.subschema_for::<AncestrySettings>();
        schemars::json_schema!({ "oneOf": [{ "const": "any" }, settings] })
    },
}

word! {
    /// An App by the name in its URL, such as `github-actions`, or by its id.
    AppName, check_app, { "minLength": 1, "maxLength": 100 }
}

fn check_app(text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.is_empty() || text.len() > 100 || !text.chars().all(fits) {
        return Err("an App is named like `github-actions`, or by its id".to_owned());
    }
    Ok(())
}

/// A check that a gate names, reported by anyone or by one App.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedCheckSettings {
    /// Name of the check; a glob.
    pub name: Glob,
    /// The App whose check run counts, by the name in its URL, such as `github-actions`, or by its
    /// id. Default: a report by anyone counts.
    pub app: Option<AppName>,
}

/// A glob, or a check with its App.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedCheckFile(pub NamedCheckSettings);

word_or_settings! {
    NamedCheckFile, "GlobOrSettings", ["name", "app"], "a glob or a mapping",
    word: |text| Glob::try_from(text.to_owned()).map(|name| NamedCheckFile(NamedCheckSettings { name, app: None })),
    settings: |settings: NamedCheckSettings| NamedCheckFile(settings),
    schema: |generator| {
        let (glob, settings) = (generator.subschema_for::<Glob>(), generator.subschema_for::<NamedCheckSettings>());
        schemars::json_schema!({ "oneOf": [glob, settings] })
    },
}

/// A condition without settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("properties" = {}))]
pub struct NoSettings {}

/// Adds the bare names of conditions that need no settings.
fn also_bare(schema: &mut Schema) {
    let Some(serde_json::Value::Array(variants)) = schema.get_mut("oneOf") else { return };
    variants.insert(
        0,
        serde_json::json!({
            "description": "Without settings.",
            "type": "string",
            "enum": ["checks", "reviews", "tag", "alerts", "approval", "ancestry", "lock", "freeze", "hold"],
        }),
    );
}
