//! Adapters to forges.

pub mod github;
