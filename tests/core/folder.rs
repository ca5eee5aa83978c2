//! Runs every scenario in a folder of `tests/scenarios`, for the tests of each area.

use std::{fs, path::PathBuf};

use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use crate::command::{sending::Ending, stage};

/// Returns the files of a folder of `tests/scenarios` (``: the folder itself), each with its text.
pub fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "scn"));
    files.sort();
    assert!(!files.is_empty());
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Returns the steps of a file.
pub fn steps(text: &str) -> &str {
    text.split_once("\n---\n").map_or(text, |(steps, _)| steps)
}

/// Checks that the results are those in the second half of each file. `BLESS=1` rewrites it.
pub fn as_written(folder: &str, narrate: impl Fn(&str) -> String) {
    let mut failures = Vec::new();
    for (path, text) in files(folder) {
        let (steps, expected) = text.split_once("\n---\n").unwrap_or((&text, ""));
        let actual = narrate(steps);
        if std::env::var_os("BLESS").is_some() {
            fs::write(path, format!("{}\n---\n{actual}", steps.trim_end())).unwrap();
        } else if actual != expected {
            failures.push(format!("{}\n--- expected\n{expected}\n--- actual\n{actual}", path.display()));
        }
    }
    assert!(failures.is_empty(), "BLESS=1 accepts:\n{}", failures.join("\n\n"));
}

/// Checks that deliveries that arrive twice and once more at the end change nothing.
pub fn doubled(folder: &str) {
    for (path, text) in files(folder) {
        let once = stage::ending(steps(&text), false);
        let twice = stage::ending(steps(&text), true);
        assert_eq!(twice, once, "{}", path.display());
    }
}

/// Checks that deliveries in any order, some of them twice, lead to the same result in the
/// scenarios that are `wanted`. Returns the number of these.
pub fn shuffled(folder: &str, wanted: impl Fn(&str) -> bool) -> usize {
    let mut count = 0;
    for (path, text) in files(folder) {
        if !wanted(steps(&text)) {
            continue;
        }
        count += 1;
        let straight: Ending = stage::in_order(steps(&text), None);
        let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        runner
            .run(&prop::collection::vec(any::<u32>(), 100), |keys| {
                let any_order = stage::in_order(steps(&text), Some(&keys));
                prop_assert_eq!(&any_order, &straight, "{}: {:?}", path.display(), keys);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    count
}
