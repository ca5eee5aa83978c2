//! Whole flows over real HTTP: from a signed webhook to the label on the forge.

mod budget;
mod burst;
mod order;
mod people;
mod places;
mod questions;
mod stacks;
pub mod trouble;
mod waiting;
pub mod whole_loop;
mod why;
mod wire;
mod withheld;
pub mod world;

pub use world::{BOT, REPO, Setup, World};
