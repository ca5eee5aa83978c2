//! What several test modules stand on.

pub mod database;
pub mod memory_store;
pub mod postgres;
pub mod scripted_forge;
pub mod serving;

use phasebot::{domain::policy::Policy, policy};

/// The built-in policy, or this one on top of it.
pub fn policy(text: Option<&str>) -> Policy {
    match text {
        None => policy::built_in(),
        Some(text) => policy::load(".github/phasebot.yml", text).unwrap_or_else(|problems| panic!("{problems:?}")),
    }
}
