//! What several test modules stand on.

pub mod database;
pub mod memory_store;
pub mod postgres;
pub mod scripted_forge;
pub mod serving;
