//! Life cycle of policy files: read, validated, put into force, complained about,
//! and checked in pull requests before they are merged.
//!
//! | module | purpose |
//! | --- | --- |
//! | `attend` | runs all policy work of a decision, in order |
//! | `source` | determines the policy in force from the texts that were read |
//! | `read` | reads the texts when they may have changed |
//! | `rederive` | derives the items again when another policy is in force |
//! | `notice` | maintains the one issue about an invalid file |
//! | `proposal` | the check `phasebot/policy` on proposals with a new file |
//! | `words` | messages of these modules |
//!
//! Facts about the files are stored with the other facts of a repository: a
//! decision finds them in memory, and a restart costs no call.

mod attend;
mod notice;
mod proposal;
mod read;
mod rederive;
mod source;

pub(crate) use crate::app::policy::attend::{Occasion, attend, before_first_look};
pub(crate) use crate::app::policy::read::Brought;
pub use crate::app::policy::source::{FilePolicies, PolicySource};
