//! Incidents: from alerts to the issues that people read.

mod order;
pub mod stage;

use crate::folder;

/// `tests/scenarios/alerts/*.scn`: steps, a line `---`, and the results. `BLESS=1` rewrites the
/// second half.
#[test]
fn scenarios_come_out_as_written() {
    folder::as_written("alerts", stage::narrate);
}
