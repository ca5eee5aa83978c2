//! Incidents: from what alerts say to issues that people read.

mod order;
mod stage;

use std::{fs, path::PathBuf};

/// `tests/scenarios/alerts/*.scn`: steps, a line `---`, what came of them.
/// `BLESS=1` writes the second half anew.
#[test]
fn scenarios_come_out_as_written() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/alerts");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "scn"));
    files.sort();
    let mut failures = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path).unwrap();
        let (steps, expected) = text.split_once("\n---\n").unwrap_or((&text, ""));
        let actual = stage::narrate(steps);
        if std::env::var_os("BLESS").is_some() {
            fs::write(path, format!("{}\n---\n{actual}", steps.trim_end())).unwrap();
        } else if actual != expected {
            failures.push(format!("{}\n--- expected\n{expected}\n--- actual\n{actual}", path.display()));
        }
    }
    assert!(failures.is_empty(), "BLESS=1 accepts:\n{}", failures.join("\n\n"));
    assert!(files.len() >= 12, "only {} scenarios found", files.len());
}
