//! Delivery metrics: each test of `vectors` is one complaint about another tool, with the right
//! answer as a literal. Histories are played through the real derivation.

mod cost;
mod definitions;
mod failures;
mod flow_vectors;
mod gate_waits;
mod played;
mod properties;
mod standing;
mod table;
mod time_vectors;
mod vectors;

pub use table::InsightTable;
