//! Gates: what each condition decides, and the check runs that show it.

mod calendar;
mod properties;

use crate::{command::stage::narrate, folder};

/// `tests/scenarios/gates/*.scn`: a policy, steps as in `tests/core/command/stage.rs`,
/// a line `---`, what was decided. `BLESS=1` writes the second half anew.
#[test]
fn scenarios_come_out_as_written() {
    folder::as_written("gates", narrate);
}

/// What is delivered twice, and once more in the end, changes nothing.
#[test]
fn repetition_of_deliveries_changes_nothing() {
    folder::doubled("gates");
}

/// Where no person says anything, any order of the deliveries ends in the same
/// decisions. What a command does is decided when it is said: there the order
/// is part of the story.
#[test]
fn order_of_deliveries_changes_no_decision() {
    let shuffled = folder::shuffled("gates", |steps| !steps.contains("\n  : "));
    assert!(shuffled >= 10, "only {shuffled} scenarios without commands");
}
