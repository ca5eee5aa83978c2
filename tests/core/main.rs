//! What phasebot decides, without anything that acts: this program needs only
//! `domain`, `decide` and `policy`.
//!
//! `cargo test --no-default-features --test core` compiles just those, in
//! seconds, and so does each change that `scripts/mutants` tries.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;
mod deploys;
mod feedback;
mod folder;
mod gate;
mod history;
mod incident;
mod lines;
mod people;
mod policy;
mod preview;
mod recheck;
mod scenario;
mod unknown;
mod version;

use phasebot_core::domain::policy::Policy;

/// The built-in policy, or this one on top of it.
fn policy_of(text: Option<&str>) -> Policy {
    match text {
        None => phasebot_core::policy::built_in(),
        Some(text) => {
            phasebot_core::policy::load(".github/phasebot.yml", text).unwrap_or_else(|problems| panic!("{problems:?}"))
        }
    }
}
