//! Names of commits.

use std::{fmt, ops::Deref, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Digits in which people quote a commit.
const SHORT: usize = 7;

/// A commit's full object name, by SHA-1 or by SHA-256. Written in lower-case hex.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha(Bytes);

/// A repository holds very many SHA-1 names, and they take no memory beside their owner's.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Bytes {
    Sha1([u8; 20]),
    Sha256(Box<[u8; 32]>),
}

impl Sha {
    /// The first name in order, for the start of a range.
    pub const FIRST: Self = Self(Bytes::Sha1([0; 20]));

    fn bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Sha1(bytes) => bytes,
            Bytes::Sha256(bytes) => &**bytes,
        }
    }

    /// Returns true for the object name that git uses for "nothing": all zeroes.
    pub fn is_zero(&self) -> bool {
        self.bytes().iter().all(|byte| *byte == 0)
    }

    /// Returns the name that stands for "nothing" in the repository of this commit.
    #[must_use]
    pub fn zero(&self) -> Self {
        match &self.0 {
            Bytes::Sha1(_) => Self::FIRST,
            Bytes::Sha256(_) => Self(Bytes::Sha256(Box::new([0; 32]))),
        }
    }

    /// Returns the first seven digits, as people quote commits.
    pub fn short(&self) -> ShortSha {
        let mut digits = Digits::default();
        digits.of(&self.bytes()[..SHORT.div_ceil(2)]);
        ShortSha(digits)
    }

    /// Returns the short form as inline code. Messages link it to the commit, and write no other
    /// text in this form.
    pub fn code(&self) -> String {
        format!("`{}`", &*self.short())
    }

    /// Returns true if a text looks like the short form of a name.
    pub fn is_short_form(text: &str) -> bool {
        text.len() == SHORT && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }

    /// Returns true if the name begins with these hex digits, in either case.
    pub fn starts_with(&self, digits: &str) -> bool {
        let mut all = Digits::default();
        let start = all.of(self.bytes()).get(..digits.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(digits))
    }
}

/// Hex digits of a name, in place.
struct Digits([u8; 64]);

impl Default for Digits {
    fn default() -> Self {
        Self([b'0'; 64])
    }
}

impl Digits {
    /// Writes bytes of a name, at most 32, and returns their digits.
    fn of(&mut self, bytes: &[u8]) -> &str {
        for (pair, byte) in self.0.chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        self.first(2 * bytes.len())
    }

    fn first(&self, count: usize) -> &str {
        self.0.get(..count).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or_default()
    }
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// The first seven digits of a commit's name.
pub struct ShortSha(Digits);

impl Deref for ShortSha {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.first(SHORT)
    }
}

impl AsRef<str> for ShortSha {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Display for ShortSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Digits::default().of(self.bytes()))
    }
}

impl fmt::Debug for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sha").field(&Digits::default().of(self.bytes())).finish()
    }
}

/// A text that is no full object name: not 40 or 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an object name of 40 or 64 hex digits")]
pub struct NotAnObjectName;

impl FromStr for Sha {
    type Err = NotAnObjectName;

    fn from_str(text: &str) -> Result<Self, NotAnObjectName> {
        let (mut sha1, mut sha256) = ([0; 20], [0; 32]);
        let bytes = match text.len() {
            40 => hex::decode_to_slice(text, &mut sha1).map(|()| Bytes::Sha1(sha1)),
            _ => hex::decode_to_slice(text, &mut sha256).map(|()| Bytes::Sha256(Box::new(sha256))),
        };
        bytes.map(Self).map_err(|_| NotAnObjectName)
    }
}

impl Serialize for Sha {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Digits::default().of(self.bytes()))
    }
}

impl<'de> Deserialize<'de> for Sha {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl de::Visitor<'_> for Name {
            type Value = Sha;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object name of 40 or 64 hex digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Sha, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: &str = "0A1b2c3d4e5f60718293a4b5c6d7e8f901234567";

    #[test]
    fn a_name_is_written_as_it_was_read_in_lower_case() {
        for text in [SHA1.to_owned(), "f0".repeat(32)] {
            let sha: Sha = text.parse().unwrap();
            assert_eq!(sha.to_string(), text.to_lowercase());
            assert_eq!(serde_json::to_string(&sha).unwrap(), format!("\"{}\"", text.to_lowercase()));
            assert_eq!(serde_json::from_str::<Sha>(&format!("{text:?}")).unwrap(), sha);
            assert_eq!(&*sha.short(), &text.to_lowercase()[..7]);
            assert!(!sha.is_zero() && sha.zero().is_zero());
            assert_eq!(sha.zero().to_string().len(), text.len());
        }
    }

    #[test]
    fn what_is_no_full_name_is_refused() {
        for text in ["", "0a1b2c3", &"g".repeat(40), &"a".repeat(39), &"a".repeat(41), &"é".repeat(20)] {
            assert_eq!(text.parse::<Sha>(), Err(NotAnObjectName), "{text}");
        }
    }

    #[test]
    fn a_name_begins_with_its_digits_only() {
        let sha: Sha = SHA1.parse().unwrap();
        assert!(["", "0", "0A1", "0a1b2c3", SHA1].iter().all(|digits| sha.starts_with(digits)));
        assert!(["1", "0a1b2c4", "é", &format!("{SHA1}0")].iter().all(|digits| !sha.starts_with(digits)));
    }

    #[test]
    fn names_are_ordered_as_their_digits_are() {
        let (low, high): (Sha, Sha) = ("1".repeat(40).parse().unwrap(), "a".repeat(40).parse().unwrap());
        assert!(Sha::FIRST < low && low < high && high < "0".repeat(64).parse().unwrap());
    }

    #[test]
    fn a_name_is_small() {
        assert_eq!(size_of::<Sha>(), 24);
        assert_eq!(size_of::<Option<Sha>>(), 24);
    }
}
