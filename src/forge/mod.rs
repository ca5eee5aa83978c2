//! Adapters to forges, the platforms that host repositories.

pub mod github;
