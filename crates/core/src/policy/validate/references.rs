//! Checks that the environments named in conditions, freezes and alerts exist.
//!
//! A policy that describes no environment may name those of the forge. If it describes some, any
//! other name is a mistake.

use std::collections::BTreeSet;

use crate::{
    domain::fact::command::ALL,
    policy::{
        Merged, Parsed, Problem, Rank,
        file::{condition::Condition, text::Name},
        problem::{list, nearest, quote},
        validate::{below, path},
        yaml::Step,
    },
};

/// The place where an environment is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Deployed,
    Alerts,
    External,
    Database,
    Freeze,
}

/// Adds a problem for each name that no layer describes. Only the repository's own file is checked:
/// the layers above apply to many repositories.
pub(super) fn check(merged: &Merged, problems: &mut Vec<Problem>) {
    let described = described(merged);
    if described.is_empty() {
        return;
    }
    for layer in merged.layers().iter().filter(|layer| layer.rank == Rank::Repository) {
        all(&layer.parsed, &mut |place, name, _| {
            if !described.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                problems.extend(unknown(&layer.parsed, &place, name, &described));
            }
        });
    }
}

/// Returns the names of the environments that a layer describes, also those that have mistakes.
pub(super) fn described(merged: &Merged) -> Vec<&str> {
    let names = merged.file.environments.iter().flatten().map(|(name, _)| name.as_str());
    let written = merged.layers().iter().flat_map(|layer| &layer.parsed.origin.environments);
    names.chain(written.map(String::as_str)).collect()
}

/// Returns the problem of a name that no layer describes; `None`: a misspelled `environments` may
/// hide the description.
pub(super) fn unknown(parsed: &Parsed, place: &[Step], name: &str, described: &[&str]) -> Option<Problem> {
    let meant = nearest(name, described.iter().copied());
    let known: BTreeSet<&str> = described.iter().copied().collect();
    let message = match meant {
        Some(_) => format!("no environment is called {}", quote(name)),
        None => format!("no environment is called {}; known here: {}", quote(name), list(known)),
    };
    parsed.knows_environments().then(|| parsed.problem(place, message).meant(meant))
}

/// Adds a warning for each freeze of an environment if the policy describes none.
pub(super) fn warn(parsed: &Parsed, merged: &Merged, warnings: &mut Vec<Problem>) {
    if merged.file.environments.iter().flatten().next().is_some() {
        return;
    }
    all(parsed, &mut |place, name, kind| {
        if kind == Kind::Freeze {
            let message = format!("nothing is deployed to {}: `environments` describes none", quote(name));
            warnings.push(parsed.problem(&place, message));
        }
    });
}

/// Calls `each` with the path, the name and the kind of every reference.
fn all(parsed: &Parsed, each: &mut impl FnMut(Vec<Step>, &str, Kind)) {
    let file = &parsed.file;
    for (name, gate) in file.gates.iter().flatten() {
        let here = path(["gates".into(), name.as_str().into(), "require".into()]);
        named(&here, gate.require.as_deref().unwrap_or_default(), each);
    }
    for (name, environment) in file.environments.iter().flatten() {
        let here = path(["environments".into(), name.as_str().into(), "require".into()]);
        named(&here, environment.require.as_deref().unwrap_or_default(), each);
    }
    for (index, freeze) in file.freezes.iter().flatten().enumerate() {
        let name = freeze.environment.as_str();
        if !name.eq_ignore_ascii_case(ALL) {
            each(path(["freezes".into(), index.into(), "environment".into()]), name, Kind::Freeze);
        }
    }
    let Some(alerts) = &file.alerts else { return };
    if let Some(name) = &alerts.environment {
        each(path(["alerts".into(), "environment".into()]), name.as_str(), Kind::Alerts);
    }
    for (index, route) in alerts.routes.iter().flatten().enumerate() {
        if let Some(name) = &route.environment {
            let here = path(["alerts".into(), "routes".into(), index.into(), "environment".into()]);
            each(here, name.as_str(), Kind::Alerts);
        }
    }
}

/// Does the same for a list of conditions, at any depth.
pub(super) fn named(here: &[Step], conditions: &[Condition], each: &mut impl FnMut(Vec<Step>, &str, Kind)) {
    for (index, condition) in conditions.iter().enumerate() {
        one(&below(here, index), condition, each);
    }
}

fn one(here: &[Step], condition: &Condition, each: &mut impl FnMut(Vec<Step>, &str, Kind)) {
    let mut tell = |key: &str, name: &Name, kind: Kind| {
        each(below(&below(here, key), "environment"), name.as_str(), kind);
    };
    match condition {
        Condition::Deployed(deployed) => tell("deployed", &deployed.environment, Kind::Deployed),
        Condition::Alerts(alerts) => {
            if let Some(name) = &alerts.environment {
                tell("alerts", name, Kind::Alerts);
            }
        }
        Condition::External(external) => {
            if let Some(name) = &external.environment {
                tell("external", name, Kind::External);
            }
        }
        Condition::Database(database) => {
            if let Some(name) = &database.environment {
                tell("database", name, Kind::Database);
            }
        }
        Condition::All(inner) => named(&below(here, "all"), inner, each),
        Condition::Any(inner) => named(&below(here, "any"), inner, each),
        Condition::Not(inner) => one(&below(here, "not"), inner, each),
        Condition::Checks(_)
        | Condition::Reviews(_)
        | Condition::Tag(_)
        | Condition::Blockers(_)
        | Condition::Window(_)
        | Condition::Approval(_)
        | Condition::Ancestry(_)
        | Condition::Lock(_)
        | Condition::Freeze(_)
        | Condition::Hold(_) => {}
    }
}
