//! Version of the program and origin of its build.

/// Version, as in Cargo.toml.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Full hash of the commit; "unknown" in debug builds.
pub const COMMIT: &str = env!("PHASEBOT_BUILD_COMMIT");
/// Text of `phasebot --version` after the program's name: the version, then the commit, its date
/// and the target, on a line each.
pub const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("PHASEBOT_BUILD_COMMIT"),
    "\ndate:   ",
    env!("PHASEBOT_BUILD_DATE"),
    "\ntarget: ",
    env!("PHASEBOT_BUILD_TARGET"),
);
