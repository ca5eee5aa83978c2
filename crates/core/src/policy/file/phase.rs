//! Phases.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::file::{
    evidence::EvidenceFile,
    text::{Color, Description, LabelName, PhaseName},
};

/// A phase: its name, its label and its evidence.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Phase")]
pub struct PhaseFile {
    /// Name, as in `/phase NAME`.
    pub name: PhaseName,
    /// Evidence. Any of these puts an item into the phase. It is optional only for a phase that
    /// also exists above.
    #[schemars(length(min = 1, max = 50))]
    pub when: Option<Vec<EvidenceFile>>,
    /// The label that shows the phase. Default: `phase/NAME`.
    pub label: Option<LabelName>,
    /// The label's colour when phasebot creates it. Default: grey.
    pub color: Option<Color>,
    /// The label's description when phasebot creates it.
    pub description: Option<Description>,
    /// Line of the entry in its file; 0 if it was not read from one.
    #[serde(skip)]
    pub line: u32,
}
