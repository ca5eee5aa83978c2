//! Incidents: from alerts to the issues that people read.

mod order;
mod stage;

use crate::folder;

/// `tests/scenarios/alerts/*.scn`: steps, a line `---`, what came of them.
/// `BLESS=1` writes the second half anew.
#[test]
fn scenarios_come_out_as_written() {
    folder::as_written("alerts", stage::narrate);
}
