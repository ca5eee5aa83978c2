//! Slash commands: execution, permissions and answers.

mod bounds;
mod parser;
pub mod sending;
pub mod stage;
mod table;

use crate::folder;

/// `tests/scenarios/commands/*.scn`: steps, a line `---`, and the results. `BLESS=1` rewrites the
/// second half.
#[test]
fn scenarios_come_out_as_written() {
    folder::as_written("commands", stage::narrate);
    let files = folder::files("commands");
    let commands = phasebot_core::command::COMMANDS;
    let names: Vec<String> = files.iter().map(|(p, _)| p.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    for row in commands {
        assert!(names.iter().any(|name| name == row.name), "no scenario for /{}", row.name);
    }
}
