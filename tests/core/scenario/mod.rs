//! Scenarios: events and what phasebot does, in one readable file each.
//!
//! A scenario is text (`script.rs`) that a [`stage::Stage`] plays: the core's `Repository` and a
//! scripted forge (`forge`), nothing more. `BLESS=1` rewrites what phasebot does. Scenarios whose
//! order may not matter are also played in other orders (`shuffle.rs`).

mod cost;
pub mod folder;
pub mod forge;
mod labels;
mod looks;
mod notices;
mod outbox;
pub mod script;
pub mod shuffle;
pub mod stage;
mod steady;
mod tag_list;
pub mod transcript;

use phasebot_core::{command::COMMANDS, domain::notice::NoticeKind};
use stage::{Probe, Stage};

use crate::gallery::Messages;

/// Plays a scenario, and shows each moment at which something is decided.
pub fn probed(text: &str, probe: Probe) {
    let script = script::Script::read(text);
    let mut stage = Stage::new(script.policy.as_deref());
    stage.probe = Some(probe);
    stage.play(&script);
}

/// Returns the messages that people get in the course of a scenario.
pub fn messages(text: &str) -> Messages {
    let script = script::Script::read(text);
    let mut stage = Stage::new(script.policy.as_deref());
    stage.play(&script);
    stage.messages
}

#[test]
fn phases_are_as_written() {
    folder::as_written("");
}

#[test]
fn alerts_are_as_written() {
    folder::as_written("alerts");
}

#[test]
fn commands_are_as_written() {
    folder::as_written("commands");
}

#[test]
fn deploys_are_as_written() {
    folder::as_written("deploys");
}

#[test]
fn services_are_as_written() {
    folder::as_written("services");
}

#[test]
fn the_gallery_is_as_written() {
    folder::as_written("gallery");
}

#[test]
fn gates_are_as_written() {
    folder::as_written("gates");
}

#[test]
fn people_are_as_written() {
    folder::as_written("people");
}

#[test]
fn notices_are_as_written() {
    folder::as_written("notices");
}

#[test]
fn every_kind_of_notice_has_a_scenario() {
    let played: String = folder::files("notices").into_iter().map(|(_, text)| text).collect();
    for kind in NoticeKind::ALL {
        let line = format!("notice to ops: {} ", kind.name());
        let other = format!("notice to log: {} ", kind.name());
        assert!(played.contains(&line) || played.contains(&other), "no scenario sends {}", kind.name());
    }
}

#[test]
fn every_command_has_a_scenario() {
    let files = folder::files("commands");
    for row in COMMANDS {
        let name = format!("/{}.scn", row.name);
        assert!(files.iter().any(|(path, _)| path.ends_with(&name)), "no scenario for /{}", row.name);
    }
}

#[test]
fn order_and_repetition_of_deliveries_change_no_phase() {
    shuffle::items_in_any_order("");
}

#[test]
fn order_and_repetition_of_deliveries_change_nothing_of_a_service() {
    shuffle::items_in_any_order("services");
}

#[test]
#[should_panic(expected = "SEED=")]
fn a_shuffle_that_fails_names_its_seed() {
    shuffle::any_order(1, 1, |_| Err(proptest::test_runner::TestCaseError::fail("it depends on the order")));
}

/// The order is not shuffled where people act: a command is decided when it arrives, and an effect
/// that was sent cannot be undone when an earlier event arrives late.
#[test]
fn repetition_of_deliveries_changes_nothing() {
    for folder in ["commands", "deploys", "gates", "notices", "people"] {
        shuffle::doubled(folder);
    }
}

#[test]
fn order_of_deliveries_changes_no_gate() {
    let played = shuffle::endings_in_any_order("gates", |text| !text.contains("\n: "));
    assert!(played >= 10, "only {played} scenarios without commands");
}
