//! Loads the operator's policy, which the settings name.

use std::{path::Path, sync::Arc};

use crate::{
    app::FilePolicies,
    cli::Failure,
    domain::policy::Policy,
    policy::{self, Layer, Parsed, Rank},
};

/// Creates the policies with the operator's file, or with the built-in policy only.
pub(super) fn operators(file: Option<&Path>) -> Result<Arc<FilePolicies>, Failure> {
    let operator = file.map(read).transpose()?;
    FilePolicies::new(operator).map(Arc::new).map_err(|problems| wrong(&problems))
}

/// Replaces the operator's policy with the file's present content.
pub(super) fn renew(policies: &FilePolicies, file: Option<&Path>) -> Result<(), Failure> {
    let operator = file.map(read).transpose()?;
    policies.renew(operator).map_err(|problems| wrong(&problems))
}

/// Loads a policy file with this rank.
pub(super) fn load(file: &Path, rank: Rank) -> Result<Policy, Failure> {
    let parsed = read(file)?;
    policy::compile(&policy::merge(&[Layer { rank, parsed }])).map_err(|problems| wrong(&problems))
}

fn read(file: &Path) -> Result<Parsed, Failure> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Message(format!("the policy file {name} can't be read: {error}")))?;
    policy::parse(&name, &text).map_err(|problems| wrong(&problems))
}

fn wrong(problems: &[policy::Problem]) -> Failure {
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Failure::Message(format!("the policy is not right\n{}", text.join("\n")))
}
