//! Interfaces that the application requires: a forge, a store, a clock.
//!
//! Each trait states its contract; `tests/it` contains the conformance suite that every
//! implementation must pass.

pub mod alert;
pub mod clock;
pub mod database;
pub mod external;
pub mod forge;
pub mod inbox;
pub mod intake;
pub mod lease;
pub mod notify;
pub mod operate;
pub mod outbox;
pub mod pages;
pub mod sign_in;
pub mod store;
