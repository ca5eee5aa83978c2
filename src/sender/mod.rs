//! Shared by the adapters of systems beside the forges: the proof that a sender knows a secret,
//! and reading arbitrary JSON.

pub(crate) mod json;
pub(crate) mod proof;
pub(crate) mod standard_webhooks;
