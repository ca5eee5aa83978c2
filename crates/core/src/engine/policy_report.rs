//! Messages about policy files, in Markdown: what a change weakens, what moves, what is invalid.
//! Parts of the files are quoted as code, where nothing in them is active.

use std::fmt::Write as _;

use crate::{
    context::rights::WRITERS,
    domain::{effect::Annotation, fact::RepoFacts, id::ItemId, policy::FILE, turn::Turn},
    engine::preview::{Move, Preview},
    policy::{Problem, Report},
    text::{
        headline,
        links::Links,
        message::{capitalized, count, forge_words, plain, quoted},
        sanitize::{code, fence, inline},
    },
};

/// Longest text that goes into a code block; forges take 65 535 characters in all.
const LONGEST_REPORT: usize = 30_000;

/// Limit on the changes of one kind that are listed.
const MOST_CHANGES: usize = 30;

/// Returns title and text of the issue about an invalid file.
pub fn broken(facts: &RepoFacts, report: &str) -> (String, String) {
    let (links, files) = (Links::of(facts), &facts.policy_files);
    let own = files.in_force.as_ref().and_then(|texts| texts.own.as_ref());
    let cautious = files.in_force.as_ref().is_none_or(|texts| texts.cautious);
    let holds = match own {
        Some(_) => "Until it is fixed, phasebot follows the last valid version.",
        None if cautious => {
            "No version was valid yet. phasebot follows the policy above it, and does no more than labels."
        }
        None => "Until it is fixed, phasebot follows the policy above it.",
    };
    // The report begins with the first problem: `FILE:LINE:COLUMN: message`.
    let first = report.lines().next().and_then(|line| {
        let mut parts = line.strip_prefix(FILE)?.strip_prefix(':')?.splitn(3, ':');
        let (line, message) = (parts.next()?.parse::<u32>().ok()?, parts.nth(1)?);
        Some((line, format!("Line {line}: {}", with_code(message.trim()))))
    });
    let (place, first) = match first {
        Some((line, first)) => (links.policy(Some(line), "this line"), first),
        None => (links.policy(None, "the file"), format!("`{FILE}` cannot take effect")),
    };
    let turn = Turn::people(WRITERS, format!("fix {place} ({})", links.edit_policy("edit")));
    let body = format!(
        "❌ {}\n\n{}\n\n{holds} To check it on your machine: `phasebot check`. This issue closes itself.",
        headline::line(&first, &turn),
        fence(report, LONGEST_REPORT).trim()
    );
    (format!("{FILE} is invalid; the previous version stays in force"), body)
}

