//! Times as the stores keep them: in whole milliseconds.

use jiff::{SignedDuration, Timestamp};

/// Returns the first whole millisecond that is not before `at`. A timer that fired a
/// fraction of one too early would find nothing to do, be set again, and fire again
/// at once.
pub(super) fn not_before(at: Timestamp) -> Timestamp {
    let rest = at.subsec_nanosecond().rem_euclid(1_000_000);
    let missing = if rest == 0 { 0 } else { 1_000_000 - rest };
    at.checked_add(SignedDuration::from_nanos(missing.into())).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_never_early() {
        for (at, kept) in [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2), (-1, 0), (-1_000_001, -1)] {
            let whole = not_before(Timestamp::from_nanosecond(at).unwrap());
            assert_eq!(whole.as_nanosecond(), kept * 1_000_000, "{at}");
        }
        assert_eq!(not_before(Timestamp::MAX), Timestamp::MAX);
    }
}
