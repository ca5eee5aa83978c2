//! Monitoring connections, from a signed message over real HTTP to the inbox
//! and to what the core hears.

mod alertmanager;
mod door;
mod route;
pub mod sent;
mod sources;
