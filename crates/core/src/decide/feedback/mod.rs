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

mod case;
mod course;
pub mod defuse;
mod keep;
pub mod live;
mod loops;
mod person;
mod query;
pub mod render;
mod report;
mod route;
mod silence;
mod storm;
mod suspect;
mod take;
mod tend;
pub mod view;
mod words;

pub(super) use query::{Disturbances, disturbances, origin, suspected_in};
pub use query::{OpenIncident, open_incidents};
pub(super) use take::take;
pub(super) use tend::{advance, ended};
