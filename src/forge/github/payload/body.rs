//! From the bytes of a delivery to the members of its payload.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::value::RawValue;

use crate::{forge::github::payload::Read, port::forge::Undecodable};

/// The members of a payload, each still as text.
///
/// One pass over the body finds them; each is read only when asked for. Of a
/// member that is given twice the last one holds.
#[derive(Debug)]
pub struct Payload<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Payload<'a> {
    /// Finds the members of a JSON body.
    ///
    /// # Errors
    /// The body is not JSON, or not an object. The message quotes nothing of it.
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

    /// A member; `None` if it is missing, null or of another type.
    pub fn get<T: Read>(&self, name: &str) -> Option<T> {
        self.0.get(name).and_then(|raw| T::read(raw.get()))
    }
}

/// The JSON in a body. A webhook whose content type is set to
/// `application/x-www-form-urlencoded` sends it as the form field `payload`.
pub fn json(body: &[u8]) -> Cow<'_, [u8]> {
    match body.strip_prefix(b"payload=") {
        Some(form) => Cow::Owned(unescape(form.split(|byte| *byte == b'&').next().unwrap_or_default())),
        None => Cow::Borrowed(body),
    }
}

/// Undoes form encoding. A `%` without two hex digits stands for itself.
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
