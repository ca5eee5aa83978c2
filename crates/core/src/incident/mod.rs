//! Feedback issues: alerts and user feedback as issues that people can read.
//!
//! ```text
//! message ─▶ ingest (joined into facts) ─▶ timeline (episodes → firing periods → cycles) ─▶ state
//!         ─▶ reconcile (which issues to open, what else changed) ─▶ issue_sync (updates one issue)
//! ```
//!
//! The state of an incident is derived from the source's messages, the policy and the time. The
//! issues that we opened are stored beside it; the effects are the difference between the two.

mod heartbeat;
mod human_actions;
mod ingest;
mod issue_sync;
mod loop_closure;
mod messages;
mod query;
mod reconcile;
pub mod render;
pub mod rendered_text;
mod route;
mod state;
mod storm;
mod summary;
mod suspect;
mod timeline;
mod user_feedback;
pub mod view;

use jiff::{SignedDuration, Timestamp};

pub(crate) use crate::incident::ingest::take;
pub(crate) use crate::incident::query::{
    Disturbances, IncidentCycle, cycles_of, disturbances, firings, origin, shown_by, shown_cycle, suspected_in,
    suspects_of,
};
pub use crate::incident::query::{OpenIncident, open_incidents};
pub(crate) use crate::incident::reconcile::{advance, ended};
pub(crate) use crate::incident::summary::summary_of;

/// Returns `at` plus `by`, or the end of time.
fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
