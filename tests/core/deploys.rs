//! Deployments: starts, blocks and messages, as the forge sees them.

use crate::{command::stage::narrate, folder};

/// `tests/scenarios/deploys/*.scn`: steps as in `tests/core/command/stage.rs`, a line `---`, and
/// the results. `BLESS=1` rewrites the second half.
#[test]
fn scenarios_come_out_as_written() {
    folder::as_written("deploys", narrate);
}

/// Deliveries that arrive twice, and once more at the end, start nothing again. The order is not
/// shuffled: a command is decided when it arrives, and an effect that was sent cannot be undone
/// when an earlier event arrives late.
#[test]
fn repetition_of_deliveries_starts_nothing_again() {
    folder::doubled("deploys");
}
