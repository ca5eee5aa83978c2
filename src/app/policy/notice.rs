//! Opens, updates and closes the one issue about an invalid policy file.

use crate::{
    domain::{
        effect::{Effect, POLICY_MARKER},
        fact::{
            RepoFacts,
            policy::{Complaint, PolicyFiles},
        },
    },
    engine::policy_report,
};

/// Key of the issue's effect: a newer effect replaces one that waits.
pub(super) const KEY: &str = "policy/issue";

/// Returns the effect that brings the issue up to date, if it is not.
pub(super) fn due(facts: &RepoFacts) -> Option<Effect> {
    let files = &facts.policy_files;
    let says = files.complaint.as_ref().and_then(|complaint| complaint.says.as_ref());
    if files.broken.as_ref() == says {
        return None;
    }
    let ((title, body), open) = match &files.broken {
        Some(broken) => (policy_report::broken(facts, broken), true),
        None => (policy_report::mended(), false),
    };
    Some(Effect::UpsertIssue { marker: POLICY_MARKER.to_owned(), title, body, open })
}

/// Records that the issue is up to date.
pub(super) fn said(files: &mut PolicyFiles) {
    let issue = files.complaint.as_ref().and_then(|complaint| complaint.issue);
    files.complaint = Some(Complaint { issue, says: files.broken.clone() });
}
