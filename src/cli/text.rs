//! Text for the terminal: escapes for what is untrusted, and lines of a bounded width.

use std::io::{self, Write};

/// Columns that tables fit into.
pub(super) const WIDTH: usize = 80;

/// Cuts a line to a number of columns.
pub(super) fn cut(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    let kept: String = line.chars().take(columns.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Breaks a text at spaces into lines of at most `columns`. A longer word has a line of its own.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |line| shown_width(line));
        if last > 0 && last + 1 + shown_width(word) > columns {
            lines.push(word.to_owned());
        } else if let Some(line) = lines.last_mut() {
            if last > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// Writes a text in lines that fit a terminal: the first one after `head`, the others as far to the
/// right.
pub(super) fn put(out: &mut dyn Write, head: &str, text: &str) -> io::Result<()> {
    put_hanging(out, head, shown_width(head), text)
}

/// Writes a text like [`put`], with the other lines after `indent` spaces.
pub(super) fn put_hanging(out: &mut dyn Write, head: &str, indent: usize, text: &str) -> io::Result<()> {
    let most = WIDTH - indent.max(shown_width(head));
    for (at, line) in wrapped(text, most).into_iter().enumerate() {
        if at == 0 { writeln!(out, "{head}{line}")? } else { writeln!(out, "{:indent$}{line}", "")? }
    }
    Ok(())
}

/// Returns the number of visible characters, without colour codes.
fn shown_width(text: &str) -> usize {
    let mut hidden = false;
    let seen = text.chars().filter(|c| {
        let was_hidden = hidden;
        hidden = *c == '\u{1b}' || (hidden && *c != 'm');
        !hidden && !was_hidden
    });
    seen.count()
}

/// Escapes untrusted text for output in one line: control characters, which could move the cursor
/// or change colours, and characters that change the writing direction.
pub(super) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// Escapes text like [`line()`], but keeps line breaks and tabs.
pub(super) fn lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) && !matches!(c, '\n' | '\t') { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_at_spaces() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("", 7), [""]);
        assert_eq!(wrapped("unbreakable", 3), ["unbreakable"]);
        assert_eq!(wrapped("\u{1b}[1;30mone\u{1b}[0m two", 7).len(), 1);
        assert_eq!(cut("one two", 5), "one…");
        assert_eq!(cut("one", 3), "one");
    }

    #[test]
    fn escapes_what_a_terminal_would_obey() {
        assert_eq!(line("a\u{1b}[31mb\nc\u{202e}d"), "a\\u{1b}[31mb\\u{a}c\\u{202e}d");
        assert_eq!(lines("{\n\t\"a\": \"\u{9b}\"\r}"), "{\n\t\"a\": \"\\u{9b}\"\\u{d}}");
        assert_eq!(line("Grüße, 世界 🚀"), "Grüße, 世界 🚀");
    }
}
