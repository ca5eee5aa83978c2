//! What phasebot decides, as pure functions of facts, policy and time.
//!
//! Nothing here does I/O or reads a clock, and the crate's dependencies prove
//! it. `ARCHITECTURE.md` beside the sources has the map. Imports point one way:
//! `engine` → `decide` → `policy` → `domain`.

pub mod decide;
pub mod domain;
pub mod engine;
pub mod policy;
