//! What this version of the program reads but does not act on.

use super::file::{PolicyFile, environment::EnvironmentFile};

/// Keys of the file that are checked and kept without effect, so that a file
/// can be written ahead of the program and nobody relies on a gate that isn't there.
pub fn dormant(file: &PolicyFile) -> Vec<String> {
    let sections = [("commands", file.commands.is_some())];
    let mut keys: Vec<String> = sections.iter().filter(|(_, there)| *there).map(|(key, _)| (*key).to_owned()).collect();
    for (name, gate) in file.gates.iter().flatten() {
        let settings = [("publish", gate.publish.is_some()), ("on_violation", gate.on_violation.is_some())];
        let there = settings.iter().filter(|(_, there)| *there);
        keys.extend(there.map(|(key, _)| format!("gates.{}.{key}", name.as_str())));
    }
    for (name, environment) in file.environments.iter().flatten() {
        let EnvironmentFile {
            production: _,
            after: _,
            deploy,
            auto,
            unmerged,
            pin,
            when_busy,
            require: _,
            rollback,
            overridable: _,
        } = environment;
        let settings = [
            ("deploy", deploy.is_some()),
            ("auto", auto.is_some()),
            ("unmerged", unmerged.is_some()),
            ("pin", pin.is_some()),
            ("when_busy", when_busy.is_some()),
            ("rollback", rollback.is_some()),
        ];
        let there = settings.iter().filter(|(_, there)| *there);
        keys.extend(there.map(|(key, _)| format!("environments.{}.{key}", name.as_str())));
    }
    keys
}
