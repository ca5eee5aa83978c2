//! Kinds of phase overrides.

use serde::{Deserialize, Serialize};

/// The kind of a phase override.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OverrideKind {
    /// The label was removed: leave the item alone.
    OptOut,
    /// The item is in this phase.
    Baseline {
        /// Phase name.
        phase: String,
        /// True if the item stays in the phase.
        pin: bool,
    },
    /// The phase follows from the facts again.
    Auto,
}
