//! app
pub mod clock;
pub mod crash;
mod backlog;
mod limits;
mod pulse;
