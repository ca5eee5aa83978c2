//! Lines of a comment that are its author's own words.
//!
//! This reads the Markdown tree, not the text: a line in code, quotes, HTML, links, lists, headings
//! or tables does not count, nor does text that a mail program put below a reply. Where the tree
//! and the visible text may differ, the line does not count: an ignored command can be written
//! again.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::domain::fact::waiting::Piece;

/// GitHub's extensions of `CommonMark`, so that nothing in them is taken for prose.
const DIALECT: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_MATH)
    .union(Options::ENABLE_GFM);

/// Void elements, and paragraphs, whose end tag is usually omitted.
const WITHOUT_END: [&str; 16] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "p", "param", "source", "track", "wbr",
    "!--",
];

/// Limit on the open HTML elements that are tracked.
const DEEPEST: usize = 64;

/// Least number of underscores in a mail program's line above the quoted mail.
const MAIL_RULE: usize = 20;

/// Returns the lines of the author's own prose that begin with a slash, in order. Each is the
/// visible text, with code kept apart.
pub(super) fn slash_lines(body: &str) -> Vec<Vec<Piece>> {
    // Some editors begin a text with an invisible byte order mark.
    let body = body.trim_start_matches('\u{feff}');
    let mut reader = Reader { body, open: Vec::new(), depth: 0, after_list: false, found: Vec::new() };
    let mut events = Parser::new_ext(body, DIALECT).into_offset_iter().peekable();
    while let Some((event, place)) = events.next() {
        match event {
            Event::Start(Tag::Paragraph) if reader.depth == 0 => {
                let mut inner = Vec::new();
                for (event, place) in events.by_ref() {
                    match event {
                        Event::End(TagEnd::Paragraph) => break,
                        event @ (Event::Start(_)
                        | Event::End(_)
                        | Event::Text(_)
                        | Event::Code(_)
                        | Event::InlineMath(_)
                        | Event::DisplayMath(_)
                        | Event::Html(_)
                        | Event::InlineHtml(_)
                        | Event::FootnoteReference(_)
                        | Event::SoftBreak
                        | Event::HardBreak
                        | Event::Rule
                        | Event::TaskListMarker(_)) => inner.push((event, place)),
                    }
                }
                let quoted_below = matches!(events.peek(), Some((Event::Start(Tag::BlockQuote(_)), _)));
                if reader.paragraph(&inner, place, quoted_below) == Mail::EndsHere {
                    break;
                }
            }
            Event::Start(_) => {
                reader.depth += 1;
                reader.after_list = false;
            }
            Event::End(end) => {
                reader.depth = reader.depth.saturating_sub(1);
                reader.after_list = matches!(end, TagEnd::List(_));
            }
            Event::Html(html) | Event::InlineHtml(html) => reader.html(&html),
            Event::Rule if reader.depth == 0 && is_mail_rule(&body[place]) => break,
            Event::Rule => reader.after_list = false,
            Event::Text(_)
            | Event::Code(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::SoftBreak
            | Event::HardBreak
            | Event::TaskListMarker(_) => {}
        }
    }
    reader.found
}

/// Result of reading a paragraph: the text continues, or a quoted mail or signature begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mail {
    GoesOn,
    EndsHere,
}

struct Reader<'a> {
    body: &'a str,
    /// Open HTML elements: text within one is not plain prose.
    open: Vec<String>,
    depth: usize,
    /// The previous block was a list: an indented line seems to continue it.
    after_list: bool,
    found: Vec<Vec<Piece>>,
}

