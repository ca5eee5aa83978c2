//! Feedback issues: what alerts and users say, as issues that people read.

pub mod defuse;
pub mod live;
pub mod render;
pub mod view;
