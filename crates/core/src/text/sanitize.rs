//! Sanitizer for text from outside.
//!
//! Sanitized text reads as it was written, and can't mention anyone, name or close an issue, link,
//! run a command, be HTML, or leave its place. Escapes prevent Markdown. For what a forge detects
//! in the rendered text (`@name`, `#12`, a bare address, a commit's digits) no escape works, so a
//! zero-width space splits it.

use std::fmt::Write as _;

/// A zero-width space: not white space, and no part of any name.
const NOTHING: char = '\u{200b}';

/// Longest web address that becomes a link, in bytes.
const LONGEST_LINK: usize = 600;

/// Returns whether a character is invisible, or changes the direction of others, so that a text
/// could read as a different one.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Sanitizes text for use within a line of Markdown, at most `most` characters.
pub fn inline(text: &str, most: usize) -> String {
    escape(&one_line(&decode(text), most))
}

/// Sanitizes several lines of text as a quotation block, at most `most` characters.
pub fn block(text: &str, most: usize) -> String {
    let mut left = most;
    let mut out = String::from("\n\n");
    for line in lines(&decode(text)) {
        if left == 0 {
            break;
        }
        let line = one_line(&line, left);
        left = left.saturating_sub(line.chars().count().max(1));
        out.push_str("> ");
        out.push_str(&escape(&line));
        // Two spaces keep the line break.
        out.push_str("  \n");
    }
    out.push('\n');
    out
}

/// Sanitizes text as inline code, at most `most` characters.
pub fn code(text: &str, most: usize) -> String {
    // A bar would end a table's cell, and no escape works both within one and outside, so a
    // character that looks the same replaces it.
    let shown = one_line(&text.replace('`', "").replace('|', "\u{2223}"), most);
    if shown.is_empty() { "`?`".to_owned() } else { format!("`{shown}`") }
}

/// Returns several lines as a code block, without hidden characters, at most `most` characters.
pub fn fence(text: &str, most: usize) -> String {
    let mut shown: String = String::new();
    for line in text.lines() {
        shown.extend(line.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| !is_hidden(*c)));
        shown.push('\n');
    }
    let shown = cut(shown.trim_end(), most);
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("\n\n{fence}text\n{shown}\n{fence}\n\n")
}

/// Sanitizes text as an issue's title, which is not Markdown, at most `most` characters.
pub fn title(text: &str, most: usize) -> String {
    cut(&take_apart(&one_line(&decode(text), most)), most)
}

/// Returns a web address that may be linked, fit to stand between `<` and `>`.
///
/// `None` for any scheme but `https:` and `http:`, for an address with a user name, and for the
/// address of an item or commit on a forge: the forge would count a link to it as a mention.
pub fn link(address: &str) -> Option<String> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| address.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)))?;
    let rest = &address[scheme.len()..];
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(host_end);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    if host.is_empty() || !host.bytes().all(plain) || address.len() > LONGEST_LINK {
        return None;
    }
    let mut out = format!("{scheme}{}", host.to_ascii_lowercase());
    for byte in path.bytes() {
        // Without a semicolon, nothing in it is a character reference.
        let kept = byte.is_ascii_alphanumeric() || b"/?#=&%+-._~:,@!*".contains(&byte);
        if kept {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    // A reference detector may decode percent-encoding.
    let spelt = percent_encoding::percent_decode_str(&out).decode_utf8_lossy().into_owned();
    (!names_item(&out) && !names_item(&spelt) && out.len() <= LONGEST_LINK).then_some(out)
}

/// Returns whether an address is that of an item, commit or discussion on a forge:
/// `/OWNER/NAME/issues/12`. Paths of that form below `/organizations` belong to Sentry, not to a
/// forge.
pub(crate) fn names_item(address: &str) -> bool {
    const KINDS: [&str; 9] =
        ["issues", "issue", "pull", "pulls", "discussions", "commit", "commits", "merge_requests", "compare"];
    let Some((_, rest)) = address.split_once("://") else { return false };
    let mut parts = rest.split(['/', '?', '#']).filter(|part| !part.is_empty()).skip(1);
    let owner = parts.next().unwrap_or_default();
    !owner.eq_ignore_ascii_case("organizations")
        && parts.any(|part| KINDS.contains(&part.to_ascii_lowercase().as_str()))
}

/// Splits a text into lines, by any line terminator.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    text.trim().split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']).map(str::to_owned).collect()
}

