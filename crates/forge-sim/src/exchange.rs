//! Recorded requests to the simulated forge, and its answers.

use jiff::Timestamp;
use serde_json::Value;

use super::fault::FaultKind;

/// A request and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Time of receipt.
    pub at: Timestamp,
    /// Method in upper case.
    pub method: String,
    /// Route template as in GitHub's description; empty if no route matches.
    pub route: String,
    /// Path as sent, without the query.
    pub path: String,
    /// Decoded values of the template's parameters.
    pub params: Vec<(String, String)>,
    /// Decoded query parameters.
    pub query: Vec<(String, String)>,
    /// The installation whose token was used.
    pub installation: Option<u64>,
    /// Body of the request, if it is JSON.
    pub request: Option<Value>,
    /// Status of the answer; `None` if the connection was closed or left open without an answer.
    pub status: Option<u16>,
    /// Body of the answer.
    pub response: Option<Value>,
    /// The injected fault, if one hit it.
    pub fault: Option<FaultKind>,
}

impl Exchange {
    /// Returns `METHOD /route/template`, to compare lists of requests.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.route)
    }

    /// Returns whether it asked for a change.
    pub fn is_write(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD") && self.route != "/graphql"
    }
}
