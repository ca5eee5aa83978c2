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

/// Returns labels or annotations: an object of texts, or a list of `name:value`, also as one text
/// with commas.
pub(crate) fn labels(value: Option<&Value>) -> BTreeMap<String, String> {
    let tag = |tag: &str| {
        let (name, value) = tag.split_once(':')?;
        label(name.trim(), &Value::from(value.trim()))
    };
    match value {
        Some(Value::Object(entries)) => {
            entries.iter().take(MOST_LABELS).filter_map(|(name, value)| label(name, value)).collect()
        }
        Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).take(MOST_LABELS).filter_map(tag).collect(),
        Some(Value::String(tags)) => tags.split(',').take(MOST_LABELS).filter_map(tag).collect(),
        _ => BTreeMap::new(),
    }
}

fn label(name: &str, value: &Value) -> Option<(String, String)> {
    Some((name.chars().take(LONGEST_NAME).collect(), text(Some(value))?))
}

/// Returns a time: RFC 3339, or seconds or milliseconds since 1970, also as a text. The year 1, which Go writes for
/// "none", is none.
pub(crate) fn moment(value: Option<&Value>) -> Option<Timestamp> {
    /// Larger values, from the year 5138 on in seconds, are milliseconds.
    const MOST_SECONDS: i64 = 100_000_000_000;
    let counted = |count: i64| match count {
        MOST_SECONDS.. => Timestamp::from_millisecond(count).ok(),
        _ => Timestamp::from_second(count).ok(),
    };
    let at: Timestamp = match value? {
        Value::String(text) => match text.trim().parse() {
            Ok(count) => counted(count)?,
            Err(_) => text.trim().parse().ok()?,
        },
        Value::Number(number) => counted(number.as_i64()?)?,
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
