//! The simulated forge: GitHub-shaped HTTP for `phasebot demo` and for tests.
//!
//! It checks what GitHub checks: the App's JSON Web Token against its public key, installation
//! tokens and their expiry, the repositories of an installation, the App's permissions, and on
//! request the published rate limits. It keeps a commit graph, and creates the webhooks that GitHub
//! would send, also for the bot's own writes. `tests/it/sim.rs` checks every route's answers and
//! every webhook against GitHub's published OpenAPI description.
//!
//! | module | purpose |
//! | --- | --- |
//! | `forge`, `watch`, `person` | handles for the demo and tests |
//! | `server`, `dispatch` | connections; one request |
//! | `route` | the API, one file per family |
//! | `change` | changes of the state, with their webhooks |
//! | `shape` | JSON of the objects |
//! | `manifest`, `registration`, `oauth`, `web` | pages on which people register and install the App, and sign in |
//! | `state`, `shared`, `app`, `model`, `workflow`, `git` | the stored state |
//! | `planetscale` | a simulated PlanetScale beside the forge |
//! | `auth`, `limits`, `fault` | authentication, rate limits, injected faults |
//! | `webhook`, `delivery`, `exchange` | webhooks as they are made and sent, recorded requests |
//!
//! The simulation stays in one process and in memory; nothing here is reachable from outside the
//! machine.

mod app;
mod auth;
mod change;
mod clock;
mod delivery;
mod dispatch;
mod exchange;
mod fault;
mod forge;
mod git;
mod limits;
mod manifest;
mod model;
mod oauth;
mod person;
pub mod planetscale;
mod registration;
mod route;
mod server;
mod shape;
mod shared;
mod state;
mod watch;
mod web;
mod webhook;
mod workflow;

pub use auth::AppKey;
pub use change::{MergeMethod, NewDeployment, NewPull, NewRelease};
pub use clock::Clock;
pub use delivery::{Act, Delivery, sign};
pub use exchange::Exchange;
pub use fault::{Fault, FaultKind, Matcher, Weather};
pub use forge::{Options, Sending, SimForge};
pub use git::NewCommit;
pub use model::{Dispatched, LabelChange, ProtectionAnswer};
pub use person::Person;
pub use workflow::Worker;

/// Returns every route as `METHOD /template`, as in GitHub's description.
pub fn routes() -> Vec<String> {
    route::names()
}

/// Errors of the simulation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// The object does not exist.
    #[error("there is no {0}")]
    NoSuch(String),
    /// A forge would reject the request.
    #[error("refused: {0}")]
    Refused(String),
    /// The App's key cannot be used.
    #[error("the App's key can't be used: {0}")]
    Key(String),
    /// A network error.
    #[error("{0}")]
    Network(String),
}
