//! Faults of the forge during a storm: one request in twenty fails.

use std::time::Duration;

use phasebot_forge_sim::{FaultKind, Weather};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// One in this many requests fails.
const ONE_IN: usize = 20;

/// Faults that can affect any request.
const USUAL: [FaultKind; 4] =
    [FaultKind::Status502Before, FaultKind::Status502AfterApply, FaultKind::ResetBefore, FaultKind::ResetAfterApply];
/// Further faults that make the bot wait for half a minute or more.
const SLOW: [FaultKind; 3] =
    [FaultKind::Timeout, FaultKind::SecondaryLimit403, FaultKind::RateLimit429 { retry_after: Duration::from_secs(1) }];
/// Parts of the routes to objects that were just created: a lagging replica does not know them.
const NEW: [&str; 4] = ["{issue_number}", "{comment_id}", "{check_run_id}", "{deployment_id}"];

/// Returns the faults of a seed. `slow`: also those that take half a minute or more to recover
/// from.
pub fn rough(seed: u64, slow: bool) -> Weather {
    let mut random = StdRng::seed_from_u64(!seed);
    Box::new(move |method, route| {
        if random.random_range(0..ONE_IN) > 0 {
            return None;
        }
        let mut kinds = USUAL.to_vec();
        if slow {
            kinds.extend(SLOW);
        }
        if NEW.iter().any(|part| route.contains(part)) {
            kinds.push(FaultKind::NotFoundThenOk);
        }
        if method == "GET" && !route.ends_with('}') {
            kinds.push(FaultKind::StaleList);
        }
        Some(kinds[random.random_range(0..kinds.len())])
    })
}
