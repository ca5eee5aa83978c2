//! `docs/metrics.md` says what the doc comments of the figures say.

use std::path::Path;

use phasebot_core::insight::definitions::definitions_markdown;

#[test]
fn the_definitions_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let wanted = definitions_markdown();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == wanted, "run BLESS=1 cargo test -p phasebot-core --test core insight::definitions");
    assert!(!wanted.contains("|  |"), "every figure has a definition");
}