/// Returns a problem's message without effect, its quoted words as code.
fn with_code(message: &str) -> String {
    let pieces = message.split('`').enumerate();
    let shown = pieces.map(|(index, piece)| if index % 2 == 0 { inline(piece, 300) } else { code(piece, 80) });
    shown.filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns title and text of the same issue once the file is valid again, or gone.
pub fn mended() -> (String, String) {
    let title = format!("{FILE} is invalid; the previous version stays in force");
    let state = format!("`{FILE}` on the default branch is valid again, or gone; what it says is in force");
    (title, format!("✅ {}", headline::line(&state, &Turn::Nobody)))
}

/// Message about a proposal: a title, a summary in Markdown, and annotations on lines of the file.
pub struct Verdict {
    /// Title, one line.
    pub title: String,
    /// Summary, Markdown.
    pub summary: String,
    /// Annotations on lines of the file.
    pub annotations: Vec<Annotation>,
}

impl Verdict {
    /// Returns a message; `mark` begins its first line, `line` if that says more than the title.
    fn new(mark: &str, state: &str, turn: &Turn, line: Option<&str>, parts: Vec<String>) -> Self {
        let first = format!("{mark} {}", headline::line(line.unwrap_or(state), turn));
        Self {
            title: plain(&format!("{}. {}", capitalized(state), turn.words())),
            summary: std::iter::once(first).chain(parts).collect::<Vec<_>>().join("\n\n"),
            annotations: Vec::new(),
        }
    }
}

/// People who decide about a proposal.
const REVIEWERS: &str = "whoever reviews this pull request";

/// Returns the message about a proposal that changes the file.
pub fn changed(report: &Report, preview: Option<&Preview>) -> Verdict {
    let text = report.to_string();
    let problems = count(report.problems.len(), "problem");
    let shown = fence(&text, LONGEST_REPORT).trim().to_owned();
    // A valid file without remarks has nothing more to say.
    let is_remarked = !report.valid || !report.warnings.is_empty() || !report.notes.is_empty();
    let parts = is_remarked.then_some(shown).into_iter().chain(preview.map(sections)).collect();
    let mut verdict = match preview {
        _ if !report.valid => {
            let turn = Turn::people("its author", format!("fix {problems} before it is merged"));
            Verdict::new(
                "❌",
                "invalid",
                &turn,
                Some(&format!("`{FILE}` is invalid, and would not take effect")),
                parts,
            )
        }
        Some(preview) => of_preview("valid", preview, parts),
        None => Verdict::new("✅", "valid", &Turn::Nobody, Some(&format!("`{FILE}` is valid")), parts),
    };
    let warnings: Vec<Problem> = report.warnings.iter().map(Problem::as_warning).collect();
    let findings = report.problems.iter().chain(&warnings);
    let annotations = findings.filter(|problem| problem.file == FILE).map(|problem| {
        let meant = problem.suggestion.as_ref().map(|word| format!(" (did you mean `{word}`?)")).unwrap_or_default();
        Annotation { path: FILE.to_owned(), line: problem.line, message: format!("{}{meant}", problem.message) }
    });
    verdict.annotations = annotations.collect();
    verdict
}

/// Returns the message about a proposal whose effect is known: what it weakens first.
fn of_preview(what: &str, preview: &Preview, parts: Vec<String>) -> Verdict {
    let line = |state: &str| format!("`{FILE}`: {state}");
    let weaker = preview.diff.weaker.len();
    if weaker > 0 {
        let ways = count(weaker, "way");
        let off = if preview.diff.turns_gates_off { ", gates off altogether" } else { "" };
        let state = format!("{what}, but it weakens protection in {ways}{off}");
        let all = if weaker == 1 { "it" } else { "all of them" };
        let act = format!("approve it if you want {all}, request changes if not");
        return Verdict::new("⚠️", &state, &Turn::people(REVIEWERS, act), Some(&line(&state)), parts);
    }
    let moves = if preview.out_of_time { "preview not finished: too many items".to_owned() } else { moves(preview) };
    let state = format!("{what}; {moves}");
    if preview.changed > 0 || preview.out_of_time {
        let turn = Turn::people(REVIEWERS, "approve it if you want these labels, request changes if not");
        return Verdict::new("✋", &state, &turn, Some(&line(&state)), parts);
    }
    Verdict::new("✅", &state, &Turn::Nobody, Some(&line(&state)), parts)
}

/// Returns the message about a proposal that removes the file.
pub fn removed(preview: Option<&Preview>) -> Verdict {
    let without = format!("Without `{FILE}`, the policy above it is in force.");
    if let Some(preview) = preview {
        return of_preview("removes the policy file", preview, vec![sections(preview), without]);
    }
    let turn = Turn::people(REVIEWERS, "approve it only if you want that");
    Verdict::new("✋", "removes the policy file", &turn, None, vec![without])
}

/// Returns the message about a proposal that does not change the file.
pub fn untouched() -> Verdict {
    let line = format!("`{FILE}` is unchanged");
    Verdict::new("✅", "policy unchanged", &Turn::Nobody, Some(&line), Vec::new())
}

/// Returns the message about a proposal whose file can't be read from the forge.
pub fn not_shown(why: &str) -> Verdict {
    let line = format!("GitHub did not return `{FILE}` of this commit: {}", forge_words(why));
    let turn = Turn::people("its author", "make it a plain text file of at most 256 KiB");
    let more = "It cannot be checked, and once merged it would not take effect. phasebot also has to be allowed to read \
                the repository's contents: `phasebot doctor` explains how.";
    Verdict::new("❌", "the policy file cannot be read", &turn, Some(&line), vec![more.to_owned()])
}

/// Returns the message about a merge group with this file.
pub fn grouped(report: &Report) -> Verdict {
    changed(report, None)
}

fn moves(preview: &Preview) -> String {
    match preview.changed {
        0 => "no open item changes its label".to_owned(),
        1 => "1 open item changes its label".to_owned(),
        changed => format!("{changed} open items change their label"),
    }
}

/// Returns what a proposal changes: protection that it weakens, everything else, then the labels.
fn sections(preview: &Preview) -> String {
    let mut text = String::new();
    let list = |rows: &[String]| {
        let more = rows.len().saturating_sub(MOST_CHANGES);
        let more = if more == 0 { String::new() } else { format!("- and {more} more\n") };
        format!("- {}\n{more}", rows[..rows.len().min(MOST_CHANGES)].join("\n- "))
    };
    if !preview.diff.weaker.is_empty() {
        let _ = writeln!(text, "**It weakens protection**\n\n{}", list(&preview.diff.weaker));
    }
    if !preview.diff.other.is_empty() {
        let _ = writeln!(text, "**It also changes**\n\n{}", list(&preview.diff.other));
    }
    let _ = write!(text, "**{}** ({} open)", capitalized(&moves(preview)), preview.open);
    if preview.out_of_time {
        let _ = write!(text, "\n\nThe preview is not finished: time was up after the newest {}.", preview.looked_at);
    } else if preview.looked_at < preview.open {
        let _ = write!(text, "\n\nOnly the newest {} were examined.", preview.looked_at);
    }
    // The labels now and then, and the items with these.
    let mut groups: Vec<([&Option<String>; 2], Vec<ItemId>)> = Vec::new();
    for Move { item, now, then, .. } in &preview.first {
        match groups.iter_mut().find(|(labels, _)| *labels == [now, then]) {
            Some((_, items)) => items.push(*item),
            None => groups.push(([now, then], vec![*item])),
        }
    }
    if !groups.is_empty() {
        text.push('\n');
    }
    for ([now, then], items) in groups {
        let label = |label: &Option<String>| label.as_ref().map_or_else(|| "no label".to_owned(), |l| quoted(l));
        // Inside code, a number creates no cross-reference in the item's own timeline.
        let items: Vec<String> = items.iter().map(|item| format!("`#{item}`")).collect();
        let _ = write!(text, "\n- {} → {}: {}", label(now), label(then), items.join(" "));
    }
    if preview.first.len() < preview.changed {
        let _ = write!(text, "\n- and {} more", preview.changed - preview.first.len());
    }
    text.push_str("\n\nCounted among the open items that phasebot has recorded.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::preview::PolicyDiff;

    #[test]
    fn a_long_list_says_how_many_it_leaves_out() {
        let diff = PolicyDiff { weaker: (0..33).map(|n| format!("change {n}")).collect(), ..PolicyDiff::default() };
        let preview = Preview { diff, ..Preview::default() };
        let verdict = of_preview("valid", &preview, Vec::new());
        assert!(verdict.title.starts_with("Valid, but it weakens protection in 33 ways. Next, "), "{}", verdict.title);
        let text = sections(&preview);
        assert!(text.contains("- change 29\n- and 3 more\n") && !text.contains("change 30"), "{text}");
    }

    #[test]
    fn labels_are_grouped_and_cannot_leave_their_line() {
        let row = |item, then: &str| Move { item, now: None, then: Some(then.into()), why: String::new() };
        let first = vec![row(3, "a|b\n"), row(4, "a|b\n"), row(5, "c")];
        let text = sections(&Preview { open: 30, looked_at: 30, changed: 21, first, ..Preview::default() });
        assert!(text.starts_with("**21 open items change their label** (30 open)"), "{text}");
        assert!(text.contains("\n- no label → `a∣b`: `#3` `#4`\n- no label → `c`: `#5`\n- and 18 more"), "{text}");
    }
}
