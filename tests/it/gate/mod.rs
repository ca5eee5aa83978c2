//! Gates: what each condition decides, and the check runs that show it.

mod flow;
mod properties;

use std::{fs, path::PathBuf};

/// `tests/scenarios/gates/*.scn`: a policy, steps as in `tests/it/command/stage.rs`,
/// a line `---`, what was decided. `BLESS=1` writes the second half anew.
#[test]
fn scenarios_come_out_as_written() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/gates");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "scn"));
    files.sort();
    assert!(!files.is_empty());
    let mut failures = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path).unwrap();
        let (steps, expected) = text.split_once("\n---\n").unwrap_or((&text, ""));
        let actual = crate::command::stage::narrate(steps);
        if std::env::var_os("BLESS").is_some() {
            fs::write(path, format!("{}\n---\n{actual}", steps.trim_end())).unwrap();
        } else if actual != expected {
            failures.push(format!("{}\n--- expected\n{expected}\n--- actual\n{actual}", path.display()));
        }
    }
    assert!(failures.is_empty(), "BLESS=1 accepts:\n{}", failures.join("\n\n"));
}
