//! Warnings about globs that probably mean something else.

use crate::policy::decode::quote;

/// Quotes that word processors and phones insert instead of straight ones.
const TYPOGRAPHIC: [char; 12] = ['“', '”', '„', '‟', '‘', '’', '‚', '‛', '«', '»', '‹', '›'];

/// Parts that are common in regular expressions and rare in globs.
const REGEX: [&str; 10] = ["\\d", "\\w", "\\s", "\\b", "\\.", ".+", "(?", "]+", "/.*", "-.*"];

/// Returns the reason why a glob probably does not match what its author intended, if any.
pub(super) fn doubt(glob: &str) -> Option<String> {
    if let Some(quote) = glob.chars().find(|c| TYPOGRAPHIC.contains(c)) {
        return Some(format!(
            "the quote `{quote}` is part of the glob and has to be in what it matches; quotes around a text are \
             straight: `\"` or `'`"
        ));
    }
    let anchored = glob.starts_with('^') || glob.ends_with('$') || glob.starts_with(".*");
    let either = glob.contains('(') && glob.contains('|') && glob.ends_with([')', '$']);
    let regex = anchored || either || REGEX.iter().any(|piece| glob.contains(piece));
    regex.then(|| {
        format!(
            "{} looks like a regular expression and is read as a glob: `*` is any text, `?` one character, `[ab]` a \
             set, `{{a,b}}` alternatives, and the whole name has to match",
            quote(glob)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_expressions_are_told_from_globs() {
        for text in [
            "^v1.*",
            "v1$",
            ".*",
            "release/.*",
            "build-.*",
            r"v\d+",
            r"v1\.2",
            "v[0-9]+",
            "(a|b)",
            "^(a|b)$",
            "v.+",
            "(?i)x",
        ] {
            assert!(doubt(text).is_some_and(|why| why.contains("regular expression")), "{text}");
        }
        for text in
            ["*", "v1.*", "v*-rc.*", "release/*", "v[0-9]*", "{a,b}", "build (linux)", "a|b", "c++", "v1.?", "x.y"]
        {
            assert_eq!(doubt(text), None, "{text}");
        }
    }

    #[test]
    fn typographic_quotes_are_told() {
        for text in ["“v*”", "‘v*’", "»v*«"] {
            assert!(doubt(text).is_some_and(|why| why.contains("straight")), "{text}");
        }
    }
}
