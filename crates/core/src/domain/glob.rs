//! Globs that match in bounded time.
//!
//! A glob is compiled to sequences of simple tokens, one for each choice of its alternatives.
//! Matching a sequence goes forward through the text. Where a token does not fit, it goes back to
//! the last `*` only. It costs at most the length of the glob times that of the text, and usually
//! the length of the text.

use std::fmt;

/// Maximum number of tokens of one glob, over all choices of its alternatives.
const MOST_TOKENS: usize = 1024;

/// The reason why a text is not a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobError {
    /// `[` without its `]`.
    UnclosedClass,
    /// A range such as `[z-a]`.
    InvalidRange(char, char),
    /// `{` without its `}`.
    UnclosedAlternates,
    /// `}` without its `{`.
    UnopenedAlternates,
    /// `\` at the end.
    DanglingEscape,
    /// Alternatives that multiply to too many tokens.
    TooManyAlternatives,
}

impl fmt::Display for GlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnclosedClass => f.write_str("unclosed character class; missing ']'"),
            Self::InvalidRange(first, last) => write!(f, "invalid range; '{first}' > '{last}'"),
            Self::UnclosedAlternates => {
                f.write_str("unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)")
            }
            Self::UnopenedAlternates => {
                f.write_str("unopened alternate group; missing '{' (maybe escape '}' with '[}]'?)")
            }
            Self::DanglingEscape => f.write_str("dangling '\\'"),
            Self::TooManyAlternatives => f.write_str("its alternatives make too many globs; write several"),
        }
    }
}

impl std::error::Error for GlobError {}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    AnyChar,
    AnyText,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// A compiled glob: `*` matches any text, `?` one character, `[ab]` a set, `{a,b}` alternatives,
/// `\` takes the next character literally.
#[derive(Debug, Clone)]
pub struct Glob {
    choices: Vec<Vec<Token>>,
}

impl Glob {
    /// Compiles a glob.
    pub fn new(text: &str) -> Result<Self, GlobError> {
        let chars: Vec<char> = text.chars().collect();
        let mut parser = Parser { chars: &chars, at: 0, depth: 0 };
        let choices = parser.sequence()?;
        if parser.at < chars.len() {
            return Err(GlobError::UnopenedAlternates);
        }
        Ok(Self { choices })
    }

    /// Returns true if the whole text matches.
    pub fn is_match(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.choices.iter().any(|tokens| matches(tokens, &text))
    }
}

fn matches(tokens: &[Token], text: &[char]) -> bool {
    let (mut token, mut at) = (0, 0);
    // The last `*`, and the position at which the tokens after it were last tried.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match tokens.get(token) {
            Some(Token::AnyText) => {
                star = Some((token, at));
                token += 1;
            }
            Some(one) if one.takes(text[at]) => {
                token += 1;
                at += 1;
            }
            _ => {
                let Some((after, tried)) = star else { return false };
                star = Some((after, tried + 1));
                token = after + 1;
                at = tried + 1;
            }
        }
    }
    tokens[token..].iter().all(|token| *token == Token::AnyText)
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Char(one) => *one == c,
            Self::AnyChar => true,
            Self::AnyText => false,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *negated
            }
        }
    }
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.get(self.at).copied();
        self.at += usize::from(c.is_some());
        c
    }

    /// Reads up to the end, or to the `,` or `}` that ends an alternative.
    fn sequence(&mut self) -> Result<Vec<Vec<Token>>, GlobError> {
        let mut choices: Vec<Vec<Token>> = vec![Vec::new()];
        while let Some(c) = self.chars.get(self.at).copied() {
            if matches!(c, '}') || (c == ',' && self.depth > 0) {
                break;
            }
            self.at += 1;
            let token = match c {
                '*' => Token::AnyText,
                '?' => Token::AnyChar,
                '[' => self.class()?,
                '\\' => Token::Char(self.next().ok_or(GlobError::DanglingEscape)?),
                '{' => {
                    let alternatives = self.alternatives()?;
                    choices = product(&choices, &alternatives)?;
                    continue;
                }
                c => Token::Char(c),
            };
            for choice in &mut choices {
                // Two adjacent `*` are one.
                if token != Token::AnyText || choice.last() != Some(&Token::AnyText) {
                    choice.push(token.clone());
                }
            }
        }
        bounded(choices)
    }

    fn alternatives(&mut self) -> Result<Vec<Vec<Token>>, GlobError> {
        self.depth += 1;
        let mut all = Vec::new();
        loop {
            all.extend(self.sequence()?);
            match self.next() {
                Some(',') => {}
                Some(_) => break,
                None => return Err(GlobError::UnclosedAlternates),
            }
        }
        self.depth -= 1;
        bounded(all)
    }

    fn class(&mut self) -> Result<Token, GlobError> {
        let negated = matches!(self.chars.get(self.at), Some('!' | '^'));
        self.at += usize::from(negated);
        let mut ranges: Vec<(char, char)> = Vec::new();
        let mut first = true;
        loop {
            let c = self.next().ok_or(GlobError::UnclosedClass)?;
            if c == ']' && !first {
                return Ok(Token::Class { negated, ranges });
            }
            first = false;
            let rest = self.chars.get(self.at..self.at + 2);
            match rest {
                Some(['-', last]) if *last != ']' => {
                    if c > *last {
                        return Err(GlobError::InvalidRange(c, *last));
                    }
                    ranges.push((c, *last));
                    self.at += 2;
                }
                _ => ranges.push((c, c)),
            }
        }
    }
}