impl Reader<'_> {
    /// Reads a top-level paragraph.
    fn paragraph(&mut self, inner: &[(Event<'_>, Range<usize>)], place: Range<usize>, quoted_below: bool) -> Mail {
        let cut = mail_begins(&self.body[place.clone()], quoted_below).map(|at| place.start + at);
        let after_list = std::mem::take(&mut self.after_list);
        let mut line: Option<Vec<Piece>> = None;
        let mut at_start = true;
        let mut in_item = false;
        let mut nested = 0_u32;
        for (event, place) in inner {
            if cut.is_some_and(|cut| place.start >= cut) {
                break;
            }
            match event {
                Event::SoftBreak | Event::HardBreak => {
                    self.found.extend(line.take());
                    at_start = true;
                    continue;
                }
                Event::InlineHtml(html) | Event::Html(html) => self.html(html),
                Event::Text(text) => {
                    // Checked once per line: a line can be long and contain many text events.
                    if at_start {
                        let indent = self.indent(place.start);
                        let goes_on = after_list && indent.is_some_and(|indent| indent > 0);
                        in_item |= goes_on || looks_like_item(text);
                        // An entity or an escaped slash is not written as a slash.
                        let written = self.body.get(place.start..).is_some_and(|rest| rest.starts_with('/'));
                        let begins = !in_item && nested == 0 && self.open.is_empty() && indent.is_some();
                        if begins && written && text.starts_with('/') {
                            line = Some(Vec::new());
                        }
                    }
                    if let Some(line) = &mut line {
                        line.push(Piece::Plain(text.to_string()));
                    }
                }
                Event::Code(code) | Event::InlineMath(code) | Event::DisplayMath(code) => {
                    if let Some(line) = &mut line {
                        line.push(Piece::Code(code.to_string()));
                    }
                }
                Event::Start(_) => nested += 1,
                Event::End(_) => nested = nested.saturating_sub(1),
                Event::FootnoteReference(_) | Event::Rule | Event::TaskListMarker(_) => {}
            }
            at_start = false;
        }
        self.found.extend(line);
        if cut.is_some() { Mail::EndsHere } else { Mail::GoesOn }
    }

    /// Returns the number of spaces before `start` on its source line; `None` if anything else
    /// stands there.
    fn indent(&self, start: usize) -> Option<usize> {
        let before = self.body.get(..start).unwrap_or_default();
        let line = before.rfind(['\n', '\r']).map_or(before, |at| &before[at + 1..]);
        line.bytes().all(|b| b == b' ').then_some(line.len())
    }

    /// Records the elements that a piece of HTML opens and closes.
    fn html(&mut self, html: &str) {
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            rest = &rest[at + 1..];
            if let Some(comment) = rest.strip_prefix("!--") {
                rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
                continue;
            }
            let closes = rest.starts_with('/');
            let name = rest.trim_start_matches('/');
            let name: String = name.chars().take_while(char::is_ascii_alphanumeric).collect();
            let name = name.to_ascii_lowercase();
            let end = rest.find('>').unwrap_or(rest.len());
            let empty = rest[..end].ends_with('/') || WITHOUT_END.contains(&name.as_str());
            if closes {
                if let Some(at) = self.open.iter().rposition(|open| *open == name) {
                    self.open.truncate(at);
                }
            } else if !name.is_empty() && !empty {
                if self.open.len() >= DEEPEST {
                    // Prose is never nested like this: nothing after it counts.
                    self.open.insert(0, String::new());
                    return;
                }
                self.open.push(name);
            }
        }
    }
}

/// Returns whether a line of a paragraph begins like a list item. In the middle of a paragraph some
/// such lines are not items: `2. second`, or an indented one.
fn looks_like_item(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let marked =
        if rest.len() < line.len() { rest.strip_prefix(['.', ')']) } else { rest.strip_prefix(['-', '*', '+']) };
    marked.is_some_and(|rest| rest.starts_with([' ', '\t']))
}

fn is_mail_rule(source: &str) -> bool {
    source.bytes().filter(|b| *b == b'_').count() >= MAIL_RULE
}

/// Returns the position in a paragraph's source at which a signature or a quoted mail begins.
fn mail_begins(source: &str, quoted_below: bool) -> Option<usize> {
    let mut lines = Vec::new();
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        lines.push((at, line.trim()));
        at += line.len();
    }
    for (index, (at, line)) in lines.iter().enumerate() {
        let last = index + 1 == lines.len();
        let next = lines.get(index + 1).map_or("", |(_, line)| line);
        let signature = matches!(*line, "--" | "—");
        let forwarded = line.starts_with("-----") && line.trim_matches(['-', ' ']).ends_with("Message");
        let header = ["From:", "Von:", "De:"].iter().any(|word| line.starts_with(word))
            && ["Sent:", "Date:", "To:", "Gesendet:", "Envoyé"].iter().any(|word| next.starts_with(word));
        // Text that is marked as a quote is one in the tree; below it the author may continue.
        let ends_at = if introduces(line) { Some(index) } else { introduces_over(line, next).then_some(index + 1) };
        let introduced = ends_at.is_some_and(|end| end + 1 < lines.len() || !quoted_below);
        if signature || forwarded || header || introduced {
            return Some(*at);
        }
        if last {
            break;
        }
    }
    None
}

/// Introductions such as "On Monday, Bob wrote:", in the languages of the common mail programs.
const INTRODUCTIONS: [(&str, &[&str]); 5] = [
    ("On ", &["wrote:"]),
    ("Am ", &["schrieb", ":"]),
    ("Le ", &["écrit", ":"]),
    ("El ", &["escribió:"]),
    ("Il ", &["scritto:"]),
];

fn introduces(line: &str) -> bool {
    INTRODUCTIONS.iter().any(|(begin, parts)| {
        line.starts_with(begin)
            && parts.iter().all(|part| line.contains(part))
            && line.ends_with(':')
            // An address or a date is required, so that a sentence ending in "wrote:" does not
            // count.
            && line.contains(|c: char| c.is_ascii_digit() || c == '@')
    })
}

