//! Text for people: phasebot's messages, and names from outside in them.

pub(crate) mod lookalike;
pub mod message;
pub mod sanitize;
