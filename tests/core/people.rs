//! A person is an account, not a name: who asks, writes and approves.

use crate::{command::stage::narrate, folder};

/// `tests/scenarios/people/*.scn`: a policy, steps as in `tests/core/command/stage.rs`,
/// a line `---`, what came of them. `BLESS=1` writes the second half anew.
#[test]
fn scenarios_come_out_as_written() {
    folder::as_written("people", narrate);
}

/// What is delivered twice, and once more in the end, changes nothing.
#[test]
fn repetition_of_deliveries_changes_nothing() {
    folder::doubled("people");
}
