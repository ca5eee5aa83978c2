//! Checks that an environment made for a pull request is never taken for another one.

use crate::{
    domain::{
        per_pull::{may_overlap, pull_in},
        rule::name_key,
    },
    policy::{
        Merged, Problem,
        file::{environment::EnvironmentFile, text::Name},
        problem::quote,
        rules::template,
        validate::path,
    },
};

/// Adds a problem for each template that makes the name of another environment, and for each
/// environment that a lower layer turns into a template.
pub(super) fn check(merged: &Merged, problems: &mut Vec<Problem>) {
    let all: Vec<(&Name, &EnvironmentFile)> = merged.file.environments.iter().flatten().collect();
    for (index, (name, file)) in all.iter().enumerate().filter(|(_, (_, file))| file.per.is_some()) {
        let made = template(name, file);
        for (other_index, (other_name, other)) in all.iter().enumerate().filter(|(other, _)| *other != index) {
            let message = if pull_in(&made, other_name.as_str()).is_some() {
                format!("{} may be the name of the environment {}", quote(&made), quote(other_name.as_str()))
            } else if other_index > index && other.per.is_some() && may_overlap(&made, &template(other_name, other)) {
                let other = template(other_name, other);
                format!("{} and {} may name the same environment", quote(&made), quote(&other))
            } else {
                continue;
            };
            report(merged, &[name, other_name], message, problems);
        }
    }
    check_layers(merged, problems);
}

/// Reports environments of an upper layer that a lower one makes for pull requests only: what is
/// required of the former would hold nowhere.
fn check_layers(merged: &Merged, problems: &mut Vec<Problem>) {
    for (index, layer) in merged.layers().iter().enumerate() {
        for (name, _) in layer.parsed.file.environments.iter().flatten().filter(|(_, file)| file.per.is_some()) {
            let mut above = merged.layers()[..index].iter().flat_map(|above| &above.parsed.file.environments).flatten();
            let is_same = |other: &Name| name_key(other.as_str()) == name_key(name.as_str());
            if above.any(|(other, file)| is_same(other) && file.per.is_none()) {
                let here = path(["environments".into(), name.as_str().into(), "per".into()]);
                let message = format!("a layer above describes {} as one environment", quote(name.as_str()));
                problems.push(layer.parsed.problem(&here, message));
            }
        }
    }
}

/// Adds a problem to the lowest layer that describes one of the environments.
fn report(merged: &Merged, names: &[&Name], message: String, problems: &mut Vec<Problem>) {
    for layer in merged.layers().iter().rev() {
        let described = layer.parsed.file.environments.iter().flatten().map(|(name, _)| name);
        let is_named = |name: &&Name| names.iter().any(|other| name_key(other.as_str()) == name_key(name.as_str()));
        if let Some(name) = described.into_iter().find(is_named) {
            let here = path(["environments".into(), name.as_str().into()]);
            return problems.push(layer.parsed.problem(&here, message));
        }
    }
}
