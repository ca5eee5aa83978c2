//! Scenarios: events and their results, in one readable file each.
//!
//! `tests/scenarios/*.scn` contains steps, a line `---`, and the core's results. `BLESS=1 cargo
//! test scenario` rewrites the second half. Every scenario is also a property: its events in any
//! order, doubled, with the ticks last, must lead to the same labels, reasons and histories.

pub mod accounts;
mod cost;
mod labels;
pub mod play;
mod steady;
mod tag_list;
pub mod world;

use play::Stage;
use proptest::prelude::*;

use crate::folder;

#[test]
fn scenarios_come_out_as_written() {
    folder::as_written("", play::narrate);
}

#[test]
fn order_and_repetition_of_deliveries_change_nothing() {
    for (path, text) in folder::files("") {
        let (path, steps) = (path.display().to_string(), folder::steps(&text));
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
