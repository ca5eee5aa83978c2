//! Evidence for phases, as spans of time.

pub(crate) mod approvals;
pub(crate) mod checks;
pub(crate) mod overrides;
pub(crate) mod pre_merge;
pub(crate) mod shipped;
pub(crate) mod spans;
