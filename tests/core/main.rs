//! Tests of phasebot's decisions, without any I/O: this program needs only the package
//! `phasebot-core`.
//!
//! `cargo test --package phasebot-core --test core` compiles just that, in seconds, and so does
//! each change that `scripts/mutants` tries.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;
mod contents;
mod feedback;
mod gallery;
mod gate;
mod history;
mod incident;
mod insight;
mod lines;
mod people;
mod policy;
mod preview;
mod previews;
mod recheck;
mod scenario;
mod services;
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