/// Returns the same for an introduction that is broken into two lines.
fn introduces_over(line: &str, next: &str) -> bool {
    !next.is_empty()
        && INTRODUCTIONS.iter().any(|(begin, _)| line.starts_with(begin))
        && introduces(&format!("{line} {next}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(body: &str) -> Vec<String> {
        let text = |pieces: Vec<Piece>| {
            pieces
                .into_iter()
                .map(|piece| match piece {
                    Piece::Plain(text) => text,
                    Piece::Code(code) => format!("[{code}]"),
                })
                .collect::<String>()
        };
        slash_lines(body).into_iter().map(text).collect()
    }

    #[test]
    fn a_line_of_prose_counts() {
        assert_eq!(lines("/help"), ["/help"]);
        assert_eq!(lines("Hello\n/status\r\n/why\r\n\r\n   /help me"), ["/status", "/why", "/help me"]);
        assert_eq!(lines("/lock `prod` *now* a_b_c <!-- x --> &amp;"), ["/lock [prod] now a_b_c  &"]);
        assert_eq!(lines("> quoted\n\n/help"), ["/help"]);
        assert_eq!(lines("- item\n\n/help"), ["/help"]);
        assert_eq!(lines("- item\n\nDone.\n\n  /help"), ["/help"]);
        assert_eq!(lines("2.5 times as fast - really\n/help"), ["/help"]);
        assert_eq!(lines("\u{feff}/help\n/why"), ["/help", "/why"]);
    }

    #[test]
    fn what_is_not_the_authors_prose_does_not() {
        for body in [
            "```\n/help\n```",
            "~~~sh\n/help\n~~~",
            "    /help",
            "text\n\n\t/help",
            "`/help`",
            "x `a\n/help` y",
            "> /help",
            "> quoted\n/help",
            "> > /help",
            "> [!NOTE]\n> /help",
            "- /help",
            "1. /help",
            "- item\n  /help",
            "- [ ] /help",
            "- item\n/help",
            "- item\ngoes on\n/help",
            "- item\n\n  goes on\n/help",
            "- item\n\n /help",
            "1. item\n\n  /help",
            "1. first\n2. second\n/help",
            "Then:\n2. second\n/help",
            "Then:\n    - item\n/help",
            "# /help",
            "/help\n====",
            "/help\n---",
            "| a | b |\n|---|---|\n| /help | x |",
            "| a |\n|---|\n/help",
            "[^1]: /help",
            "<!-- /help -->",
            "<!--\n/help\n\n/help\n-->",
            "x <!--\n/help\n-->",
            "<details>\n\n/help\n\n</details>",
            "<blockquote>\n\n/help\n\n</blockquote>",
            "<pre>\n/help\n</pre>",
            "a <code>b\n/help\n</code>",
            "<div>\n/help\n</div>",
            "[/help](https://example.org)",
            "[x\n/help](https://example.org)",
            "**/help**",
            "x **y\n/help** z",
            "\\/help",
            "&#47;help",
            "see /help",
            "$$\n/help\n$$",
            "On Mon, 2 Mar 2026 at 10:00, Bob <bob@example.org> wrote:\n\n/help",
            "On Mon, 2 Mar 2026 at 10:00, Bob Example\n<bob@example.org> wrote:\n\n/help",
            "On Mon, 2 Mar 2026 at 10:00, Bob <bob@example.org> wrote:\n> /help",
            "-----Original Message-----\n/help",
            "Thanks!\n\n-----Ursprüngliche Message-----\n\n/help",
            "Thanks\n\n-- \nBob\n/help",
            "Thanks\n\n________________________________\nFrom: Bob\n/help",
            "From: Bob <bob@example.org>\nSent: Monday\n\n/help",
        ] {
            assert_eq!(lines(body), Vec::<String>::new(), "{body:?}");
        }
    }

    #[test]
    fn below_a_marked_quote_the_author_goes_on() {
        // A sentence is no introduction: it contains neither a digit nor an address.
        assert_eq!(lines("On the whole I like what Bob wrote:\n\n/help"), ["/help"]);
        assert_eq!(lines("On 2 March bob@example.org wrote\n\n/help"), ["/help"]);
        assert_eq!(lines("On the whole I like it\nas it is\n/help"), ["/help"]);
        assert_eq!(lines("On Monday bob@example.org wrote:\n\n/help"), [""; 0]);
        assert_eq!(lines("On 2 March Bob wrote:\n\n/help"), [""; 0]);
        let body = "On Mon, 2 Mar 2026, Bob <bob@example.org> wrote:\n\n> /help\n\n/status";
        assert_eq!(lines(body), ["/status"]);
        assert_eq!(lines("/status\n\nOn Mon, 2 Mar 2026, Bob <b@example.org> wrote:\n\n/help"), ["/status"]);
        assert_eq!(lines("<img src=x>\n\n/status\n\n<br>\n\n/why"), ["/status", "/why"]);
    }
}
