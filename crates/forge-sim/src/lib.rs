//! The simulated forge: GitHub-shaped HTTP for `phasebot demo` and for tests.
//!
//! It checks what GitHub checks: the App's JSON Web Token against its public
//! key, installation tokens and their expiry, the reach of an installation,
//! the App's permissions, and on request the published rate limits. It keeps a
//! commit graph, and makes the webhooks that GitHub would send, also for what
//! the bot itself writes. `tests/it/sim.rs` checks every route's answers and
//! every webhook against GitHub's published OpenAPI description.
//!
//! | module | purpose |
//! | --- | --- |
//! | `forge`, `watch`, `person` | the handles that the demo and tests hold |
//! | `server` | connections; `dispatch` one request |
//! | `route` | the API, one file per family |
//! | `change` | what happens, with its webhooks |
//! | `shape` | the JSON of things |
//! | `registration`, `web` | the pages on which people register and install the App |
//! | `state`, `model`, `git` | what is kept |
//! | `auth`, `limits`, `fault` | who may, how much, and what goes wrong |
//! | `delivery`, `exchange` | what was sent, what was asked |
//!
//! The simulation keeps to one process and to memory; nothing here is reachable
//! from outside the machine.

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
mod model;
mod person;
mod registration;
mod route;
mod server;
mod shape;
mod state;
mod watch;
mod web;

pub use auth::AppKey;
pub use change::{MergeMethod, NewDeployment, NewPull, NewRelease, Worker};
pub use clock::Clock;
pub use delivery::{Delivery, sign};
pub use exchange::Exchange;
pub use fault::{Fault, FaultKind, Matcher, Weather};
pub use forge::{Options, Sending, SimForge};
pub use git::NewCommit;
pub use model::{Dispatched, LabelChange, ProtectionAnswer};
pub use person::{Act, Person};

/// Every route as `METHOD /template`, in the words of GitHub's description.
pub fn routes() -> Vec<String> {
    route::names()
}

/// Why the simulation would not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// There is no such thing.
    #[error("there is no {0}")]
    NoSuch(String),
    /// A forge would refuse it.
    #[error("refused: {0}")]
    Refused(String),
    /// The App's key can't be used.
    #[error("the App's key can't be used: {0}")]
    Key(String),
    /// The network.
    #[error("{0}")]
    Network(String),
}
