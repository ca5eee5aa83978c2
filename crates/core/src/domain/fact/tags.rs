//! The tags of a repository.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::id::Sha;

/// Tags as the forge listed them. The answer to [`crate::domain::needs::Need::Tags`] holds the time
/// of the last query, even if the forge had no answer then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagFacts {
    /// Commits by tag at the last listing; `None` before the first one.
    pub listed: Option<BTreeMap<String, Sha>>,
}
