//! The one issue about a policy file that is not right: opened, kept up to
//! date, closed again.

use crate::{
    app::policy::words,
    domain::{
        effect::{Effect, POLICY_MARKER},
        fact::policy::{Complaint, PolicyFiles},
    },
};

/// The key of its effect: a newer one replaces one that waits.
pub(super) const KEY: &str = "policy/issue";

/// What is to be said now that has not been said yet.
pub(super) fn due(files: &PolicyFiles) -> Option<Effect> {
    let says = files.complaint.as_ref().and_then(|complaint| complaint.says.as_ref());
    if files.broken.as_ref() == says {
        return None;
    }
    let ((title, body), open) = match &files.broken {
        Some(broken) => (words::broken(files, broken), true),
        None => (words::mended(), false),
    };
    Some(Effect::UpsertIssue { marker: POLICY_MARKER.to_owned(), title, body, open })
}

/// Notes that it was said.
pub(super) fn said(files: &mut PolicyFiles) {
    let issue = files.complaint.as_ref().and_then(|complaint| complaint.issue);
    files.complaint = Some(Complaint { issue, says: files.broken.clone() });
}
