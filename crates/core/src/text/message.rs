//! Messages for people. Everything from outside is quoted, so that it has no effect.

use crate::{
    domain::{
        id::Sha,
        policy::{Evidence, EvidenceKind, Pattern, PhaseRule},
    },
    text::{lookalike, sanitize},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// Returns a name from outside as inline code, so that it can't contain a mention, link or command.
pub fn quoted(name: &str) -> String {
    sanitize::code(&lookalike::escaped(name), 80)
}

/// Returns the forge's reason in full, with the adapter's advice.
pub fn forge_reason(why: &str) -> String {
    sanitize::code(why, 600)
}

/// Formats a duration as people write it: `30m`, `1h 30m`, `2d`.
pub fn duration(span: SignedDuration) -> String {
    let total = span.as_secs().max(0);
    let parts = [(total / 86_400, "d"), (total / 3_600 % 24, "h"), (total / 60 % 60, "m"), (total % 60, "s")];
    let text: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text.join(" ") }
}

/// Formats a time in a time zone: to the minute if it is a whole one, otherwise to the second.
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    let form = if local.second() == 0 { "%Y-%m-%d %H:%M %Z" } else { "%Y-%m-%d %H:%M:%S %Z" };
    local.strftime(form).to_string()
}

/// Returns a reason to append to a sentence.
pub(crate) fn reason(why: Option<&str>) -> String {
    why.filter(|why| !why.trim().is_empty()).map_or_else(String::new, |why| format!(" because {}", quoted(why)))
}

/// Returns a command as people write it, quoted: words that contain spaces are in quotation marks.
pub(crate) fn command(words: &[&str]) -> String {
    let word = |word: &&str| if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() };
    quoted(&format!("/{}", words.iter().map(word).collect::<Vec<_>>().join(" ")))
}

/// Returns a phase with the evidence that would bring an item into it.
pub(crate) fn would_move(rule: &PhaseRule, is_pull: bool) -> String {
    let when = rule.when.iter().filter(|evidence| !is_pull || evidence.kind.is_of_work());
    let ways: Vec<String> = when.map(|evidence| way(&evidence.kind, is_pull) + &only(evidence)).collect();
    format!("{} when {}", quoted(&rule.name), ways.join(", or "))
}

/// Returns the rule's further conditions, to append to a sentence.
fn only(evidence: &Evidence) -> String {
    let any = |patterns: &[Pattern]| patterns.iter().map(|p| quoted(p.as_str())).collect::<Vec<_>>().join(" or ");
    // An issue by itself is on no branch.
    let branched = !evidence.branches.is_empty() && evidence.kind != EvidenceKind::IssueOpen;
    let branch = branched.then(|| format!(", by branch {} only", any(&evidence.branches)));
    let label = (!evidence.labels.is_empty()).then(|| format!(", if it is labelled {}", any(&evidence.labels)));
    branch.into_iter().chain(label).collect()
}

fn way(kind: &EvidenceKind, is_pull: bool) -> String {
    match kind {
        EvidenceKind::PullRequestOpen if is_pull => "it is open".into(),
        EvidenceKind::PullRequestApproved if is_pull => "someone with write approves it".into(),
        EvidenceKind::Merged if is_pull => "it is merged into a branch that counts".into(),
        EvidenceKind::IssueOpen => "the issue is open".into(),
        EvidenceKind::PullRequestOpen => "a pull request that closes it is open".into(),
        EvidenceKind::BranchLinked { .. } => "a branch for it is pushed".into(),
        EvidenceKind::PullRequestApproved => "someone with write approves its pull request".into(),
        EvidenceKind::Merged => "its pull request is merged into a branch that counts".into(),
        EvidenceKind::ChecksPassed { named } if named.is_empty() => {
            "the checks of its commit, or of a later one, have passed".into()
        }
        EvidenceKind::ChecksPassed { named } => {
            let names: Vec<String> = named.iter().map(|p| quoted(p.as_str())).collect();
            format!("{} passed on its commit, or on a later one", names.join(", "))
        }
        EvidenceKind::Tagged { .. } => "a version tag contains it".into(),
        EvidenceKind::ReleasePublished { .. } => "a published release contains it".into(),
        EvidenceKind::DeploymentStarted(_) => "a deployment that contains it begins".into(),
        EvidenceKind::DeploymentSucceeded(_) => "a deployment that contains it succeeds".into(),
        EvidenceKind::Soaked { quiet, .. } => format!("it has run {} without an incident", duration(*quiet)),
    }
}

/// Returns the short name of a commit, quoted, or words for an unknown one.
pub(crate) fn commit(sha: Option<&Sha>) -> String {
    sha.map_or_else(|| "a commit".to_owned(), |sha| quoted(&sha.short()))
}

/// Returns a name as code between HTML tags, where Markdown has no effect.
pub(crate) fn html_code(name: &str) -> String {
    format!(
        "<code>{}</code>",
        quoted(name).trim_matches('`').replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_takes_the_teeth_out() {
        assert_eq!(quoted("v1`@everyone`\n"), "`v1@everyone`");
        assert_eq!(quoted("``"), "`?`");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(SignedDuration::from_mins(90)), "1h 30m");
        assert_eq!(duration(SignedDuration::from_secs(0)), "0s");
        assert_eq!(duration(SignedDuration::from_hours(24)), "1d");
    }
}
