//! Phases.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::file::{
    evidence::EvidenceFile,
    text::{Color, Description, LabelName, PhaseName},
};

/// One phase: its name, its look, its evidence.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Phase")]
pub struct PhaseFile {
    /// Name, as in `/phase NAME`.
    pub name: PhaseName,
    /// Evidence: any of these puts an item into the phase. May be left out
    /// only for a phase that is also above.
    #[schemars(length(min = 1, max = 50))]
    pub when: Option<Vec<EvidenceFile>>,
    /// The label that shows the phase. Default: `phase/NAME`.
    pub label: Option<LabelName>,
    /// The label's colour when phasebot creates it. Default: grey.
    pub color: Option<Color>,
    /// The label's description when phasebot creates it.
    pub description: Option<Description>,
    /// Line of the entry in its file; 0 where it was not read from one.
    #[serde(skip)]
    pub line: u32,
}
