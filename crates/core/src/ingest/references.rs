//! Extracts references to other items from titles, bodies and commit messages.
//!
//! The closing keywords are GitHub's documented nine (docs.github.com, "Linking a pull request to
//! an issue"). Other forges use a superset; a keyword that a forge does not know links nothing
//! there.

use pulldown_cmark::{Event as Markdown, Parser, Tag, TagEnd};

use crate::domain::{
    fact::{commit::CommitFacts, item::TextRefs},
    id::{ItemId, Sha},
};

/// Maximum links followed in one text.
const MOST_LINKS: usize = 10;

const CLOSING: [&str; 9] = ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];

/// The repository in which a text was written, to which its references are relative.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Home {
    /// `owner/name`.
    pub full_name: String,
    /// Host of the forge's pages; while it is unknown, no address names an item.
    pub web_host: Option<String>,
}

/// Extracts references from a pull request's title and body. Ignores code, HTML and quotes.
pub fn pull_refs(title: &str, body: &str, home: &Home) -> TextRefs {
    let mut refs = TextRefs::default();
    read_refs(title, home, &mut refs);
    read_refs(&prose(body, home), home, &mut refs);
    refs
}

/// Extracts references from a commit message, which is plain text.
pub fn commit_facts(message: &str, home: &Home) -> CommitFacts {
    let mut refs = TextRefs::default();
    read_refs(message, home, &mut refs);
    CommitFacts {
        closes: refs.closes,
        picked_from: commits_after(message, "(cherry picked from commit"),
        reverts: commits_after(message, "This reverts commit"),
        merges: merged_pull(message.lines().next().unwrap_or_default()),
    }
}

/// Returns the pull request that a forge's merge commit names in its first line: `Merge pull
/// request #6 from …`, or `Title (#6)` for a squash.
fn merged_pull(line: &str) -> Option<ItemId> {
    let digits = match line.strip_prefix("Merge pull request #") {
        Some(rest) => rest.split(' ').next()?,
        None => line.trim_end().strip_suffix(')')?.rsplit_once("(#")?.1,
    };
    let plain = !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Returns the author's own prose of a Markdown text as readers see it, on its original lines.
///
/// The text of a link counts only if the link leads to the same item, because a text is not its
/// target.
fn prose(body: &str, home: &Home) -> String {
    let mut text = String::new();
    let mut hidden = 0_u32;
    // Open links: the start of their text, and their target.
    let mut links: Vec<(usize, Option<ItemId>)> = Vec::new();
    for event in Parser::new(body) {
        match event {
            Markdown::Start(Tag::CodeBlock(_) | Tag::BlockQuote(_) | Tag::HtmlBlock) => hidden += 1,
            Markdown::End(TagEnd::CodeBlock | TagEnd::BlockQuote(_) | TagEnd::HtmlBlock) => {
                hidden = hidden.saturating_sub(1);
                text.push('\n');
            }
            Markdown::Text(words) if hidden == 0 => text.push_str(&words),
            Markdown::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push((text.len(), item_ref(&dest_url, home)));
            }
            Markdown::End(TagEnd::Link | TagEnd::Image) => {
                if let Some((start, target)) = links.pop() {
                    let words = text.split_off(start);
                    let counts = |word: &str| item_ref(word, home).is_none_or(|named| Some(named) == target);
                    for word in words.split_whitespace() {
                        text.push_str(if counts(word) { word } else { "`" });
                        text.push(' ');
                    }
                }
            }
            // A space keeps "Fixes `x` #12" from joining into a link.
            Markdown::Code(_) => text.push_str(" ` "),
            Markdown::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough) => text.push(' '),
            Markdown::SoftBreak | Markdown::HardBreak | Markdown::End(_) => text.push('\n'),
            Markdown::Start(_)
            | Markdown::Text(_)
            | Markdown::InlineMath(_)
            | Markdown::DisplayMath(_)
            | Markdown::Html(_)
            | Markdown::InlineHtml(_)
            | Markdown::FootnoteReference(_)
            | Markdown::Rule
            | Markdown::TaskListMarker(_) => {}
        }
    }
    text
}

