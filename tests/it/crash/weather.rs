//! What goes wrong on the forge's side during a storm: with one request in twenty.

use std::time::Duration;

use phasebot_forge_sim::{FaultKind, Weather};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Of so many requests one fails.
const ONE_IN: usize = 20;

/// What can happen to any request.
const USUAL: [FaultKind; 4] =
    [FaultKind::Status502Before, FaultKind::Status502AfterApply, FaultKind::ResetBefore, FaultKind::ResetAfterApply];
/// The same for whoever has half a minute or more: so long the bot waits then.
const SLOW: [FaultKind; 3] =
    [FaultKind::Timeout, FaultKind::SecondaryLimit403, FaultKind::RateLimit429 { retry_after: Duration::from_secs(1) }];
/// Parts of the routes to what was made a moment ago: a replica that lags does not know it.
const NEW: [&str; 4] = ["{issue_number}", "{comment_id}", "{check_run_id}", "{deployment_id}"];

/// The weather of a seed. `slow`: also what takes half a minute or more to get over.
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
