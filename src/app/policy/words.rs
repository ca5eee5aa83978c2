//! Messages about policy files, in Markdown. Parts of the files are quoted as
//! code, where nothing in them mentions, links or commands anything.

use std::fmt::Write as _;

use crate::{
    domain::{effect::Annotation, fact::policy::PolicyFiles, policy::FILE},
    engine::preview::{Move, Preview},
    policy::{Problem, Report},
    text::message::quoted,
};

/// Longest text that goes into a code block; forges take 65 535 characters in all.
const LONGEST_REPORT: usize = 30_000;

/// Returns title and text of the issue about an invalid file.
pub(super) fn broken(files: &PolicyFiles, report: &str) -> (String, String) {
    let own = files.in_force.as_ref().and_then(|texts| texts.own.as_ref());
    let cautious = files.in_force.as_ref().is_none_or(|texts| texts.cautious);
    let holds = match own {
        Some(own) => {
            let short: String = own.blob.chars().take(7).collect();
            format!("The last version that was right (blob {}) stays in force.", quoted(&short))
        }
        None if cautious => {
            "No version of it was right so far: the policy above it is in force, no further than labels.".to_owned()
        }
        None => "The policy above it, which was in force before there was a file, stays in force.".to_owned(),
    };
    let body = format!(
        "`{FILE}` on the default branch can't be put into force. {holds}\n\n{}\n\n\
         `phasebot check` says the same on your machine. This issue is kept up to date and closes by itself \
         once the file is right.",
        block(report)
    );
    (title(), body)
}

/// Returns title and text of the same issue once the file is valid again, or gone.
pub(super) fn mended() -> (String, String) {
    (title(), format!("`{FILE}` on the default branch is right again, or gone. What it says is in force."))
}

fn title() -> String {
    format!("phasebot can't use {FILE}")
}

/// Message about a proposal: a title, a summary in Markdown, and annotations on lines of the file.
pub(super) struct Verdict {
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) annotations: Vec<Annotation>,
}

/// Returns the message about a proposal that changes the file.
pub(super) fn changed(report: &Report, preview: Option<&Preview>) -> Verdict {
    let title = match preview {
        Some(preview) if report.valid => format!("The policy is valid; {}", would_change(preview)),
        _ if report.valid => "The policy is valid".to_owned(),
        _ => format!("The policy is not valid: {}", count(report.problems.len(), "problem")),
    };
    let mut summary = block(&report.to_string());
    if let Some(preview) = preview {
        summary.push_str("\n\n");
        summary.push_str(&table(preview));
    }
    let warnings: Vec<Problem> = report.warnings.iter().map(Problem::as_warning).collect();
    let findings = report.problems.iter().chain(&warnings);
    let annotations = findings.filter(|problem| problem.file == FILE).map(|problem| {
        let meant = problem.suggestion.as_ref().map(|word| format!(" (did you mean `{word}`?)")).unwrap_or_default();
        Annotation { path: FILE.to_owned(), line: problem.line, message: format!("{}{meant}", problem.message) }
    });
    Verdict { title, summary, annotations: annotations.collect() }
}

/// Returns the message about a proposal that removes the file.
pub(super) fn removed(preview: Option<&Preview>) -> Verdict {
    let title = match preview {
        Some(preview) => format!("The policy file goes; {}", would_change(preview)),
        None => "The policy file goes".to_owned(),
    };
    let mut summary = format!("Without `{FILE}` the policy above it is in force.");
    if let Some(preview) = preview {
        summary.push_str("\n\n");
        summary.push_str(&table(preview));
    }
    Verdict { title, summary, annotations: Vec::new() }
}

/// Returns the message about a proposal that does not change the file.
pub(super) fn untouched() -> Verdict {
    let summary = format!("`{FILE}` stays as it is.");
    Verdict { title: "The policy is not changed".to_owned(), summary, annotations: Vec::new() }
}

/// Returns the message about a proposal whose file can't be read from the forge.
pub(super) fn not_shown(why: &str) -> Verdict {
    let summary = format!(
        "The forge does not show `{FILE}` as it stands here: {}. What it says can't be checked, and once merged it \
         could not be put into force. Let it be a plain text file of at most 256 KiB, and see that phasebot may read \
         the repository's contents (`phasebot doctor` tells).",
        quoted(why)
    );
    Verdict { title: "The policy file can't be read".to_owned(), summary, annotations: Vec::new() }
}

/// Returns the message about a merge group with this file.
pub(super) fn grouped(report: &Report) -> Verdict {
    changed(report, None)
}

fn would_change(preview: &Preview) -> String {
    if preview.out_of_time {
        return "preview not finished: too many items".to_owned();
    }
    moves(preview)
}

fn moves(preview: &Preview) -> String {
    match preview.changed {
        0 => "no open item would carry another label".to_owned(),
        changed => format!("{} would carry another label", count(changed, "open item")),
    }
}

fn table(preview: &Preview) -> String {
    let mut text = format!("### Preview\n\nOf {}, {}.", count(preview.open, "open item"), moves(preview));
    if preview.out_of_time {
        let _ = write!(
            text,
            " The preview is not finished: too many items. The time was up after the newest {}.",
            preview.looked_at
        );
    } else if preview.looked_at < preview.open {
        let _ = write!(text, " Only the newest {} were looked at.", preview.looked_at);
    }
    text.push_str(" Derived from what is recorded; closed items and facts that were never asked for are not in it.");
    if preview.first.is_empty() {
        return text;
    }
    text.push_str("\n\n| item | now | then | why |\n| --- | --- | --- | --- |\n");
    for row in &preview.first {
        let Move { item, now, then, why } = row;
        let label = |label: &Option<String>| label.as_ref().map_or_else(|| "none".to_owned(), |l| cell(&quoted(l)));
        // Inside code, a number creates no cross-reference in the item's own timeline.
        let _ = writeln!(text, "| `#{item}` | {} | {} | {} |", label(now), label(then), cell(why));
    }
    if preview.first.len() < preview.changed {
        let _ = writeln!(text, "\nand {} more", preview.changed - preview.first.len());
    }
    text
}

/// Escapes text for a table's cell: no line and no column ends within it.
fn cell(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().replace('|', "\\|")
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Wraps text in a code block that nothing in the text can end.
fn block(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST_REPORT).collect();
    if shown.len() < text.len() {
        shown.push_str("\n…");
    }
    let mut longest = 0;
    let mut run = 0;
    for c in shown.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(3.max(longest + 1));
    format!("{fence}text\n{}\n{fence}", shown.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cannot_leave_its_code_block() {
        let text = block("a\n````\n@everyone");
        assert!(text.starts_with("`````text\n") && text.ends_with("\n`````"), "{text}");
    }

    #[test]
    fn a_table_stays_a_table() {
        let row = Move { item: 3, now: None, then: Some("a|b".into()), why: "x | y\nz".into() };
        let preview = Preview { open: 30, looked_at: 30, changed: 21, first: vec![row], ..Preview::default() };
        let text = table(&preview);
        assert!(text.contains("Of 30 open items, 21 open items would carry another label."), "{text}");
        assert!(text.contains("| `#3` | none | `a∣b` | x \\| y z |\n"), "{text}");
        assert!(text.ends_with("and 20 more\n"), "{text}");
    }
}
