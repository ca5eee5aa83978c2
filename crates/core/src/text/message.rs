//! Messages for people. Everything from outside is quoted, so that it has no effect.

pub use crate::text::times::moment;
use crate::{
    domain::{
        event::is_external,
        id::{ItemId, Sha},
        permission::{Grant, Role},
        policy::{Evidence, EvidenceKind, Pattern, PhaseRule},
        turn::{CommandLine, CommandPlace},
    },
    text::{lookalike, sanitize},
};
use jiff::SignedDuration;

/// Returns a name from outside as inline code, so that it can't contain a mention, link or command.
/// A name that looks like a commit's has two backticks on each side: only [`Sha::code`] has one, and
/// is linked to a commit.
pub fn quoted(name: &str) -> String {
    let code = sanitize::code(&lookalike::escaped(name), 80);
    if Sha::is_short_form(code.trim_matches('`')) { format!("`{code}`") } else { code }
}

/// Returns a text with a capital letter; the product's name has none.
pub fn capitalized(text: &str) -> String {
    if text.starts_with("phasebot") {
        return text.to_owned();
    }
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

/// Returns a sentence with a capital letter and a full stop.
pub fn sentence(text: &str) -> String {
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{end}", capitalized(text))
}

/// Escapes Markdown for a table's cell: a bar would end the cell even in code. Times may break, as a
/// cell is narrow on a small screen.
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r', '\u{a0}'], " ")
}

/// Returns a deployment's name. The id of an external deployment means nothing to people.
pub fn deployment_name(id: u64) -> String {
    if is_external(id) { "an external deployment".to_owned() } else { format!("deployment {id}") }
}

/// Returns a forge's reason as a quotation: its own words whole, without the call that failed,
/// which stands in the log. An adapter writes `words (422, POST /repos/…)` or `POST /repos/…: words`.
pub fn forge_words(why: &str) -> String {
    let why = why.trim();
    let why = ["not done: ", "in doubt: "].iter().fold(why, |why, prefix| why.strip_prefix(prefix).unwrap_or(why));
    let call = |text: &str| {
        let path = ["GET ", "POST ", "PUT ", "PATCH ", "DELETE "].iter().find_map(|verb| text.strip_prefix(verb));
        path.is_some_and(|path| path.starts_with('/'))
    };
    let is_status = |text: &str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    let mut words = why;
    if let Some((before, after)) = why.rsplit_once(" (")
        && after.split_once(", ").is_some_and(|(status, route)| is_status(status) && call(route))
    {
        words = before;
    }
    if let Some((route, after)) = words.split_once(": ")
        && call(route)
    {
        words = after;
    }
    spoken_in_full(words.trim_end_matches('.'))
}

fn spoken_in_full(words: &str) -> String {
    format!("\u{201c}{}\u{201d}", sanitize::inline(&lookalike::escaped(words), 600))
}

/// Formats a duration as people write it: `30m`, `1h 30m`, `2d`.
pub fn duration(span: SignedDuration) -> String {
    let total = span.as_secs().max(0);
    let parts = [(total / 86_400, "d"), (total / 3_600 % 24, "h"), (total / 60 % 60, "m"), (total % 60, "s")];
    let text: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text.join(" ") }
}

/// Returns a reason to append to a sentence.
pub(crate) fn reason(why: Option<&str>) -> String {
    why.filter(|why| !why.trim().is_empty()).map_or_else(String::new, |why| format!(": {}", spoken(why)))
}

/// Returns people's words in quotation marks, without effect.
pub(crate) fn spoken(words: &str) -> String {
    format!("\u{201c}{}\u{201d}", sanitize::inline(&lookalike::escaped(words), 200))
}

/// Returns the people who have a permission, of whom one is enough.
pub(crate) fn anyone(grant: &Grant) -> String {
    match grant {
        Grant::AtLeast(Role::None | Role::Read) => "anyone".to_owned(),
        Grant::AtLeast(role) => format!("someone with {} access", role.name()),
        Grant::Teams(teams) => {
            let teams: Vec<String> = teams.iter().map(|team| quoted(team)).collect();
            format!("a member of {}", teams.join(" or "))
        }
    }
}

/// Returns the item on which something was said, to append; nothing if no item is meant.
pub(crate) fn on_item(item: ItemId) -> String {
    if item == 0 { String::new() } else { format!(" (#{item})") }
}

