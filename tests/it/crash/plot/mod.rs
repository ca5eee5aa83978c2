//! Plots of a storm; each one knows what people must see at the end.

mod label;
mod ship;
mod talk;
mod trouble;

use phasebot_forge_sim::SimForge;

pub use self::{
    label::{Story, Way},
    ship::{Ship, Via},
    talk::Talk,
    trouble::{Notice, Trouble},
};

/// A sequence of events.
pub trait Plot {
    /// Causes the next event; returns `false` if there is none.
    fn go_on(&mut self) -> bool;

    /// Returns the alerts that the monitoring system sends now.
    fn notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    /// Checks what people see at the end.
    fn check(&self, sim: &SimForge);
}
