//! A deploy request as PlanetScale describes it, in webhooks and in answers of its API alike.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use crate::{
    database::planetscale::statement::{Loss, loss},
    domain::schema::{LONGEST_NOTES, SchemaChange, SchemaContent, SchemaProblem, SchemaState},
};

/// Most reasons that are kept.
const MOST_PROBLEMS: usize = 20;
/// Longest name that is kept, in bytes.
const LONGEST_NAME: usize = 255;

/// A deploy request.
#[derive(Debug, Deserialize)]
pub(super) struct DeployRequest {
    number: u64,
    branch: String,
    into_branch: String,
    state: String,
    deployment_state: String,
    approved: bool,
    #[serde(default, deserialize_with = "or_default")]
    notes: String,
    html_url: Option<String>,
    updated_at: Timestamp,
    deployment: Deployment,
}

#[derive(Debug, Deserialize)]
struct Deployment {
    id: String,
    updated_at: Timestamp,
    deployable: bool,
    schema_last_updated_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    cutover_expiring: bool,
    #[serde(default, deserialize_with = "or_default")]
    lint_errors: Vec<LintError>,
    deploy_check_errors: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    deploy_operations: Vec<Operation>,
    #[serde(rename = "deployment_revert_request")]
    revert: Option<RevertRequest>,
    /// Webhooks do not tell it.
    #[serde(default, deserialize_with = "or_default")]
    queue_paused: bool,
    queue_pause_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LintError {
    lint_error: Option<String>,
    table_name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    state: String,
    keyspace_name: String,
    table_name: String,
    ddl_statement: String,
    can_drop_data: bool,
    eta_seconds: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct RevertRequest {
    waiting_period_end_at: Option<Timestamp>,
}

/// Reads a value that may be `null`.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(input: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

impl DeployRequest {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the schema change that it is. `seen_at`: time of the webhook, or of the answer.
    pub(super) fn into_change(self, connection: &str, seen_at: Timestamp) -> SchemaChange {
        let content = self.deployment.content();
        let deployment = self.deployment;
        // In webhooks, the deployment's own state may lag behind.
        let state = if matches!(self.state.as_str(), "open" | "closed") {
            state(&self.deployment_state)
        } else {
            SchemaState::Unknown
        };
        let found = deployment.lint_errors.into_iter().take(MOST_PROBLEMS).map(|found| SchemaProblem {
            code: cut(found.lint_error.unwrap_or_else(|| "unnamed".to_owned()), LONGEST_NAME),
            table: found.table_name.filter(|table| !table.is_empty()).map(|table| cut(table, LONGEST_NAME)),
        });
        let refused = deployment.deploy_check_errors.filter(|words| !words.trim().is_empty());
        let refused = refused.map(|words| SchemaProblem { code: cut(words, LONGEST_NAME), table: None });
        let left = deployment.deploy_operations.iter().filter(|one| one.state != "complete");
        let left = left.filter_map(|one| one.eta_seconds).fold(0.0, f64::max);
        SchemaChange {
            at: whole(self.updated_at.max(deployment.updated_at)),
            seen_at: whole(seen_at),
            state,
            word: cut(self.deployment_state, LONGEST_NAME),
            connection: connection.to_owned(),
            number: self.number,
            from: cut(self.branch, LONGEST_NAME),
            into: cut(self.into_branch, LONGEST_NAME),
            is_open: self.state != "closed",
            notes: cut(self.notes, LONGEST_NOTES),
            url: self.html_url,
            deployable: deployment.deployable,
            problems: found.chain(refused).collect(),
            approved: self.approved,
            paused: deployment.queue_paused.then(|| cut(deployment.queue_pause_reason.unwrap_or_default(), 500)),
            expires_soon: deployment.cutover_expiring,
            eta_seconds: seconds(left),
            revertible_until: deployment.revert.and_then(|it| it.waiting_period_end_at).map(whole),
            content,
        }
    }
}

impl Deployment {
    fn content(&self) -> SchemaContent {
        let mut statements: Vec<[&str; 3]> = self
            .deploy_operations
            .iter()
            .map(|one| [one.keyspace_name.as_str(), one.table_name.as_str(), one.ddl_statement.as_str()])
            .collect();
        statements.sort_unstable();
        let mut hash = Sha256::new();
        for part in statements.iter().flatten() {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let (mut keeps, mut drops) = (0, 0);
        for one in &self.deploy_operations {
            let loss = loss(&one.ddl_statement, one.can_drop_data);
            keeps += u32::from(loss != Loss::All);
            drops += u32::from(loss != Loss::None);
        }
        SchemaContent {
            deployment: cut(self.id.clone(), LONGEST_NAME),
            schema_at: self.schema_last_updated_at.map(whole),
            digest: if statements.is_empty() { String::new() } else { hex::encode(hash.finalize()) },
            keeps,
            drops,
        }
    }
}

/// Maps each of PlanetScale's states. One that is not here passes no gate.
fn state(word: &str) -> SchemaState {
    match word {
        "pending" => SchemaState::Checking,
        "ready" => SchemaState::Ready,
        "no_changes" => SchemaState::Empty,
        "queued" | "submitting" => SchemaState::Queued,
        "in_progress" => SchemaState::Running,
        "pending_cutover" => SchemaState::Staged,
        "in_progress_cutover" | "in_progress_vschema" => SchemaState::Applying,
        "complete_pending_revert" => SchemaState::Revertible,
        "complete" => SchemaState::Applied,
        "in_progress_cancel" => SchemaState::Cancelling,
        "complete_cancel" | "cancelled" => SchemaState::Cancelled,
        "error" => SchemaState::Invalid,
        "complete_error" => SchemaState::Failed,
        "in_progress_revert" | "in_progress_revert_vschema" => SchemaState::Reverting,
        "complete_revert" => SchemaState::Reverted,
        "complete_revert_error" => SchemaState::RevertFailed,
        _ => SchemaState::Unknown,
    }
}

/// Returns a time in whole milliseconds, as times are stored.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is within the bounds")]
fn seconds(estimate: f64) -> Option<u64> {
    (estimate > 0.0 && estimate < 1e9).then_some(estimate as u64)
}

/// Cuts a text to a length in bytes, between two characters.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
    }
    text
}
