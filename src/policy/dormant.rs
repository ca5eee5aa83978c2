//! What this version of the program reads but does not act on.

use super::file::PolicyFile;

/// Keys of the file that are checked and kept without effect, so that a file
/// can be written ahead of the program and nobody relies on what isn't there.
pub fn dormant(file: &PolicyFile) -> Vec<String> {
    let sections = [("commands", file.commands.is_some())];
    sections.iter().filter(|(_, there)| *there).map(|(key, _)| (*key).to_owned()).collect()
}
