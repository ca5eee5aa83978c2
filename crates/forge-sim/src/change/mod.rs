//! Changes on the forge: each changes the state and creates the webhooks that GitHub sends for it.
//! People (`person.rs`) and the API (`route/`) both use these functions, so that the bot's own
//! writes come back to it as webhooks too.

mod branches;
mod ci;
mod items;
mod labels;
mod place;
mod pulls;
mod queue;
mod ship;
mod stacks;
mod worker;

pub(super) use ci::{CheckChange, NewStatus};
pub(super) use items::ItemEdit;
pub use pulls::{MergeMethod, NewPull};
pub use ship::{NewDeployment, NewRelease};

/// Returns the issues that a text closes by GitHub's keywords, such as `Fixes #12`.
///
/// <https://docs.github.com/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue>
pub(super) fn closing_keywords(text: &str) -> Vec<u64> {
    const WORDS: [&str; 9] = ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| WORDS.iter().any(|w| pair[0].trim_end_matches(':').eq_ignore_ascii_case(w)))
        .filter_map(|pair| pair[1].strip_prefix('#'))
        .filter_map(|rest| {
            let end = rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_closing_keywords() {
        assert_eq!(super::closing_keywords("Fixes #12, resolves: #3.\nsee #4"), [12, 3]);
        assert!(super::closing_keywords("prefixes #12 or fixes#12").is_empty());
    }
}