fn product(heads: &[Vec<Token>], tails: &[Vec<Token>]) -> Result<Vec<Vec<Token>>, GlobError> {
    let lengths = |of: &[Vec<Token>]| of.iter().map(Vec::len).sum::<usize>();
    let tokens = lengths(heads) * tails.len() + lengths(tails) * heads.len();
    if heads.len() * tails.len() > MOST_TOKENS || tokens > MOST_TOKENS {
        return Err(GlobError::TooManyAlternatives);
    }
    Ok(heads.iter().flat_map(|head| tails.iter().map(|tail| [head.as_slice(), tail].concat())).collect())
}

fn bounded(choices: Vec<Vec<Token>>) -> Result<Vec<Vec<Token>>, GlobError> {
    let tokens: usize = choices.iter().map(|choice| choice.len() + 1).sum();
    if tokens > MOST_TOKENS { Err(GlobError::TooManyAlternatives) } else { Ok(choices) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::new(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_globs_mean() {
        for (pattern, yes, no) in [
            ("*", vec!["", "a", "a/b"], vec![]),
            ("v1.?", vec!["v1.2", "v1.é"], vec!["v1.", "v1.23"]),
            ("release/*-{a,b}", vec!["release/x-a", "release/-b"], vec!["release/x-c", "release/a"]),
            ("[a-c]x[!0-9]", vec!["axb", "cx-"], vec!["dxb", "ax1"]),
            ("[]-]", vec!["]", "-"], vec!["[]-]", "a"]),
            (r"\*{x,\,}", vec!["*x", "*,"], vec!["ax"]),
            ("{a,{b,c}d}e", vec!["ae", "bde", "cde"], vec!["ade", "be"]),
            ("a,b", vec!["a,b"], vec!["a"]),
            ("**", vec!["", "x/y"], vec![]),
            ("*ab*ab", vec!["abab", "xabyab", "ababab"], vec!["ab", "aba"]),
        ] {
            let matcher = glob(pattern);
            assert!(yes.iter().all(|text| matcher.is_match(text)), "{pattern}");
            assert!(!no.iter().any(|text: &&str| matcher.is_match(text)), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_glob_is_told() {
        for (pattern, error) in [
            ("[", GlobError::UnclosedClass),
            ("[]", GlobError::UnclosedClass),
            ("[z-a]", GlobError::InvalidRange('z', 'a')),
            ("{a", GlobError::UnclosedAlternates),
            ("a}", GlobError::UnopenedAlternates),
            ("a\\", GlobError::DanglingEscape),
        ] {
            assert_eq!(Glob::new(pattern).err(), Some(error), "{pattern}");
        }
        assert_eq!(Glob::new(&"{a,b}".repeat(40)).err(), Some(GlobError::TooManyAlternatives));
        assert_eq!(Glob::new(&"{".repeat(255)).err(), Some(GlobError::UnclosedAlternates));
    }

    /// Tests the most expensive pairs of glob and text that fit into a policy and a name. The cost
    /// is the number of steps.
    #[test]
    fn the_dearest_glob_costs_its_length_times_that_of_the_text() {
        let text = "a".repeat(255);
        for pattern in ["*a".repeat(127), format!("*{}b", "a".repeat(126)), "*a?".repeat(85) + "b", "{*,?}a*".repeat(5)]
        {
            let matcher = glob(&pattern);
            // A backtracking matcher would take years.
            std::hint::black_box(matcher.is_match(&text));
        }
    }

    proptest! {
        /// In ASCII, globs match as in `globset`, whose syntax they were taken from.
        #[test]
        fn it_agrees_with_globset(pattern in r"([ab*?,]|\[[!ab-]?[ab]\]|\{[ab*?]{1,3},[ab]?b\}|\\[*?ab]){0,8}", text in "[ab,*?/]{0,8}") {
            // `**` beside `/` means directories there; here it is `*`.
            prop_assume!(!pattern.contains("**"));
            let theirs = globset::GlobBuilder::new(&pattern).backslash_escape(true).build();
            let ours = Glob::new(&pattern);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", pattern);
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                prop_assert_eq!(ours.is_match(&text), theirs.compile_matcher().is_match(&text), "{} {}", pattern, text);
            }
        }
    }
}
