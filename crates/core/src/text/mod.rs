//! Text for people: phasebot's messages, and names from outside in them.

pub mod headline;
pub(crate) mod links;
pub(crate) mod lookalike;
pub mod message;
pub(crate) mod people;
pub mod sanitize;
pub mod times;
