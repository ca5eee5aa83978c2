//! Warns of what two services claim, and of paths that no file has.

use std::collections::BTreeMap;

use crate::{
    domain::{policy::Pattern, rule::name_key},
    policy::{
        Merged, Parsed, Problem,
        file::{
            service::ServiceFile,
            text::{Glob, Globs, Name},
        },
        problem::quote,
        validate::path,
    },
};

/// Adds a warning for each glob that two services of the file have, for each environment of the policy
/// that the globs of two services match, and for each service in `auto` that does not exist.
pub(super) fn warn(parsed: &Parsed, merged: &Merged, warnings: &mut Vec<Problem>) {
    let services = parsed.file.services.iter().flatten();
    let mut seen: BTreeMap<(&str, String), &Name> = BTreeMap::new();
    for (name, service) in services.clone() {
        for (key, globs) in service.lists() {
            for glob in globs.list() {
                let text = if key == "environments" { name_key(glob.as_str()) } else { glob.as_str().to_owned() };
                if let Some(other) = seen.insert((key, text), name).filter(|other| *other != name) {
                    let message = format!("{} also belongs to {}", quote(glob.as_str()), quote(other.as_str()));
                    let here = path(["services".into(), name.as_str().into(), key.into()]);
                    warnings.push(parsed.problem(&here, message));
                }
            }
        }
    }
    for (environment, file) in parsed.file.environments.iter().flatten() {
        let named = file.auto.iter().flat_map(|auto| auto.services.iter().flatten());
        let is_known =
            |name: &Name| merged.file.services.iter().flatten().any(|(known, _)| known.as_str() == name.as_str());
        for name in named.filter(|name| !is_known(name)) {
            let here = path(["environments".into(), environment.as_str().into(), "auto".into(), "services".into()]);
            warnings.push(parsed.problem(&here, format!("there is no service {}", quote(name.as_str()))));
        }
    }
    for (environment, _) in merged.file.environments.iter().flatten() {
        let claim = services.clone().filter(|(_, service)| claims(service, environment.as_str()));
        let claim: Vec<&Name> = claim.map(|(name, _)| name).collect();
        if let [first, .., last] = claim.as_slice() {
            let here = path(["services".into(), last.as_str().into(), "environments".into()]);
            let (environment, first) = (quote(environment.as_str()), quote(first.as_str()));
            let message = format!("environment {environment} belongs to {first}, which also claims it");
            warnings.push(parsed.problem(&here, message));
        }
    }
}

/// Adds a warning for each path of a service, or of `shared`, that none of the repository's files has.
pub(super) fn warn_of_missing(parsed: &Parsed, files: &[String], warnings: &mut Vec<Problem>) {
    let services = parsed.file.services.iter().flatten();
    let lists = services.filter_map(|(name, service)| {
        Some((path(["services".into(), name.as_str().into(), "paths".into()]), service.paths.as_ref()?))
    });
    let shared = parsed.file.shared.iter().map(|globs| (path(["shared".into()]), globs));
    for (here, globs) in lists.chain(shared) {
        for glob in globs.list() {
            let pattern = Pattern::new(glob.as_str());
            if pattern.is_ok_and(|pattern| !files.iter().any(|file| pattern.matches(file))) {
                warnings.push(parsed.problem(&here, format!("{} matches no file here", quote(glob.as_str()))));
            }
        }
    }
}

/// Checks that no service has the label of a phase. `phases`: their names, by label in lower case.
pub(super) fn check_labels(merged: &Merged, phases: &BTreeMap<String, &str>, problems: &mut Vec<Problem>) {
    for layer in merged.layers() {
        for (name, service) in layer.parsed.file.services.iter().flatten() {
            let Some(label) = &service.label else { continue };
            if let Some(phase) = phases.get(&label.as_str().to_lowercase()) {
                let here = path(["services".into(), name.as_str().into(), "label".into()]);
                let message = format!("label {} already shows the phase {}", quote(label.as_str()), quote(phase));
                problems.push(layer.parsed.problem(&here, message));
            }
        }
    }
}

fn claims(service: &ServiceFile, environment: &str) -> bool {
    let matches =
        |glob: &Glob| Pattern::new(&name_key(glob.as_str())).is_ok_and(|glob| glob.matches(&name_key(environment)));
    service.environments.iter().flat_map(Globs::list).any(matches)
}
