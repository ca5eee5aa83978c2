//! Points at which a test can kill the process, as a power cut would.
//!
//! In a debug build, `arm("decision_committed:3")` makes the third pass of
//! that point abort. A release build has no such points.

/// Every point, in the order in which one delivery passes them.
pub const POINTS: [&str; 7] = [
    "inbox_committed",
    "decision_uncommitted",
    "decision_committed",
    "effect_marked",
    "effect_unsent",
    "effect_sent",
    "result_committed",
];

/// Points that a notice passes, in their order.
pub const NOTICE_POINTS: [&str; 2] = ["notice_marked", "notice_sent"];

#[cfg(debug_assertions)]
static ARMED: std::sync::OnceLock<(String, std::sync::atomic::AtomicU32)> = std::sync::OnceLock::new();

/// Arms one point, `NAME` or `NAME:N` for its N-th pass. Once per process.
#[cfg(debug_assertions)]
pub fn arm(spec: &str) -> Result<(), String> {
    let (name, count) = spec.split_once(':').unwrap_or((spec, "1"));
    if !POINTS.contains(&name) && !NOTICE_POINTS.contains(&name) {
        return Err(format!("no crash point is named {name:?}; there are {}", POINTS.join(", ")));
    }
    let count: u32 =
        count.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("{count:?} is not a positive number"))?;
    ARMED.set((name.to_owned(), count.into())).map_err(|_| "a crash point is armed already".to_owned())
}

/// Returns an error: this build has no crash points.
#[cfg(not(debug_assertions))]
pub fn arm(_spec: &str) -> Result<(), String> {
    Err("crash points exist only in debug builds".to_owned())
}

/// Aborts the process if this point is armed and due.
#[cfg(debug_assertions)]
pub(crate) fn crash_point(name: &str) {
    use std::sync::atomic::Ordering;
    if let Some((armed, left)) = ARMED.get()
        && armed == name
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

/// Does nothing in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn crash_point(_name: &str) {}
