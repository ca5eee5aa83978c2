//! The runtime: moves deliveries, timers and effects between the ports, and
//! asks the pure core for decisions.
//!
//! ```text
//! intake ─▶ inbox ─▶ scheduler ─▶ worker ─┬─▶ one commit ─▶ outbox ─▶ attempt ─▶ forge
//!                                 timers ─┘
//! ```
//!
//! Three loops ([`scheduler`], [`timers`], [`outbox`]) look for work in the store
//! when woken. Nothing is passed on in memory alone, so a crash at any moment
//! loses nothing that was acknowledged. Three rules limit concurrency: one
//! delivery of a repository at a time ([`backlog`]), one holder of a
//! repository's facts at a time ([`repos`]), one write of an installation at a
//! time ([`outbox`]).

mod alert;
mod ask;
mod attempt;
mod backfill;
mod backlog;
mod backoff;
mod binding;
mod bot;
mod catch_up;
pub mod clock;
mod commands;
mod commit;
pub mod crash;
mod decision;
mod decision_slots;
mod duplicate_guard;
mod external;
mod forge_query;
mod identity;
pub mod insight;
mod installation;
mod intake;
mod leases;
mod limits;
mod maintenance;
mod notice;
mod outbox;
mod outcome;
mod policy;
mod removal;
mod repos;
mod retro;
mod retry;
mod runtime;
mod scheduler;
pub mod survey;
mod timers;
mod urgent;
mod wake;
mod worker;
pub mod write_pause;

pub use crate::app::alert::{Alerts, Connection, Labels, Route};
/// Returns the name under which the time is stored at which a person's web sessions last ended.
pub(crate) fn signed_out(person: u64) -> String {
    format!("web/signed-out/{person}")
}

pub use crate::app::backfill::{Backfill, BackfillError, Progress, Wanted};
pub use crate::app::bot::{Bot, Parts};
pub use crate::app::catch_up::{CatchUp, CatchUpError, Caught};
pub use crate::app::external::{EventConnection, EventConnections};
pub use crate::app::intake::{Intake, Letterbox};
pub use crate::app::notice::{NoticeTarget, Notices};
pub use crate::app::policy::{FilePolicies, PolicySource};
pub use crate::app::runtime::{BotSettings, OnRemoval};
