//! Deployments that other systems than the forge report, such as Argo CD or Jenkins.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::{
    event::{DeployState, DeployStatus},
    id::Sha,
    rule::name_key,
};

/// The bit that is set in the id of every external deployment, and in none of a forge's.
const EXTERNAL: u64 = 1 << 62;

/// A deployment as another system than the forge reports it.
///
/// All text is untrusted and stays as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExternalDeployment {
    /// The connection's name, as in `[events.NAME]` and in its route.
    pub connection: String,
    /// Identifier of the deployment among those of its connection: every message about the same
    /// deployment has the same one.
    pub key: String,
    /// The commit that it deploys: its full hash, or a tag of the repository. `None` if the message
    /// names none.
    pub commit: Option<String>,
    /// Environment, as written.
    pub environment: String,
    /// State.
    pub state: ExternalState,
    /// Time of this state according to the sender, else time of receipt.
    pub at: Timestamp,
    /// True if the forge is to show it, too, as a deployment of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirrored: bool,
}

/// The state of an external deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ExternalState {
    /// In progress.
    InProgress,
    /// Succeeded.
    Success,
    /// Failed.
    Failure,
    /// The running deployment was taken down.
    Removed,
}

impl ExternalState {
    /// Returns the word for lists of deliveries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Removed => "removed",
        }
    }
}

impl ExternalDeployment {
    /// Returns the id under which the deployment is recorded. It is the same for every message with
    /// the same key and environment that names the same commit or tag, and never one of the forge's
    /// ids.
    pub fn id(&self) -> u64 {
        let name = self.commit.as_deref().unwrap_or_default();
        let name = name.parse::<Sha>().map_or_else(|_| name.to_owned(), |sha| sha.to_string());
        let mut hash = Sha256::new();
        for part in [&self.connection, &self.key, &name_key(&self.environment), &name] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let number = digest.iter().take(8).fold(0, |number: u64, byte| (number << 8) | u64::from(*byte));
        EXTERNAL | (number >> 2)
    }

    /// Returns the deployment's status. Its id orders states that are reported for the same time.
    pub fn status(&self) -> DeployStatus {
        let (id, state) = match self.state {
            ExternalState::InProgress => (1, DeployState::InProgress),
            ExternalState::Success => (2, DeployState::Success),
            ExternalState::Failure => (3, DeployState::Failure),
            ExternalState::Removed => return removed_at(self.at),
        };
        DeployStatus { at: self.at, id, state }
    }
}

/// Returns the status of an external deployment that was taken down at a given time.
pub fn removed_at(at: Timestamp) -> DeployStatus {
    DeployStatus { at, id: 4, state: DeployState::Inactive }
}

/// Returns whether a deployment's id is one of [`ExternalDeployment::id`].
pub fn is_external(deployment: u64) -> bool {
    deployment & EXTERNAL != 0
}
