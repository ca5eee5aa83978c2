//! What happens in a storm: plots, each of which knows what people must see in the end.

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

/// One thread of what happens.
pub trait Plot {
    /// Lets the next thing happen; `false` once there is none.
    fn go_on(&mut self) -> bool;

    /// Alerts that the monitoring system wants to send now.
    fn notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    /// Checks what people see in the end.
    fn check(&self, sim: &SimForge);
}
