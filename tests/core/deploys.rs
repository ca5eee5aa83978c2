//! Deployments: starts, blocks and messages, as the forge sees them.

use crate::{command::stage::narrate, folder};

/// `tests/scenarios/deploys/*.scn`: steps as in `tests/core/command/stage.rs`, a
/// line `---`, what was done. `BLESS=1` writes the second half anew.
#[test]
fn scenarios_come_out_as_written() {
    folder::as_written("deploys", narrate);
}

/// What is delivered twice, and once more in the end, starts nothing again.
/// The order is not shuffled: a command is decided when it is said, and what
/// is sent to the forge can't be taken back when something earlier comes late.
#[test]
fn repetition_of_deliveries_starts_nothing_again() {
    folder::doubled("deploys");
}
