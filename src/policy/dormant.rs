//! What this version of the program reads but does not act on.

use super::file::{PolicyFile, environment::EnvironmentFile};

/// Keys of the file that are checked and kept without effect, so that a file
/// can be written ahead of the program and nobody relies on a gate that isn't there.
pub fn dormant(file: &PolicyFile) -> Vec<String> {
    let sections = [
        ("commands", file.commands.is_some()),
        ("gates", file.gates.is_some()),
        ("freezes", file.freezes.is_some()),
        ("override", file.overrides.is_some()),
    ];
    let mut keys: Vec<String> = sections.iter().filter(|(_, there)| *there).map(|(key, _)| (*key).to_owned()).collect();
    for (name, environment) in file.environments.iter().flatten() {
        let EnvironmentFile { production: _, after, deploy, auto, unmerged, pin, require, rollback, overridable } =
            environment;
        let settings = [
            ("after", after.is_some()),
            ("deploy", deploy.is_some()),
            ("auto", auto.is_some()),
            ("unmerged", unmerged.is_some()),
            ("pin", pin.is_some()),
            ("require", require.is_some()),
            ("rollback", rollback.is_some()),
            ("overridable", overridable.is_some()),
        ];
        let there = settings.iter().filter(|(_, there)| *there);
        keys.extend(there.map(|(key, _)| format!("environments.{}.{key}", name.as_str())));
    }
    keys
}
