//! Databases with schema changes of their own: one folder each.

pub mod planetscale;
