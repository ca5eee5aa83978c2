//! Gates: the decisions of each condition, and the check runs that show them.

mod calendar;
mod own_status;
mod properties;

use crate::{command::stage::narrate, folder};

/// `tests/scenarios/gates/*.scn`: a policy, steps as in `tests/core/command/stage.rs`, a line
/// `---`, and the decisions. `BLESS=1` rewrites the second half.
#[test]
fn scenarios_come_out_as_written() {
    folder::as_written("gates", narrate);
}

/// Deliveries that arrive twice, and once more at the end, change nothing.
#[test]
fn repetition_of_deliveries_changes_nothing() {
    folder::doubled("gates");
}

/// Without human actions, any order of the deliveries leads to the same decisions. The effect of a
/// command is decided when it arrives, so there the order matters.
#[test]
fn order_of_deliveries_changes_no_decision() {
    let shuffled = folder::shuffled("gates", |steps| !steps.contains("\n  : "));
    assert!(shuffled >= 10, "only {shuffled} scenarios without commands");
}
