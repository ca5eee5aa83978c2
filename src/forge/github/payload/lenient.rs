//! Lenient parsing of JSON values that may have an unexpected type.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::domain::id::Sha;

/// A type that can be parsed from JSON text.
pub trait Read: Sized {
    /// Parses the value; `None` if the text, which is valid JSON, is of another type.
    fn read(json: &str) -> Option<Self>;
}

/// A field of an object; `None` if it is missing, null or of another type.
///
/// Deserializes from any JSON value, but only from borrowed text (`serde_json::from_str`,
/// `from_slice`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maybe<T>(pub Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Read> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The raw text accepts every value, so only malformed JSON is an error.
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        Ok(Self(T::read(raw.get())))
    }
}

/// A field of an object of which it matters if it is null.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// Missing, or of another type.
    #[default]
    Absent,
    /// Null.
    Null,
    /// This value.
    Value(T),
}

impl<'de, T: Read> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        Ok(match raw.get() {
            "null" => Self::Null,
            json => T::read(json).map_or(Self::Absent, Self::Value),
        })
    }
}

/// Implements [`Read`] for objects. Rejects an array, which a derived `Deserialize` would accept as
/// the list of the fields.
macro_rules! objects {
    ($($name:ty),+ $(,)?) => {$(
        impl $crate::forge::github::payload::Read for $name {
            fn read(json: &str) -> Option<Self> {
                json.starts_with('{').then(|| serde_json::from_str(json).ok()).flatten()
            }
        }
    )+};
}
pub(super) use objects;

impl Read for String {
    fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

impl Read for bool {
    fn read(json: &str) -> Option<Self> {
        json.parse().ok()
    }
}

/// Ids and numbers. Databases store them as signed 64-bit integers, so a number beyond that range
/// is absent, like a negative one.
impl Read for u64 {
    fn read(json: &str) -> Option<Self> {
        json.parse().ok().filter(|number| i64::try_from(*number).is_ok())
    }
}

/// Times: most are in RFC 3339, but `repository.pushed_at` of a push and `installation.created_at`
/// are seconds since 1970.
impl Read for Timestamp {
    fn read(json: &str) -> Option<Self> {
        match String::read(json) {
            Some(text) => text.parse().ok(),
            None => Self::from_second(json.parse().ok()?).ok(),
        }
    }
}

impl Read for Sha {
    fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

/// Lists. An unreadable element keeps its position as an absent one.
impl<T: Read> Read for Vec<Maybe<T>> {
    fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Thing {
        id: Maybe<u64>,
        name: Maybe<String>,
        inner: Maybe<Box<Thing>>,
        list: Maybe<Vec<Maybe<u64>>>,
    }
    objects!(Thing);

    impl Read for Box<Thing> {
        fn read(json: &str) -> Option<Self> {
            Thing::read(json).map(Box::new)
        }
    }

    #[test]
    fn what_is_not_as_expected_is_absent() {
        let thing =
            Thing::read(r#"{"id":"7","name":null,"inner":[1,"x"],"list":[1,"2",-3,4.0,5],"new":{"a":[{}]}}"#).unwrap();
        assert_eq!(thing.id, Maybe(None));
        assert_eq!(thing.name, Maybe(None));
        assert_eq!(thing.inner, Maybe(None));
        assert_eq!(
            thing.list,
            Maybe(Some(vec![Maybe(Some(1)), Maybe(None), Maybe(None), Maybe(None), Maybe(Some(5))]))
        );
    }

    #[test]
    fn numbers_that_no_database_holds_are_absent() {
        for json in ["-1", "1.5", "1e3", "9223372036854775808", "99999999999999999999999", "1e999", "true", "\"1\""] {
            assert_eq!(u64::read(json), None, "{json}");
        }
        assert_eq!(u64::read("9223372036854775807"), Some(u64::try_from(i64::MAX).unwrap()));
    }

    #[test]
    fn times_come_as_text_or_as_seconds() {
        let expected: Timestamp = "2019-05-15T15:20:57Z".parse().unwrap();
        assert_eq!(Timestamp::read("\"2019-05-15T15:20:57Z\""), Some(expected));
        assert_eq!(Timestamp::read("\"2019-05-15T17:20:57.000+02:00\""), Some(expected));
        assert_eq!(Timestamp::read("1557933657"), Some(expected));
        for json in ["null", "\"yesterday\"", "\"\"", "1.5", "99999999999999999", "{}", "[]"] {
            assert_eq!(Timestamp::read(json), None, "{json}");
        }
    }

    #[test]
    fn only_object_names_are_taken_for_one() {
        let name = "EC26C3E57CA3A959CA5AAD62DE7213C562F8C821";
        assert_eq!(Sha::read(&format!("\"{name}\"")), name.parse().ok());
        for json in ["\"main\"", "\"ec26c3e\"", "\"../../../../../../../../../../../../../x\"", "12", "null"] {
            assert_eq!(Sha::read(json), None, "{json}");
        }
    }
}
