//! Terminal output: colours, and replacements for Unicode on plain terminals.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use crate::cli::text::wrapped;

/// Maximum length of a line, in characters.
const WIDTH: usize = 100;

/// Capabilities of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// The terminal shows Unicode.
    pub(super) unicode: bool,
    /// The terminal shows colours.
    pub(super) colours: bool,
}

impl Style {
    /// Detects the capabilities from the environment: the locale's encoding, `TERM`, `NO_COLOR`.
    pub(super) fn of<'a>(variable: impl Fn(&str) -> Option<&'a str>, terminal: bool) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let dumb = set("TERM") == Some("dumb");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or("").to_ascii_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8") || cfg!(windows);
        Self { unicode: utf8 && !dumb, colours: terminal && !dumb && set("NO_COLOR").is_none() }
    }
}

/// Output of the story.
pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    style: Style,
}

impl<'a> Page<'a> {
    /// Creates a page on `out`.
    pub(super) fn new(out: &'a mut dyn Write, style: Style) -> Self {
        Self { out, style }
    }

    /// Writes a line immediately.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        let text = if self.style.unicode { Cow::Borrowed(text) } else { Cow::Owned(ascii(text)) };
        writeln!(self.out, "{}", text.trim_end())?;
        self.out.flush()
    }

    /// Writes a paragraph.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        wrapped(text, WIDTH).iter().try_for_each(|line| self.line(line))
    }

    /// Writes a paragraph behind its name; further lines are indented.
    pub(super) fn entry(&mut self, name: &str, text: &str) -> io::Result<()> {
        let name = self.faint(&format!("{name:>9}"));
        for (index, line) in wrapped(text, WIDTH - 12).into_iter().enumerate() {
            let head = if index == 0 { name.as_str() } else { "         " };
            self.line(&format!("{head}  {line}"))?;
        }
        Ok(())
    }

    /// Formats a title.
    pub(super) fn strong(&self, text: &str) -> String {
        self.painted("1", text)
    }

    /// Formats less important text.
    pub(super) fn faint(&self, text: &str) -> String {
        self.painted("2", text)
    }

    /// Formats an error.
    pub(super) fn alarm(&self, text: &str) -> String {
        self.painted("1;31", text)
    }

    /// Formats a label in its colour on the forge: `colour` is six hex digits.
    pub(super) fn label(&self, text: &str, colour: &str) -> String {
        let channel = |at: usize| colour.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let (Some(red), Some(green), Some(blue)) = (channel(0), channel(2), channel(4)) else { return text.to_owned() };
        // Dark text on a light background, light text on a dark one.
        let light = u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114 > 140_000;
        let ink = if light { 30 } else { 97 };
        self.painted(&format!("1;{ink};48;2;{red};{green};{blue}"), text)
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.style.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Converts text to ASCII; a drawing keeps its shape.
fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '─' | '−' | '—' => plain.push('-'),
            '│' => plain.push('|'),
            '╭' | '╮' | '╰' | '╯' => plain.push('+'),
            '╱' => plain.push('/'),
            '╲' => plain.push('\\'),
            '▸' => plain.push('>'),
            '◂' => plain.push('<'),
            '«' | '»' => plain.push('"'),
            '·' => plain.push('.'),
            '→' => plain.push_str("->"),
            '…' => plain.push_str("..."),
            c if c.is_ascii() => plain.push(c),
            _ => plain.push('?'),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(variables: &[(&str, &str)], terminal: bool) -> Style {
        Style::of(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| *v), terminal)
    }

    #[test]
    fn the_environment_decides() {
        let rich = style(&[("LANG", "de_DE.UTF-8")], true);
        assert_eq!(rich, Style { unicode: true, colours: true });
        assert_eq!(style(&[("LANG", "de_DE.UTF-8")], false), Style { unicode: true, colours: false });
        assert!(!style(&[("LANG", "C.UTF-8"), ("NO_COLOR", "1")], true).colours);
        assert!(!style(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")], true).unicode);
        assert_eq!(style(&[("LANG", "C.UTF-8"), ("TERM", "dumb")], true), Style { unicode: false, colours: false });
    }

    #[test]
    fn a_plain_terminal_gets_ascii() {
        let mut out = Vec::new();
        let mut page = Page::new(&mut out, Style { unicode: false, colours: false });
        page.line("a → b ╭─▸ «x» é").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a -> b +-> \"x\" ?\n");
    }
}
