//! The imperative shell: carries deliveries, timers and effects between the
//! ports, and asks the pure core what they mean.
//!
//! ```text
//! intake ─▶ inbox ─▶ scheduler ─▶ worker ─┬─▶ one commit ─▶ outbox ─▶ attempt ─▶ forge
//!                          timers ─▶ tick ┘
//! ```
//!
//! Three loops ([`scheduler`], [`tick`], [`outbox`]) look for work in the store
//! when woken; nothing is handed over in memory alone, so a crash at any
//! moment loses nothing that was acknowledged. What may happen at once is
//! ruled by three things: one delivery of a repository at a time
//! ([`backlog`]), one holder of a repository's facts at a time ([`repos`]),
//! one write of an installation at a time ([`outbox`]).

mod alert;
mod ask;
mod attempt;
mod backfill;
mod backlog;
mod backoff;
mod bot;
mod catch_up;
pub mod clock;
mod commands;
mod commit;
pub mod crash;
mod decision;
mod doubt;
pub mod halt;
mod identity;
mod installation;
mod intake;
mod leases;
mod limits;
mod outbox;
mod outcome;
mod persist;
mod place;
mod policy;
mod pulse;
mod question;
mod removal;
mod repos;
mod scheduler;
mod seats;
mod shell;
pub mod survey;
mod tick;
mod upkeep;
mod urgent;
mod worker;

pub use alert::{Alerts, Connection, Labels, Route};
pub use backfill::{Backfill, BackfillError, Progress, Wanted};
pub use bot::{Bot, Parts};
pub use catch_up::{CatchUp, CatchUpError, Caught};
pub use intake::{Intake, Letterbox};
pub use policy::{FilePolicies, PolicySource};
pub use shell::{BotSettings, OnRemoval};
