//! The policy file, from outside: what is accepted, what is said of the rest.
#![expect(clippy::unwrap_used, reason = "a test may fail, its helpers too")]

mod accept;
mod hostile;
mod merge;
mod proposal;
mod reference;
mod refuse;
mod stale;
