//! A system beside the forge that reports deployments, or judges commits: verifies and decodes its
//! messages.

use http::HeaderMap;
use jiff::Timestamp;

use crate::{
    domain::event::{ExternalDeployment, VerdictSeen},
    port::{alert::Refusal, forge::Undecodable},
};

/// The sender of a connection `[events.NAME]` or `[verdicts.NAME]`.
pub trait DeploymentSource: Send + Sync + 'static {
    /// Returns the kind of its messages, such as `cdevents`.
    fn kind(&self) -> &'static str;

    /// Verifies that the sender knows one of the secrets, before anything in `body` is parsed.
    /// Compares in constant time, with each live secret, over the raw bytes of the body.
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal>;

    /// Decodes a message. Unknown fields, versions and values are never errors: a message that
    /// reports neither a deployment nor a verdict becomes [`Reported::Nothing`].
    fn decode(&self, body: &[u8], received_at: Timestamp) -> Result<Reported, Undecodable>;
}

/// Content of a message of such a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    /// A deployment.
    Deployment {
        /// `owner/name` of its repository, if the message names one; else the connection's first.
        repository: Option<String>,
        /// The deployment.
        deployment: ExternalDeployment,
    },
    /// A verdict on a commit.
    Verdict {
        /// `owner/name` of its repository, if the message names one; else the connection's first.
        repository: Option<String>,
        /// The verdict.
        verdict: VerdictSeen,
    },
    /// A message that is recorded but changes nothing, with the reason, for `deliveries show`.
    Nothing(String),
}
