//! What was asked of the simulated forge, and what it answered.

use jiff::Timestamp;
use serde_json::Value;

use super::fault::FaultKind;

/// A request and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// When it was received.
    pub at: Timestamp,
    /// Method, in capitals.
    pub method: String,
    /// Route template as in GitHub's description; empty if there is none.
    pub route: String,
    /// Path as it was sent, without the query.
    pub path: String,
    /// Values of the template's parameters, decoded.
    pub params: Vec<(String, String)>,
    /// Query parameters, decoded.
    pub query: Vec<(String, String)>,
    /// The installation whose token was used.
    pub installation: Option<u64>,
    /// The request's body, if it is JSON.
    pub request: Option<Value>,
    /// The answer's status; `None` if the connection was closed or left open without an answer.
    pub status: Option<u16>,
    /// The answer's body.
    pub response: Option<Value>,
    /// The fault that hit it.
    pub fault: Option<FaultKind>,
}

impl Exchange {
    /// `METHOD /route/template`, to compare lists of requests.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.route)
    }

    /// Whether it asked for a change.
    pub fn is_write(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD") && self.route != "/graphql"
    }
}
