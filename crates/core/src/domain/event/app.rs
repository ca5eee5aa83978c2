//! Apps that act in people's names.

use serde::{Deserialize, Serialize};

/// An App, as a forge names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// The App's name in URLs, lower case; empty if unknown.
    pub slug: String,
}
