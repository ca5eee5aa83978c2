//! Splits the body of a delivery into the members of its payload.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::value::RawValue;

use crate::{forge::github::payload::Read, port::forge::Undecodable};

/// Members of a payload as unparsed JSON text.
///
/// One pass over the body finds them; each is parsed only on demand. If a member occurs twice, the
/// last one counts.
#[derive(Debug)]
pub struct Payload<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Payload<'a> {
    /// Splits a JSON body into its members.
    ///
    /// The body is not JSON, or not an object. The message quotes nothing of the body.
    pub fn parse(json: &'a [u8]) -> Result<Self, Undecodable> {
        let undecodable = |message| Undecodable { path: "$".to_owned(), message };
        let text = str::from_utf8(json).map_err(|_| undecodable("the body is not UTF-8".to_owned()))?;
        serde_json::from_str(text).map(Self).map_err(|error| {
            undecodable(if error.is_data() {
                "the body is not a JSON object".to_owned()
            } else {
                format!("the body is not JSON: line {}, column {}", error.line(), error.column())
            })
        })
    }

    /// Parses a member; `None` if it is missing, null or of another type.
    pub fn get<T: Read>(&self, name: &str) -> Option<T> {
        self.0.get(name).and_then(|raw| T::read(raw.get()))
    }
}

/// Returns the JSON text of a body. A webhook with the content type
/// `application/x-www-form-urlencoded` sends it as the form field `payload`.
pub fn json(body: &[u8]) -> Cow<'_, [u8]> {
    match body.strip_prefix(b"payload=") {
        Some(form) => Cow::Owned(unescape(form.split(|byte| *byte == b'&').next().unwrap_or_default())),
        None => Cow::Borrowed(body),
    }
}

/// Decodes form encoding. A `%` without two hex digits is kept as it is.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        plain.push(match (first, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            _ => *first,
        });
    }
    plain
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_carries_the_same_json() {
        assert_eq!(&*json(br#"{"a":"+%41"}"#), br#"{"a":"+%41"}"#);
        assert_eq!(&*json(b"payload=%7B%22a%22%3A%22b+c%2B%22%7d&other=1"), br#"{"a":"b c+"}"#);
        assert_eq!(&*json(b"payload=%7G%+%4"), b"%7G% %4");
        assert_eq!(&*json(b"payload="), b"");
    }

    #[test]
    fn errors_quote_nothing_of_the_body() {
        for body in [&b"\"secret\""[..], b"[\"secret\"]", b"secret", b"{\"secret\":secret}", b"{\"secret\"", b""] {
            let error = Payload::parse(body).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn of_a_repeated_member_the_last_one_holds() {
        let payload = Payload::parse(br#"{"action":"opened","action":"closed"}"#).unwrap();
        assert_eq!(payload.get::<String>("action").as_deref(), Some("closed"));
    }
}
