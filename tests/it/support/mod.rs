//! Helpers that several test modules share.

pub mod browser;
pub mod database;
pub mod memory_store;
pub mod postgres;
pub mod scripted_forge;
pub mod serving;
