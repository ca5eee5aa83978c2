//! Monitoring connections: from a signed message over real HTTP to the inbox and to the core's
//! input.

mod alertmanager;
mod door;
mod route;
pub mod sent;
mod sources;
mod systems;
