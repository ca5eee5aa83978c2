//! The policy in force if no file changes it.

use std::sync::OnceLock;

use crate::{
    domain::policy::Policy,
    policy::{Parsed, Problem, compile, merge, parse},
};

/// Its text: `config/policy.default.yml`.
pub const TEXT: &str = include_str!("../../../../config/policy.default.yml");
/// Its name in rules, as in `built-in:14`.
pub const NAME: &str = "built-in";

/// Returns the built-in policy.
///
/// # Panics
///
/// Never: its text is part of the program, and a test compiles it.
pub fn built_in() -> Policy {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    POLICY.get_or_init(|| right(compile(&merge(&[])))).clone()
}

/// Returns the built-in policy as a layer.
pub(crate) fn parsed() -> &'static Parsed {
    static PARSED: OnceLock<Parsed> = OnceLock::new();
    PARSED.get_or_init(|| right(parse(NAME, TEXT)))
}

fn right<T>(result: Result<T, Vec<Problem>>) -> T {
    result.unwrap_or_else(|problems| unreachable!("config/policy.default.yml is wrong: {problems:?}"))
}
