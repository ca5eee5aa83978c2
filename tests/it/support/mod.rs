//! What several test modules stand on.

pub mod memory_store;
pub mod scripted_forge;
