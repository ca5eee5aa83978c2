//! Settings from the environment.

use std::collections::BTreeMap;

use crate::settings::{
    Draft,
    key::{self, Refused},
    problem::{Place, Problem, nearest},
    value::Given,
};

const PREFIX: &str = "PHASEBOT_";

/// Reads the environment's settings into `draft`.
pub(super) fn read(draft: &mut Draft, environment: &BTreeMap<String, String>) {
    // Other tools' name for it; our own takes precedence.
    if let Some(url) = environment.get("DATABASE_URL").filter(|url| !url.is_empty()) {
        set(draft, "DATABASE_URL", &["database_url"], &Given::Variable(url));
    }
    for (name, value) in environment {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        if name == "PHASEBOT_CONFIG" || name == "PHASEBOT_CRASH_AT" || is_service_link(rest) {
            continue;
        }
        let lower = rest.to_ascii_lowercase();
        let path: Vec<&str> = lower.split("__").collect();
        if key::is_secret(&path).is_some() {
            set(draft, name, &path, &Given::Variable(value));
        } else if let Some(path) = secret_file(&path) {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            named_file(draft, environment, name, &path, value);
        } else {
            unknown(draft, name, &path);
        }
    }
}

/// Returns the secret whose file `path` names, if it ends in `_file`.
fn secret_file(path: &[&str]) -> Option<Vec<String>> {
    let (last, section) = path.split_last()?;
    let last = last.strip_suffix("_file")?;
    let whole: Vec<&str> = section.iter().copied().chain([last]).collect();
    (key::is_secret(&whole) == Some(true)).then(|| whole.into_iter().map(str::to_owned).collect())
}

fn named_file(draft: &mut Draft, environment: &BTreeMap<String, String>, name: &str, path: &[&str], file: &str) {
    let direct = variable(&path.join("."));
    if environment.contains_key(&direct) {
        let problem = Problem::new(Place::Variable(name.to_owned()), format!("{direct} is set too"));
        draft.problems.push(problem.with_help("set one of the two".to_owned()));
        return;
    }
    match std::fs::read_to_string(file) {
        Ok(contents) => set(draft, name, path, &Given::Contents(&contents)),
        Err(error) => draft
            .problems
            .push(Problem::new(Place::Variable(name.to_owned()), format!("the file {file} can't be read: {error}"))),
    }
}

fn set(draft: &mut Draft, name: &str, path: &[&str], value: &Given<'_>) {
    match key::set(draft, path, value) {
        Ok(()) => {}
        Err(Refused::Unknown(_)) => unknown(draft, name, path),
        Err(Refused::Section(message) | Refused::Value(message)) => {
            draft.problems.push(Problem::new(Place::Variable(name.to_owned()), message));
        }
    }
}

fn unknown(draft: &mut Draft, name: &str, path: &[&str]) {
    let place = Place::Variable(name.to_owned());
    let problem = if let Some(message) = key::section_problem(path) {
        Problem::new(place, message.to_owned())
    } else {
        let mut candidates: Vec<String> = key::names(path).iter().map(|key| variable(key)).collect();
        candidates.push("PHASEBOT_CONFIG".to_owned());
        Problem::new(place, "there is no such setting".to_owned())
            .with_help(nearest(name, candidates).map(|nearest| format!("did you mean {nearest}?")))
    };
    draft.problems.push(problem);
}

/// Returns the variable that sets a setting.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// Returns whether a variable is one that Kubernetes sets in every container for each service in
/// its namespace. Those of a service called `phasebot` look like settings.
fn is_service_link(rest: &str) -> bool {
    rest == "PORT"
        || rest == "SERVICE_HOST"
        || rest.starts_with("SERVICE_PORT")
        || rest.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