/// Adds the references of a text. A closing keyword counts anywhere; `Reverts #12` only at the
/// start of a line, as forges write it: within a sentence it describes someone else's revert.
fn read_refs(text: &str, home: &Home, refs: &mut TextRefs) {
    let lines = text.lines().flat_map(|line| {
        let words = line.split_whitespace().filter(|word| !matches!(*word, "-" | "*" | "+"));
        words.enumerate().map(|(at, word)| (at == 0, word))
    });
    let mut words = lines.peekable();
    while let Some((first, word)) = words.next() {
        let keyword =
            word.trim_start_matches(['(', '[', '*', '_', '-', '"', '\'']).trim_end_matches(':').to_ascii_lowercase();
        let closes = CLOSING.contains(&keyword.as_str());
        let reverts = first && keyword == "reverts";
        if !closes && !reverts {
            continue;
        }
        let Some(number) = words.peek().and_then(|(_, next)| item_ref(next, home)) else { continue };
        let list = if closes { &mut refs.closes } else { &mut refs.reverts };
        if list.len() < MOST_LINKS && !list.contains(&number) {
            list.push(number);
        }
    }
}

/// Parses `#12`, `GH-12`, `owner/name#12` or the item's address, all of this repository on this
/// forge only.
fn item_ref(word: &str, home: &Home) -> Option<ItemId> {
    let full_name = &home.full_name;
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '#' && c != '/');
    let digits = if let Some(digits) = word.strip_prefix('#') {
        digits
    } else if let Some(digits) = word.get(..3).filter(|p| p.eq_ignore_ascii_case("gh-")).and_then(|_| word.get(3..)) {
        digits
    } else if let Some((repo, digits)) = word.rsplit_once('#') {
        repo.eq_ignore_ascii_case(full_name).then_some(digits)?
    } else {
        let (host, path) = word.strip_prefix("https://")?.split_once('/')?;
        if !home.web_host.as_ref().is_some_and(|ours| ours.eq_ignore_ascii_case(host)) {
            return None;
        }
        let (repo, rest) = path.split_at_checked(full_name.len())?;
        if !repo.eq_ignore_ascii_case(full_name) {
            return None;
        }
        rest.strip_prefix("/issues/").or_else(|| rest.strip_prefix("/pull/"))?
    };
    let end = digits.bytes().take_while(u8::is_ascii_digit).count();
    if end == 0 || end > 9 || digits[end..].starts_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    digits[..end].parse().ok().filter(|n| *n > 0)
}

