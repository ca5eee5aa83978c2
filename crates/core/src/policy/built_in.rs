//! The text of the policy that is in force if no file changes it.

use std::sync::OnceLock;

use crate::policy::{Parsed, Problem, parse};

/// Its text: `config/policy.default.yml`.
pub const TEXT: &str = include_str!("../../../../config/policy.default.yml");
/// Its name in rules, as in `built-in:14`.
pub const NAME: &str = "built-in";

/// Returns the built-in policy as a layer.
pub(crate) fn parsed() -> &'static Parsed {
    static PARSED: OnceLock<Parsed> = OnceLock::new();
    PARSED.get_or_init(|| right(parse(NAME, TEXT)))
}

/// Returns the value.
///
/// # Panics
///
/// Never: the text is part of the program, and a test compiles it.
pub(super) fn right<T>(result: Result<T, Vec<Problem>>) -> T {
    result.unwrap_or_else(|problems| unreachable!("config/policy.default.yml is wrong: {problems:?}"))
}
