//! Look-alike names: shown by their code points.

use std::borrow::Cow;

use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _, skeleton};

/// Returns a name as it is shown. In a word that mixes scripts as no language does, or that looks
/// like ASCII letters without being ASCII, the characters beyond ASCII are escaped (Unicode
/// Technical Standard 39).
pub(crate) fn escaped(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return Cow::Borrowed(name);
    }
    let mut shown = String::with_capacity(name.len());
    let mut rest = name;
    while !rest.is_empty() {
        let is_part = |c: char| c.is_alphanumeric() || is_mark(c);
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let (word, others) = rest.split_at(end);
        if is_doubtful(word) {
            for c in word.chars() {
                if c.is_ascii() { shown.push(c) } else { shown.extend(c.escape_unicode()) }
            }
        } else {
            shown.push_str(word);
        }
        let next = others.find(is_part).unwrap_or(others.len());
        shown.push_str(&others[..next]);
        rest = &others[next..];
    }
    Cow::Owned(shown)
}

/// Returns whether a character is a mark that combines with the letter before it.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
}

fn is_doubtful(word: &str) -> bool {
    if word.is_ascii() {
        return false;
    }
    !word.check_restriction_level(RestrictionLevel::HighlyRestrictive) || skeleton(word).all(|c| c.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_another_name_is_escaped() {
        assert_eq!(escaped("\u{212a}8s"), "\\u{212a}8s", "the Kelvin sign");
        assert_eq!(escaped("pr\u{43e}duction"), "pr\\u{43e}duction", "a Cyrillic letter among Latin ones");
        assert_eq!(escaped("\u{441}\u{43e}\u{440}/main"), "\\u{441}\\u{43e}\\u{440}/main", "all of it Cyrillic");
        assert_eq!(escaped("\u{ff50}rod"), "\\u{ff50}rod", "a letter of full width");
    }

    #[test]
    fn what_people_write_stays() {
        for name in ["staging", "größe", "prüfung/été", "продакшен", "feature/продакшен", "本番環境", "v2本番", "🚀 go"]
        {
            assert_eq!(escaped(name), name);
        }
    }
}