/// Returns the commits named by lines that begin with `words`, as Git writes them.
fn commits_after(message: &str, words: &str) -> Vec<Sha> {
    let mut found = Vec::new();
    for rest in message.lines().filter_map(|line| line.trim_start().strip_prefix(words)) {
        let rest = rest.trim_start();
        let end = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        // Git and the forges write whole object names.
        let Ok(sha) = rest[..end].parse() else { continue };
        if found.len() < MOST_LINKS && !found.contains(&sha) {
            found.push(sha);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(full_name: &str) -> Home {
        Home { full_name: full_name.to_owned(), web_host: Some("github.com".to_owned()) }
    }

    fn closes(body: &str) -> Vec<ItemId> {
        pull_refs("", body, &home("acme/shop")).closes
    }

    fn reverts(body: &str) -> Vec<ItemId> {
        pull_refs("", body, &home("acme/shop")).reverts
    }

    #[test]
    fn every_form_of_a_link() {
        assert_eq!(closes("Fixes #1, closes: #2 and RESOLVES GH-3."), [1, 2, 3]);
        assert_eq!(closes("(fixes acme/shop#4)"), [4]);
        assert_eq!(closes("Closes https://github.com/acme/shop/issues/5."), [5]);
        assert_eq!(closes("**Fixes** #6"), [6]);
        assert_eq!(closes("Fixes [#6](https://github.com/acme/shop/issues/6)"), [6]);
        assert_eq!(closes("[Fixes #6](https://github.com/acme/shop/pull/6)."), [6]);
        assert_eq!(closes("Fixes <https://github.com/acme/shop/issues/6>"), [6]);
        assert_eq!(pull_refs("Fix #7", "", &home("acme/shop")).closes, [7]);
        assert_eq!(closes("> Fixes #1\n\nFixes #2"), [2], "after what is quoted the author speaks again");
        assert_eq!(closes("```\nfixes #1\n```\nFixes #2"), [2]);
        assert_eq!(closes("Fixes #1, fixes #1"), [1]);
    }

    #[test]
    fn what_links_nothing() {
        for body in [
            "see #1",
            "Fixes other/repo#1",
            "Fixes https://github.com/acme/shopping/issues/1",
            "Fixes https://codeberg.example/acme/shop/issues/4",
            "Fixes [#4](https://codeberg.example/acme/shop/issues/4)",
            "Fixes https://github.com.evil.example/acme/shop/issues/4",
            "Fixes https://github.com@evil.example/acme/shop/issues/4",
            "Fixes https://github.com:8443/acme/shop/issues/4",
            "```\nfixes #1\n```",
            "    fixes #1",
            "`fixes #1`",
            "fixes `x` #1",
            "> fixes #1",
            "<!-- fixes #1 -->",
            "fixes #0",
            "fixes #1x",
            "fixes #99999999999",
            "prefixes #1",
            "Fixes [#12](https://github.com/other/repo/issues/12)",
            "Fixes [#12](https://github.com/acme/shop/issues/13)",
            "Fixes [#12](https://example.com) #1",
            "[Fixes #12](https://example.com)",
            "![Fixes #12](https://example.com/12.png)",
            "Fixes [![#12](https://example.com/12.png)](https://github.com/other/repo/issues/12)",
            "Fixes [#12][there]\n\n[there]: https://github.com/other/repo/issues/12",
        ] {
            assert!(closes(body).is_empty(), "{body:?} gave {:?}", closes(body));
        }
    }

    #[test]
    fn at_most_ten() {
        let body = (1..=12).map(|n| format!("fixes #{n}")).collect::<Vec<_>>().join("\n");
        assert_eq!(closes(&body).len(), MOST_LINKS);
        let message = (1..=12).map(|n| format!("This reverts commit {n:040x}.")).collect::<Vec<_>>().join("\n");
        assert_eq!(commit_facts(&message, &home("acme/shop")).reverts.len(), MOST_LINKS);
    }

    #[test]
    fn an_address_counts_on_the_repositorys_own_host_only() {
        let body = "Fixes https://ghe.example/acme/shop/issues/4";
        let on = |host: Option<&str>| {
            let home = Home { full_name: "acme/shop".to_owned(), web_host: host.map(str::to_owned) };
            pull_refs("", body, &home).closes
        };
        assert_eq!(on(Some("GHE.example")), [4]);
        assert!(on(Some("github.com")).is_empty() && on(None).is_empty());
    }

    #[test]
    fn a_revert_is_named_where_a_line_begins() {
        for body in [
            "Reverts acme/shop#12",
            "Reverts #12",
            "reverts: #12, it broke the cart",
            "It broke the cart.\nReverts #12",
            "- Reverts #12\n- adds a test",
            "**Reverts** #12",
            "Reverts [#12](https://github.com/acme/shop/pull/12)",
            "> see below\n\nReverts https://github.com/acme/shop/pull/12",
        ] {
            assert_eq!(reverts(body), [12], "{body:?}");
        }
        for body in [
            "If that fails, ops reverts #12 by hand.",
            "Whoever is on call **manually** reverts #12",
            "See [the runbook](https://example.com) reverts #12",
            "The bot `x` reverts #12",
            "Fixes #3, reverts #12",
            "> Reverts #12",
            "`Reverts #12`",
        ] {
            assert!(reverts(body).is_empty(), "{body:?} gave {:?}", reverts(body));
        }
        assert_eq!(pull_refs("Reverts #12", "", &home("acme/shop")).reverts, [12]);
        assert!(pull_refs("Note that ops reverts #12", "", &home("acme/shop")).reverts.is_empty());
    }

    #[test]
    fn git_names_commits_where_a_line_begins() {
        let sha = "a".repeat(40);
        for message in [
            format!("Undo: somebody wrote \"This reverts commit {sha}\""),
            format!("Explain (cherry picked from commit {sha})"),
            format!("x\n\n> This reverts commit {sha}."),
        ] {
            assert!(commit_facts(&message, &home("a/b")).is_silent(), "{message}");
        }
        let squashed = format!("Squashed\n\n    This reverts commit {sha}.");
        assert_eq!(commit_facts(&squashed, &home("a/b")).reverts.len(), 1);
    }

    #[test]
    fn reverts_and_picks() {
        assert_eq!(pull_refs("", "Reverts acme/shop#9", &home("acme/shop")).reverts, [9]);
        let sha = "a".repeat(40);
        let facts =
            commit_facts(&format!("x\n\nThis reverts commit {sha}.\n(cherry picked from commit {sha})"), &home("a/b"));
        assert_eq!((facts.reverts.len(), facts.picked_from.len()), (1, 1));
        assert!(commit_facts("This reverts commit abc1234.", &home("a/b")).is_silent());
        assert_eq!(commit_facts("Merge pull request #6 from acme/topic", &home("a/b")).merges, Some(6));
        assert_eq!(commit_facts("Let me log in (#7)\n\nFixes #1", &home("a/b")).merges, Some(7));
        for line in ["See (#x) and #7", "See (#)", "Too long (#1234567890)", "Not at the end (#7) yet"] {
            assert_eq!(commit_facts(line, &home("a/b")).merges, None, "{line}");
        }
    }
}
