//! JSON of the objects, as GitHub shows it. One shape serves the API and the payloads, and contains
//! what both require.

mod check;
mod commit;
mod deploy;
mod item;
mod place;
mod pull;

pub(super) use check::{check_run, check_suite, job, status, workflow, workflow_run};
pub(super) use commit::{commit, commit_of_push, email, git_ref, simple_commit, tag_object};
pub(super) use deploy::{deployment, deployment_status, release};
pub(super) use item::{association, comment, issue, label, milestone, reaction};
pub(super) use place::{
    installation, integration, organization, public_user, repository, repository_of_push, small_repository, user,
};
pub(super) use pull::{listed_review, minimal_pull, pull, pull_of_review, review};

use jiff::Timestamp;

/// Formats a time as GitHub does: whole seconds, UTC.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns a global id that looks like GitHub's.
pub(super) fn node(prefix: &str, id: u64) -> String {
    format!("{prefix}{id:012x}")
}

/// Escapes a reference, a label or a file name as part of a URL.
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
