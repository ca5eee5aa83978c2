//! Deployments over real HTTP: the bot with its database, and a forge with a worker that runs the
//! workflows.

mod automatic;
mod cancelled;
mod contents;
mod dispatch;
mod edges;
mod history;
mod incident;
mod lines;
mod locks;
mod preview;
mod release;
mod services;
pub mod stage;
mod wait;
mod way;
