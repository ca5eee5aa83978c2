//! The policy that the operator's settings name.

use std::{path::Path, sync::Arc};

use super::Failure;
use crate::{
    domain::policy::Policy,
    policy::{self, Layer, Rank},
};

/// Reads the operator's policy on top of the built-in one; without a file, the built-in one.
pub(super) fn operators(file: Option<&Path>) -> Result<Arc<Policy>, Failure> {
    let Some(file) = file else { return Ok(Arc::new(policy::built_in())) };
    load(file, Rank::Operator).map(Arc::new)
}

/// Reads a policy file as one of this rank.
pub(super) fn load(file: &Path, rank: Rank) -> Result<Policy, Failure> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Message(format!("the policy file {name} can't be read: {error}")))?;
    let parsed = policy::parse(&name, &text).map_err(|problems| wrong(&problems))?;
    policy::compile(&policy::merge(&[Layer { rank, parsed }])).map_err(|problems| wrong(&problems))
}

fn wrong(problems: &[policy::Problem]) -> Failure {
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Failure::Message(format!("the policy is not right\n{}", text.join("\n")))
}
