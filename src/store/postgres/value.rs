//! Conversion of our values to and from PostgreSQL.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::{
    Row,
    types::{FromSql, ToSql, Type},
};

use crate::{
    domain::effect::Lane,
    port::store::{EffectState, StoreError},
};

/// A value of a query with its PostgreSQL type.
///
/// Since the types are known beforehand, a query is one message each way, and
/// no statement stays prepared: a connection pooler may give each transaction
/// another connection.
pub(super) trait Arg: ToSql + Sync {
    /// Type in the database.
    const TYPE: Type;
}

macro_rules! arg {
    ($($rust:ty => $type:ident),* $(,)?) => {
        $(impl Arg for $rust { const TYPE: Type = Type::$type; })*
    };
}

arg! {
    bool => BOOL,
    i16 => INT2,
    i32 => INT4,
    i64 => INT8,
    Option<i64> => INT8,
    &str => TEXT,
    String => TEXT,
    Cow<'_, str> => TEXT,
    Option<Cow<'_, str>> => TEXT,
    Vec<i16> => INT2_ARRAY,
    Vec<i64> => INT8_ARRAY,
    Vec<Option<i64>> => INT8_ARRAY,
    Vec<bool> => BOOL_ARRAY,
    Vec<&str> => TEXT_ARRAY,
    Vec<String> => TEXT_ARRAY,
    Vec<Cow<'_, str>> => TEXT_ARRAY,
    Vec<Option<Cow<'_, str>>> => TEXT_ARRAY,
    &[u8] => BYTEA,
    Vec<&[u8]> => BYTEA_ARRAY,
}

/// Returns the type of a value, which the compiler infers.
pub(super) fn type_of<A: Arg>(_: &A) -> Type {
    A::TYPE
}

/// Lists values for a query, each with its type.
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        &[$((
            &$value as &(dyn tokio_postgres::types::ToSql + Sync),
            $crate::store::postgres::value::type_of(&$value),
        )),*]
    };
}
pub(super) use args;

/// Converts a time to whole milliseconds since 1970, truncating the rest.
pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// Converts a number assigned by a forge: all 64 bits.
pub(super) fn bits(id: u64) -> i64 {
    id.cast_signed()
}

/// Converts one of our numbers or a limit. Too large a number becomes the largest of PostgreSQL.
pub(super) fn number<N: TryInto<i64>>(n: N) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

/// Precedes a replaced character.
const MARK: char = '\u{1a}';

/// Encodes text: PostgreSQL's text can't hold the zero character, but text from outside can.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains(['\0', MARK]) {
        Cow::Owned(text.replace(MARK, "\u{1a}1").replace('\0', "\u{1a}0"))
    } else {
        Cow::Borrowed(text)
    }
}

fn text_back(kept: String) -> String {
    if kept.contains(MARK) { kept.replace("\u{1a}0", "\0").replace("\u{1a}1", "\u{1a}") } else { kept }
}

/// Reads a column.
pub(super) fn col<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads a text column.
pub(super) fn text_col(row: &Row, column: usize) -> Result<String, StoreError> {
    col(row, column).map(text_back)
}

/// Reads a nullable text column.
pub(super) fn text_or_none(row: &Row, column: usize) -> Result<Option<String>, StoreError> {
    Ok(col::<Option<String>>(row, column)?.map(text_back))
}

/// Reads a time column.
pub(super) fn moment(row: &Row, column: usize) -> Result<Timestamp, StoreError> {
    from_millis(col(row, column)?)
}

/// Reads a nullable time column.
pub(super) fn moment_or_none(row: &Row, column: usize) -> Result<Option<Timestamp>, StoreError> {
    col::<Option<i64>>(row, column)?.map(from_millis).transpose()
}

/// Converts stored milliseconds to a time.
pub(super) fn from_millis(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads a column with a forge's number.
pub(super) fn id(row: &Row, column: usize) -> Result<u64, StoreError> {
    col::<i64>(row, column).map(i64::cast_unsigned)
}

/// Reads a nullable column with a forge's number.
pub(super) fn id_or_none(row: &Row, column: usize) -> Result<Option<u64>, StoreError> {
    Ok(col::<Option<i64>>(row, column)?.map(i64::cast_unsigned))
}

/// Reads a column with a count.
pub(super) fn count(row: &Row, column: usize) -> Result<u64, StoreError> {
    u64::try_from(col::<i64>(row, column)?).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Returns the number of a lane: lower numbers are sent first.
pub(super) fn lane_number(lane: Lane) -> i16 {
    match lane {
        Lane::Safety => 0,
        Lane::Conversation => 1,
        Lane::Labels => 2,
    }
}

/// Returns the lane with this number.
pub(super) fn lane(number: i16) -> Result<Lane, StoreError> {
    match number {
        0 => Ok(Lane::Safety),
        1 => Ok(Lane::Conversation),
        2 => Ok(Lane::Labels),
        other => Err(StoreError::Corrupt(format!("unknown lane {other}"))),
    }
}

/// Returns the state of an effect by its name in the database.
pub(super) fn effect_state(name: &str) -> Result<EffectState, StoreError> {
    match name {
        "queued" => Ok(EffectState::Queued),
        "sending" => Ok(EffectState::Sending),
        "done" => Ok(EffectState::Done),
        "dead" => Ok(EffectState::Dead),
        "dropped" => Ok(EffectState::Dropped),
        other => Err(StoreError::Corrupt(format!("unknown effect state {other:?}"))),
    }
}

/// Serializes a value as JSON text. JSON escapes the zero character itself.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|failed| StoreError::Invalid(failed.to_string()))
}

/// Reads a column stored as JSON text.
pub(super) fn json<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T, StoreError> {
    let text: &str = col(row, column)?;
    serde_json::from_str(text).map_err(|failed| StoreError::Corrupt(failed.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_character_is_kept_as_others() {
        for given in ["", "a", "a\0b", "\u{1a}", "\u{1a}0", "\0\u{1a}1\u{1a}0\0", "\u{1a}\u{1a}00"] {
            let kept = text(given);
            assert!(!kept.contains('\0'), "{given:?}");
            assert_eq!(text_back(kept.into_owned()), given);
        }
    }

    #[test]
    fn ids_keep_every_bit() {
        for id in [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1] {
            assert_eq!(bits(id).cast_unsigned(), id);
        }
    }
}
