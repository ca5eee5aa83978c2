//! Sanitizes untrusted text for the terminal.

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
    fn escapes_what_a_terminal_would_obey() {
        assert_eq!(line("a\u{1b}[31mb\nc\u{202e}d"), "a\\u{1b}[31mb\\u{a}c\\u{202e}d");
        assert_eq!(lines("{\n\t\"a\": \"\u{9b}\"\r}"), "{\n\t\"a\": \"\\u{9b}\"\\u{d}}");
        assert_eq!(line("Grüße, 世界 🚀"), "Grüße, 世界 🚀");
    }
}
