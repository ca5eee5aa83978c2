//! Feedback issues: what alerts and users say, as issues that people read.
//!
//! ```text
//! message ─▶ take (facts, joined) ─▶ course (stretches → runs → cycles) ─▶ standing
//!         ─▶ tend (what has to be opened, what else has changed) ─▶ keep (one issue, up to date)
//! ```
//!
//! How an incident stands is derived from what its source said, policy and
//! time. What we made of it, the issues, is kept beside that; an effect is the
//! difference of both.

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
mod suspect;
mod timeline;
mod user_feedback;
pub mod view;

pub(crate) use crate::incident::ingest::take;
pub(crate) use crate::incident::query::{Disturbances, disturbances, origin, suspected_in};
pub use crate::incident::query::{OpenIncident, open_incidents};
pub(crate) use crate::incident::reconcile::{advance, ended};
