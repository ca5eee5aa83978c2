//! Finds text that a forge would act on in Markdown. It reads the syntax tree, not the source, and
//! prefers false positives to misses.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::{domain::id::ItemId, text::sanitize::names_item};

/// GitHub's Markdown extensions to CommonMark.
const DIALECT: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_GFM);

/// Text that a forge would act on, as written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Live {
    /// `@name` or `@organisation/team`.
    Mention(String),
    /// `#12` or `GH-12`.
    Item(String),
    /// Digits of a commit's SHA.
    Commit(String),
    /// A line that begins with a slash.
    Command(String),
    /// A bare address.
    Address(String),
    /// A link or image, with its target.
    Link(String),
    /// An HTML tag or comment.
    Html(String),
}

/// Returns everything in a text that a forge would act on.
pub fn live(markdown: &str) -> BTreeSet<Live> {
    let mut found = BTreeSet::new();
    let mut words = String::new();
    let mut code = 0_u32;
    for event in Parser::new_ext(markdown, DIALECT) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => code += 1,
            Event::End(TagEnd::CodeBlock) => code = code.saturating_sub(1),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                found.insert(Live::Link(dest_url.into_string()));
            }
            Event::Start(tag) if is_block(&tag) => words.push('\n'),
            Event::Text(text) if code == 0 => words.push_str(&text),
            // Two code spans must not join into one word with the text between them.
            Event::Code(_) | Event::FootnoteReference(_) => words.push('`'),
            Event::Html(html) | Event::InlineHtml(html) => read_html(&html, &mut found, &mut words),
            Event::SoftBreak | Event::HardBreak | Event::Rule => words.push('\n'),
            Event::End(end)
                if !matches!(end, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link) =>
            {
                words.push('\n');
            }
            Event::Start(_)
            | Event::End(_)
            | Event::Text(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::TaskListMarker(_) => {}
        }
    }
    read_words(&words, &mut found);
    found
}

fn is_block(tag: &Tag<'_>) -> bool {
    !matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough)
}

/// Adds each tag and comment to `found`, and the text between them to `words`.
fn read_html(html: &str, found: &mut BTreeSet<Live>, words: &mut String) {
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        words.push_str(&rest[..at]);
        let end = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
        found.insert(Live::Html(rest[at..end].to_owned()));
        words.push(' ');
        rest = &rest[end..];
    }
    words.push_str(rest);
}

fn read_words(words: &str, found: &mut BTreeSet<Live>) {
    for line in words.lines() {
        let line = line.trim();
        if line.starts_with('/') && line[1..].starts_with(|c: char| c.is_alphabetic()) {
            found.insert(Live::Command(line.to_owned()));
        }
        for word in line.split_whitespace() {
            read_word(word, found);
        }
    }
}

fn read_word(word: &str, found: &mut BTreeSet<Live>) {
    let lower = word.to_ascii_lowercase();
    for (at, _) in word.match_indices('@') {
        let name: String = word[at + 1..].chars().take_while(|c| c.is_alphanumeric() || "-_/".contains(*c)).collect();
        if name.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            found.insert(Live::Mention(format!("@{name}")));
        }
    }
    for mark in ["#", "gh-"] {
        for (at, _) in lower.match_indices(mark) {
            let digits: String = lower[at + mark.len()..].chars().take_while(char::is_ascii_digit).collect();
            if !digits.is_empty() {
                found.insert(Live::Item(format!("{}{digits}", &word[at..at + mark.len()])));
            }
        }
    }
    for piece in word.split(|c: char| !c.is_ascii_alphanumeric()) {
        if (7..=64).contains(&piece.len()) && piece.bytes().all(|b| b.is_ascii_hexdigit()) {
            found.insert(Live::Commit(piece.to_owned()));
        }
    }
    if lower.contains("://") || lower.contains("www.") {
        found.insert(Live::Address(word.to_owned()));
    }
}

/// Returns the first active text in `markdown` that neither the template (in the operator's own
/// wording) nor phasebot put there.
pub fn stranger(markdown: &str, template: &str, items: &BTreeSet<ItemId>, pages: &BTreeSet<&str>) -> Option<Live> {
    live(markdown).into_iter().find(|thing| match thing {
        Live::Item(item) => {
            let ours = item.strip_prefix('#').and_then(|n| n.parse().ok()).is_some_and(|n| items.contains(&n));
            !ours && !template.contains(item.as_str())
        }
        Live::Link(target) => {
            !(is_listed(target) || pages.contains(target.as_str()) || template.contains(target.as_str()))
        }
        Live::Mention(text) | Live::Commit(text) | Live::Command(text) | Live::Address(text) | Live::Html(text) => {
            !template.contains(text.as_str())
        }
    })
}

/// Returns whether a link may have this target: an address on the web that names no item of a
/// forge.
fn is_listed(target: &str) -> bool {
    (target.starts_with("https://") || target.starts_with("http://")) && !names_item(target)
}
