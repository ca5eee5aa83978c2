//! The policy file's life: read, judged, put into force, complained about,
//! and looked at in pull requests before it is merged.
//!
//! | module | purpose |
//! | --- | --- |
//! | `attend` | what a decision does about all this, in its order |
//! | `source` | which policy is in force, from texts that were read |
//! | `read` | reads the texts when they may have changed |
//! | `step` | derives the items again when another policy is in force |
//! | `notice` | the one issue about a file that is not right |
//! | `proposal` | the check `phasebot/policy` on what may bring a new file |
//! | `words` | every sentence of these |
//!
//! What is known of the files is a fact like any other and is kept with them:
//! a decision finds it in memory, and a restart costs no call.

mod attend;
mod notice;
mod proposal;
mod read;
mod source;
mod step;
mod words;

pub(crate) use crate::app::policy::attend::{Occasion, attend, before_first_look};
pub(crate) use crate::app::policy::read::Brought;
pub use crate::app::policy::source::{FilePolicies, PolicySource};
