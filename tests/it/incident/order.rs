//! Whatever the order and however often, the same issues.
