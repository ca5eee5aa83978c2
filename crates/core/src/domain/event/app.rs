//! Apps that do something in people's names.

use serde::{Deserialize, Serialize};

/// An App, as a forge names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Its name in addresses, lower case; empty: not told.
    pub slug: String,
}
