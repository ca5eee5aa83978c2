//! Reading JSON that may be anything: what is missing or of another type is absent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::port::forge::Undecodable;

/// Labels of one alert that are kept.
const MOST_LABELS: usize = 100;
/// Longest name of a label, in characters.
const LONGEST_NAME: usize = 200;
/// Longest value of a label or annotation, in characters.
const LONGEST_VALUE: usize = 8_000;

/// The body as a JSON object.
pub(super) fn object(body: &[u8]) -> Result<Value, Undecodable> {
    let wrong = |message: String| Undecodable { path: "body".to_owned(), message };
    let value: Value = serde_json::from_slice(body).map_err(|error| wrong(format!("is not JSON: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(wrong("is not a JSON object".to_owned())) }
}

/// A text that is there and not empty; numbers and truth values are texts too.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.chars().take(LONGEST_VALUE).collect(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => return None,
    };
    Some(text).filter(|text: &String| !text.trim().is_empty())
}

/// Labels or annotations: an object of texts.
pub(super) fn labels(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten().take(MOST_LABELS);
    entries.filter_map(|(name, value)| Some((name.chars().take(LONGEST_NAME).collect(), text(Some(value))?))).collect()
}

/// A moment: RFC 3339, or seconds or milliseconds since 1970. The year 1,
/// which Go writes for «none», is none.
pub(super) fn moment(value: Option<&Value>) -> Option<Timestamp> {
    /// Seconds beyond this year 5138 are milliseconds.
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
    // Times are kept in whole milliseconds.
    Timestamp::from_millisecond(at.as_millisecond()).ok().filter(|at| at.as_second() > 0)
}

/// What tells one alert from others when the source has no id for it: a short
/// hash of its labels.
pub(super) fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (name, value) in labels {
        for part in [name, value] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hex::encode(hash.finalize()).chars().take(16).collect()
}

/// Labels in order as one key: `alertname="X",job="api"`.
pub(super) fn key(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(",")
}
