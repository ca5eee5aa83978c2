//! Reads arbitrary JSON: a value that is missing or of another type is absent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::port::forge::Undecodable;

/// Maximum labels stored for one alert.
const MOST_LABELS: usize = 100;
/// Maximum length of a label's name, in characters.
const LONGEST_NAME: usize = 200;
/// Maximum length of a label's or annotation's value, in characters.
const LONGEST_VALUE: usize = 8_000;

/// Parses the body as a JSON object.
pub(crate) fn object(body: &[u8]) -> Result<Value, Undecodable> {
    let wrong = |message: String| Undecodable { path: "body".to_owned(), message };
    let value: Value = serde_json::from_slice(body).map_err(|error| wrong(format!("is not JSON: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(wrong("is not a JSON object".to_owned())) }
}

/// Returns a text that is present and not empty; numbers and booleans are texts too.
pub(crate) fn text(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.chars().take(LONGEST_VALUE).collect(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => return None,
    };
    Some(text).filter(|text: &String| !text.trim().is_empty())
}

/// Returns labels or annotations: an object of texts.
pub(crate) fn labels(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten().take(MOST_LABELS);
    entries.filter_map(|(name, value)| Some((name.chars().take(LONGEST_NAME).collect(), text(Some(value))?))).collect()
}

/// Returns a time: RFC 3339, or seconds or milliseconds since 1970. The year 1, which Go writes for
/// "none", is none.
pub(crate) fn moment(value: Option<&Value>) -> Option<Timestamp> {
    /// Larger values, from the year 5138 on in seconds, are milliseconds.
    const MOST_SECONDS: i64 = 100_000_000_000;
    let at: Timestamp = match value? {
        Value::String(text) => text.trim().parse().ok()?,
        Value::Number(number) => {
            let count = number.as_i64()?;
            if count > MOST_SECONDS {
                Timestamp::from_millisecond(count).ok()?
            } else {
                Timestamp::from_second(count).ok()?
            }
        }
        _ => return None,
    };
    // Times are stored in whole milliseconds.
    Timestamp::from_millisecond(at.as_millisecond()).ok().filter(|at| at.as_second() > 0)
}

/// Returns an identifier for an alert whose source has none: a short hash of its labels.
pub(crate) fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (name, value) in labels {
        for part in [name, value] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hex::encode(hash.finalize()).chars().take(16).collect()
}

/// Returns labels in order as one key: `alertname="X",job="api"`.
pub(crate) fn key(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(",")
}