/// Returns an account's login in bold, without effect.
pub(crate) fn person(login: &str) -> String {
    format!("**{}**", sanitize::inline(login, 60))
}

/// Returns text without links and marks, for titles and descriptions.
pub(crate) fn plain(markdown: &str) -> String {
    unlinked(markdown).chars().filter(|c| *c != '`' && *c != '*').collect()
}

/// Returns text without the addresses of its links, for logs.
pub(crate) fn unlinked(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut rest = markdown;
    // Our links are `[words](address)`; names from outside stand in code or are escaped.
    while let Some(at) = rest.find("](https://") {
        let (words, tail) = rest.split_at(at);
        let Some(end) = tail.find(')') else { break };
        match words.rfind('[') {
            Some(open) => {
                out.push_str(&words[..open]);
                out.push_str(&words[open + 1..]);
            }
            None => out.push_str(words),
        }
        rest = &tail[end + 1..];
    }
    out.push_str(rest);
    out
}

/// Returns `1 hold`, `2 holds`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Returns a command as people write it: words that contain spaces are in quotation marks.
pub(crate) fn command_line(words: &[&str]) -> CommandLine {
    let word = |word: &&str| if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() };
    written(&format!("/{}", words.iter().map(word).collect::<Vec<_>>().join(" ")))
}

/// Returns a command that is written like this.
pub(crate) fn written(line: &str) -> CommandLine {
    let name = line.trim_start_matches('/').split_whitespace().next().unwrap_or_default().to_owned();
    CommandLine { name, line: whole(line).trim_matches('`').to_owned(), place: CommandPlace::Here }
}

/// Returns a command as inline code.
pub(crate) fn command(words: &[&str]) -> String {
    command_line(words).code()
}

/// Returns a command as inline code, never cut: people copy it.
pub(crate) fn whole(line: &str) -> String {
    sanitize::code(&lookalike::escaped(line), usize::MAX)
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
    sha.map_or_else(|| "a commit".to_owned(), Sha::code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_takes_the_teeth_out() {
        assert_eq!(quoted("v1`@everyone`\n"), "`v1@everyone`");
        assert_eq!(quoted("``"), "`?`");
        // Such a name is no commit.
        assert_eq!(quoted("abc1234"), "``abc1234``");
    }

    #[test]
    fn a_forges_words_come_without_its_routes() {
        for (why, words) in [
            ("Validation Failed; x (422, POST /repos/{owner}/{repo}/issues)", "Validation Failed; x"),
            ("in doubt: POST /repos/{owner}/{repo}/dispatches: timed out", "timed out"),
            ("not done: GET /user: no answer", "no answer"),
            ("a (b) c.", "a (b) c"),
        ] {
            assert_eq!(forge_words(why), format!("\u{201c}{words}\u{201d}"));
        }
        assert!(!forge_words("@everyone").contains("@everyone"));
    }

    #[test]
    fn a_failed_request_says_what_to_do_now() {
        for (why, words) in [
            ("No. (422, POST /x)", "rejected the request: “No”.** Next, **bob**: correct the command and repeat it."),
            (
                "not done: no answer",
                "did not carry out the request: “no answer”.** Next, **bob**: repeat the command later.",
            ),
            (
                "in doubt: no answer",
                "did not confirm the request: “no answer”.** Next, **bob**: check whether it was carried out before",
            ),
        ] {
            let text = crate::text::headline::rejected(why).text("bob");
            assert!(text.starts_with(&format!("**GitHub {words}")), "{text}");
        }
    }

    #[test]
    fn titles_are_plain() {
        assert_eq!(plain("**a** [`abc1234`](https://x.test/c) and `b`"), "a abc1234 and b");
    }

    #[test]
    fn a_command_is_never_cut() {
        let reference = "x".repeat(120);
        assert_eq!(command(&["deploy", "staging", &reference]), format!("`/deploy staging {reference}`"));
        assert_eq!(command(&["hold", "a`b"]), "`/hold ab`");
    }

    #[test]
    fn times_break_in_a_cell() {
        let at = moment("2026-11-30T08:00:00Z".parse().unwrap(), &jiff::tz::TimeZone::UTC);
        assert_eq!(cell(&at), "Mon 30 Nov 08:00 UTC");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(SignedDuration::from_mins(90)), "1h 30m");
        assert_eq!(duration(SignedDuration::from_secs(0)), "0s");
        assert_eq!(duration(SignedDuration::from_hours(24)), "1d");
    }
}
