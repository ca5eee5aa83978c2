//! The decisions of phasebot, as pure functions of facts, policy and time.
//!
//! Nothing here does I/O or reads a clock, and the crate's dependencies prove
//! it. `ARCHITECTURE.md` beside the sources has the map. Start with
//! [`engine::Repository`].

// A new variant of a domain type needs a thought at each place that matches it.
#![warn(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

pub mod command;
mod commits;
mod context;
pub mod deploy;
pub mod domain;
pub mod engine;
mod environment;
mod evidence;
pub mod gate;
pub mod incident;
pub mod ingest;
pub mod insight;
mod notice;
pub mod phase;
pub mod plan;
pub mod policy;
pub mod text;