/// Returns a text in one line, without hidden characters, at most `most` characters.
fn one_line(text: &str, most: usize) -> String {
    let spaced = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_hidden(*c));
    let mut out = String::new();
    for c in spaced {
        if c != ' ' || !(out.is_empty() || out.ends_with(' ')) {
            out.push(c);
        }
    }
    cut(out.trim_end(), most)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// Escapes one line of text against Markdown.
fn escape(line: &str) -> String {
    let apart = take_apart(line);
    let mut out = String::with_capacity(apart.len() + 16);
    let digits = apart.bytes().take_while(u8::is_ascii_digit).count();
    for (at, c) in apart.char_indices() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '!' | '#' => {
                out.push('\\');
                out.push(c);
            }
            // At the start of a line these make lists, rules and headings.
            '+' | '-' | '=' | ':' if at == 0 => {
                out.push('\\');
                out.push(c);
            }
            '.' | ')' if digits > 0 && at == digits => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Splits what a forge would turn into a mention, a reference or a link.
fn take_apart(line: &str) -> String {
    let chars: Vec<char> = line.chars().collect();
    let mut out = String::with_capacity(line.len() + 8);
    for (at, &c) in chars.iter().enumerate() {
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        if (c == '/' && at == 0) || splits_before(&chars, at) {
            out.push(NOTHING);
        }
        out.push(c);
        let splits = match c {
            '@' => next != ' ',
            '#' | '!' => next.is_alphanumeric(),
            ':' => next == '/',
            _ => false,
        };
        if splits {
            out.push(NOTHING);
        }
    }
    out
}

/// Returns whether a split is needed before `at`: at the dash of `GH-12`, at the dot of `www.`,
/// within a commit's digits.
fn splits_before(chars: &[char], at: usize) -> bool {
    let word = |back: usize, word: &str| {
        at >= back && chars[at - back..at].iter().zip(word.chars()).all(|(a, b)| a.eq_ignore_ascii_case(&b))
    };
    match chars[at] {
        '-' => word(2, "gh"),
        '.' => word(3, "www"),
        c if c.is_ascii_hexdigit() => {
            let before = chars[..at].iter().rev().take_while(|c| c.is_ascii_hexdigit()).count();
            let after = chars[at..].iter().take_while(|c| c.is_ascii_hexdigit()).count();
            // Forges take seven or more digits for a commit, so pieces of at most six are safe.
            before > 0 && before.is_multiple_of(6) && before + after >= 7
        }
        _ => false,
    }
}

/// Decodes character references: numeric ones in any form, and the names that matter here. Any
/// other name is shown as it is.
fn decode(text: &str) -> String {
    const NAMES: [(&str, char); 16] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("commat", '@'),
        ("num", '#'),
        ("sol", '/'),
        ("colon", ':'),
        ("period", '.'),
        ("lowbar", '_'),
        ("grave", '`'),
        ("lsqb", '['),
        ("rsqb", ']'),
        ("NewLine", '\n'),
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest[1..].split(';').next().unwrap_or_default();
        let ended = rest.as_bytes().get(1 + name.len()) == Some(&b';');
        let code = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        });
        let named = || NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, c)| *c);
        if let Some(c) = code.and_then(char::from_u32).or_else(named).filter(|_| ended) {
            out.push(c);
            rest = &rest[name.len() + 2..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_character_is_decoded_once() {
        assert_eq!(decode("a &amp; b &#65;&#x42; &lt;c&gt; d"), "a & b AB <c> d");
        assert_eq!(decode("&amp;lt; &copy; &#; &amp & && &#1114112; end"), "&lt; &copy; &#; &amp & && &#1114112; end");
    }

    #[test]
    fn a_text_cannot_leave_its_code_block() {
        assert_eq!(fence("a\n````\n@everyone", 100).trim(), "`````text\na\n````\n@everyone\n`````");
    }

    #[test]
    fn a_line_begins_no_block() {
        for (line, escaped) in [
            ("- one", "\\- one"),
            ("+ one - two", "\\+ one - two"),
            ("=== a", "\\=== a"),
            (": a: b", "\\: a: b"),
            ("12. one", "12\\. one"),
            ("12) one", "12\\) one"),
            ("a. 1) b", "a. 1) b"),
        ] {
            assert_eq!(escape(line), escaped, "{line}");
        }
    }
}
