//! Plain text of notices.

use crate::{
    domain::notice::NoticeLink,
    text::{message, sanitize},
};

/// Longest line in characters, and most lines.
const LONGEST: usize = 300;
const MOST_LINES: usize = 8;

/// Character references that the sanitizer writes.
const REFERENCES: [(&str, char); 4] = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"')];

/// Returns a line of a message in Markdown as plain text: as people wrote it, without links, marks and
/// hidden characters, cut to a length.
pub(super) fn line(markdown: &str) -> String {
    let unlinked = message::unlinked(markdown);
    let mut text = String::with_capacity(unlinked.len());
    let mut rest = unlinked.as_str();
    while let Some(letter) = rest.chars().next() {
        let mut after = &rest[letter.len_utf8()..];
        let shown = match letter {
            '`' | '*' => None,
            '\\' if after.starts_with(|c: char| c.is_ascii_punctuation()) => {
                let escaped = after.chars().next();
                after = &after[1..];
                escaped
            }
            '&' => {
                let reference = REFERENCES.iter().find(|(name, _)| rest.starts_with(name));
                after = reference.map_or(after, |(name, _)| &rest[name.len()..]);
                Some(reference.map_or(letter, |(_, shown)| *shown))
            }
            _ if letter.is_whitespace() => Some(' '),
            _ => Some(letter).filter(|letter| !sanitize::is_hidden(*letter)),
        };
        text.extend(shown);
        rest = after;
    }
    let text = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// Returns lines as plain text, without empty ones; more than a few are counted.
pub(super) fn lines(markdown: &[String]) -> Vec<String> {
    let all: Vec<String> = markdown.iter().map(|one| line(one)).filter(|one| !one.is_empty()).collect();
    let more = all.len().saturating_sub(MOST_LINES);
    let mut shown: Vec<String> = all.into_iter().take(MOST_LINES).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown
}

/// Returns a link, if there is an address.
pub(super) fn link(words: &str, url: Option<String>) -> Option<NoticeLink> {
    url.map(|url| NoticeLink { words: words.to_owned(), url })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_plain_text() {
        let said = "**`bob`** said \u{201c}a\\_b\\*\u{201d}: [run of `x.yml`](https://x.test/1), \u{200b}then\nnothing";
        assert_eq!(line(said), "bob said \u{201c}a_b*\u{201d}: run of x.yml, then nothing");
        let title = r#"Cart <!channel> @here is *slow* & "old" #12 \ `x`"#;
        assert_eq!(line(&sanitize::inline(title, 200)), title);
        assert_eq!(line(&"x".repeat(400)).chars().count(), 300);
        let many = vec!["a".to_owned(); 12];
        assert_eq!(lines(&many).last().map(String::as_str), Some("and 4 more"));
    }
}
