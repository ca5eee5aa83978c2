//! The tags of a repository.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::id::Sha;

/// Tags as the forge listed them. When it was last asked stands in the answer
/// to [`crate::domain::needs::Need::Tags`], also where it then had no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagFacts {
    /// Commits by tag at the last list; `None` before the first one.
    pub listed: Option<BTreeMap<String, Sha>>,
}
