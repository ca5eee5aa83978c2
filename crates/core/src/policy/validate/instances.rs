//! Checks of environments that are made for pull requests: that their keys fit together, and that none
//! is ever taken for another one.

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
        validate::{below, path},
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
    for (name, file) in all {
        check_keys(merged, name, file, problems);
    }
}

/// Adds a problem for each key that does not fit an environment, and for each that it lacks. A layer
/// may give some of them, and one below it the others.
fn check_keys(merged: &Merged, name: &Name, file: &EnvironmentFile, problems: &mut Vec<Problem>) {
    let has_per = |file: &EnvironmentFile| file.per.is_some();
    if file.per.is_none() {
        for key in file.keys_of_per() {
            let gives = |file: &EnvironmentFile| file.keys_of_per().any(|given| given == key);
            report_last(merged, name, Some(key), gives, "is only for `per: pull_request`", problems);
        }
        return;
    }
    for key in file.keys_beside_per() {
        let gives = |file: &EnvironmentFile| file.keys_beside_per().any(|given| given == key);
        let message = "does not fit an environment with `per: pull_request`";
        report_last(merged, name, Some(key), |file| gives(file) || has_per(file), message, problems);
    }
    if file.teardown.is_none() {
        let message = "`per: pull_request` needs `teardown`, the workflow that tears the environment down";
        report_last(merged, name, None, has_per, message, problems);
    }
    if file.deploy.is_none() {
        report_last(merged, name, None, has_per, "`per: pull_request` needs `deploy`", problems);
    }
}

/// Adds a problem with an environment to the last layer whose description of it `is_meant` accepts: at
/// a key, or where it has none, at the environment. What a mistake left out is not missing.
fn report_last(
    merged: &Merged,
    name: &Name,
    key: Option<&'static str>,
    is_meant: impl Fn(&EnvironmentFile) -> bool,
    message: &str,
    problems: &mut Vec<Problem>,
) {
    let mut found = None;
    for layer in merged.layers() {
        for (written, file) in layer.parsed.file.environments.iter().flatten() {
            if name_key(written.as_str()) != name_key(name.as_str()) {
                continue;
            }
            let here = path(["environments".into(), written.as_str().into()]);
            if !layer.parsed.is_whole(&here) {
                return;
            }
            if is_meant(file) {
                found = Some((layer, key.map_or(here.clone(), |key| below(&here, key))));
            }
        }
    }
    problems.extend(found.map(|(layer, place)| layer.parsed.problem(&place, message)));
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
