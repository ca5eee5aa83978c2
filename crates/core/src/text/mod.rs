//! Text for people: phasebot's messages, and names from outside in them.

pub(crate) mod links;
pub(crate) mod lookalike;
pub mod message;
pub mod sanitize;
pub mod times;
