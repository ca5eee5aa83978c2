//! Texts of messages, before they are escaped for their target.

use crate::{
    domain::notice::{Notice, NoticeKind, NoticeLink},
    port::notify::Content,
};

/// Most notices that a digest lists.
const MOST_LISTED: usize = 20;
/// A zero-width space: it keeps a target from reading a name or an address.
pub(super) const NOTHING: char = '\u{200b}';

/// A message as plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// First line.
    pub(super) title: String,
    /// Further lines.
    pub(super) lines: Vec<String>,
    /// Links. Their words are ours, and their addresses are those of the forge.
    pub(super) links: Vec<NoticeLink>,
}

/// Returns the text of a message.
pub(super) fn of(content: &Content<'_>) -> Text {
    match content {
        Content::Notice(notice) => {
            Text { title: headline(notice), lines: notice.lines.clone(), links: notice.links.clone() }
        }
        Content::Digest(notices) => {
            let mut sorted: Vec<&Notice> = notices.to_vec();
            sorted.sort_by_key(|notice| !notice.needs_person);
            let mut lines: Vec<String> = sorted.iter().take(MOST_LISTED).map(|notice| headline(notice)).collect();
            if sorted.len() > MOST_LISTED {
                lines.push(format!("and {} more", sorted.len() - MOST_LISTED));
            }
            let title = format!("{} notices in one, because there were many", sorted.len());
            Text { title, lines, links: Vec::new() }
        }
        Content::Test => {
            Text { title: "A test by phasebot: notices arrive here".to_owned(), lines: Vec::new(), links: Vec::new() }
        }
    }
}

fn headline(notice: &Notice) -> String {
    let symbol = match notice.kind {
        _ if notice.needs_person => "✋",
        NoticeKind::DeployFailed => "❌",
        NoticeKind::RolledBack => "⏪",
        NoticeKind::IncidentOpened | NoticeKind::Storm => "🔥",
        NoticeKind::Released => "🚀",
        NoticeKind::DeployStarted => "▶️",
        NoticeKind::PersonNeeded | NoticeKind::IncidentOver | NoticeKind::DeploySucceeded => "✅",
    };
    format!("{symbol} {}: {}", notice.repository, notice.headline)
}

/// Cuts a text to a number of characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Escapes Markdown for Discord, Mattermost and adaptive cards: no mark, mention, address, reference
/// or code can arise from the text. A backslash before a punctuation mark makes it plain, and a
/// zero-width space splits what is recognised without marks.
pub(super) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => out.push(' '),
            // What follows them is a name, a channel, an emoji or an address.
            '@' | '#' | '~' | ':' => out.extend(['\\', letter, NOTHING]),
            '.' | '/' => out.extend([letter, NOTHING]),
            _ if letter.is_ascii_punctuation() => out.extend(['\\', letter]),
            _ => out.push(letter),
        }
    }
    out
}

/// Returns links in Markdown, in one line.
pub(super) fn markdown_links(links: &[NoticeLink]) -> String {
    let links = links.iter().map(|link| format!("[{}]({})", markdown(&link.words), address(&link.url)));
    links.collect::<Vec<_>>().join(" · ")
}

/// Returns an address that can stand between parentheses, angle brackets and quotation marks.
pub(super) fn address(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for letter in url.chars() {
        match letter {
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '"' => out.push_str("%22"),
            '|' => out.push_str("%7C"),
            '\\' => out.push_str("%5C"),
            _ if letter.is_control() || letter.is_whitespace() => {}
            _ => out.push(letter),
        }
    }
    out
}
