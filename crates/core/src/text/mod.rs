//! Text that people read: sentences of our own, and names from outside in them.

pub(crate) mod lookalike;
pub mod message;
pub mod sanitize;
