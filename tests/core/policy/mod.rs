//! The policy file: accepted input, and messages about rejected input.
#![expect(clippy::unwrap_used, reason = "a test may fail, its helpers too")]

mod accept;
mod hostile;
mod merge;
mod proposal;
mod reference;
mod refuse;
mod services;
mod stale;
mod weaker;
