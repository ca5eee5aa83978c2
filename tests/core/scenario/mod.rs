//! Scenarios: what happens, and what follows, in one readable file each.
//!
//! `tests/scenarios/*.scn` holds steps, a line `---`, and what the core made of
//! them. `BLESS=1 cargo test scenario` writes the second half anew. Every
//! scenario is also a property: its events in any order, doubled, with the
//! ticks last, must end in the same labels, reasons and histories.

mod cost;
pub mod play;
mod steady;
pub mod world;

use std::{fs, path::PathBuf};

use play::Stage;
use proptest::prelude::*;

fn files() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "scn"));
    files.sort();
    files.into_iter().map(|p| (p.display().to_string(), fs::read_to_string(&p).unwrap())).collect()
}

/// The steps and the expectation of a file.
fn halves(text: &str) -> (&str, &str) {
    text.split_once("\n---\n").unwrap_or((text, ""))
}

#[test]
fn scenarios_come_out_as_written() {
    let bless = std::env::var_os("BLESS").is_some();
    let (mut failures, mut count) = (Vec::new(), 0);
    for (path, text) in files() {
        count += 1;
        let (steps, expected) = halves(&text);
        let actual = play::narrate(steps);
        if bless {
            fs::write(&path, format!("{}\n---\n{actual}", steps.trim_end())).unwrap();
        } else if actual != expected {
            failures.push(format!("{path}\n--- expected\n{expected}\n--- actual\n{actual}"));
        }
    }
    assert!(failures.is_empty(), "BLESS=1 accepts:\n{}", failures.join("\n\n"));
    assert!(count >= 20, "only {count} scenarios found");
}

#[test]
fn order_and_repetition_of_deliveries_change_nothing() {
    for (path, text) in files() {
        let (steps, _) = halves(&text);
        if steps.lines().any(|l| l.starts_with("# in order only")) {
            continue;
        }
        let acts = world::read(steps);
        let straight = Stage::new(&acts).run(&(0..acts.events.len()).collect::<Vec<_>>());
        let mut runner = proptest::test_runner::TestRunner::new_with_rng(
            ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() },
            proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
        );
        let orders =
            prop::collection::vec(0..acts.events.len().max(1), 0..acts.events.len() / 2 + 1).prop_flat_map(|doubles| {
                Just((0..acts_len(&doubles)).collect::<Vec<usize>>()).prop_map(move |_| doubles.clone())
            });
        let count = acts.events.len();
        runner
            .run(&(orders, prop::collection::vec(any::<u32>(), count * 2)), |(doubles, keys)| {
                let mut order: Vec<usize> = (0..count).chain(doubles).collect();
                let mut keyed: Vec<(u32, usize)> = order.drain(..).zip(keys).map(|(i, k)| (k, i)).collect();
                keyed.sort_unstable();
                let order: Vec<usize> = keyed.into_iter().map(|(_, i)| i).collect();
                let shuffled = Stage::new(&acts).run(&order);
                prop_assert_eq!(&shuffled, &straight, "{}: order {:?}", path, order);
                Ok(())
            })
            .unwrap_or_else(|e| panic!("{path}: {e}"));
    }
}

fn acts_len(doubles: &[usize]) -> usize {
    doubles.len()
}
