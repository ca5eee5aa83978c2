//! Tokenizer: splits a line into words, with quoted arguments and trailing punctuation.

use crate::domain::fact::waiting::Piece;

/// One word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Text without quotes.
    pub(super) text: String,
    /// It was quoted or in code, so it is never a keyword.
    pub(super) quoted: bool,
    /// Position of the value, if the word is `key="…"`.
    pub(super) value_at: Option<usize>,
}

/// Quotes that open and close an argument; phone keyboards insert the curly ones.
const QUOTES: [(char, char); 4] = [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»')];

fn closing(open: char) -> Option<char> {
    QUOTES.iter().find(|(known, _)| *known == open).map(|(_, close)| *close)
}

/// Splits a line into words. A quote that is never closed is an ordinary character.
pub(super) fn split(pieces: &[Piece]) -> Vec<Token> {
    let mut words: Vec<Token> = Vec::new();
    let mut current: Option<Token> = None;
    for piece in pieces {
        match piece {
            Piece::Code(code) => {
                let word = current.get_or_insert_with(empty);
                word.quoted |= word.text.is_empty();
                word.text.push_str(code.trim());
            }
            Piece::Plain(text) => {
                let mut chars = text.char_indices();
                while let Some((at, c)) = chars.next() {
                    if c.is_whitespace() {
                        words.extend(current.take());
                        continue;
                    }
                    let word = current.get_or_insert_with(empty);
                    let opens = word.text.is_empty() || word.text.ends_with('=');
                    let rest = &text[at + c.len_utf8()..];
                    let end = closing(c).filter(|_| opens).and_then(|close| Some((rest.find(close)?, close)));
                    let Some((end, close)) = end else {
                        word.text.push(c);
                        continue;
                    };
                    word.quoted |= word.text.is_empty();
                    word.value_at = word.text.ends_with('=').then_some(word.text.len());
                    word.text.push_str(&rest[..end]);
                    chars = text.char_indices();
                    // Continue after the closing quote.
                    let behind = at + c.len_utf8() + end + close.len_utf8();
                    while chars.clone().next().is_some_and(|(at, _)| at < behind) {
                        chars.next();
                    }
                }
            }
        }
    }
    words.extend(current);
    words
}

fn empty() -> Token {
    Token { text: String::new(), quoted: false, value_at: None }
}

/// Returns a name without the punctuation that ends a sentence.
pub(super) fn unpunctuated(text: &str) -> &str {
    let bare = text.trim_end_matches(['.', ',', ';', ':', '!', '?']);
    if bare.is_empty() { text } else { bare }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        split(&[Piece::Plain(text.to_owned())]).into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(texts(r#"/milestone "Sprint 5" x"#), ["/milestone", "Sprint 5", "x"]);
        assert_eq!(texts("/hold “not yet” „so“ «là»"), ["/hold", "not yet", "so", "là"]);
        assert_eq!(texts(r#"until="tomorrow 09:00" b"#), ["until=tomorrow 09:00", "b"]);
        assert_eq!(texts(r#"5" disk "open"#), ["5\"", "disk", "\"open"]);
        assert_eq!(texts(r#"a"b c"#), ["a\"b", "c"]);
    }

    #[test]
    fn code_is_one_quoted_word() {
        let line = [Piece::Plain("/lock ".into()), Piece::Code("my env".into()), Piece::Plain(" now".into())];
        let words = split(&line);
        assert_eq!(words.len(), 3);
        assert!(words[1].quoted && words[1].text == "my env" && !words[2].quoted);
    }

    #[test]
    fn a_sentence_may_end() {
        assert_eq!(unpunctuated("help!"), "help");
        assert_eq!(unpunctuated("v1.2.3."), "v1.2.3");
        assert_eq!(unpunctuated("..."), "...");
    }
}
