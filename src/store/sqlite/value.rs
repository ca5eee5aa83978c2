//! Conversion of our values to and from SQLite.

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    domain::{effect::Lane, id::ForgeName, timer::TimerKey},
    port::store::{DeliveryState, EffectState, StoreError},
};

/// A time, stored in whole milliseconds since 1970; the rest is truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(pub(super) Timestamp);

impl ToSql for Moment {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_millisecond().into())
    }
}

impl FromSql for Moment {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let millis = i64::column_result(value)?;
        Timestamp::from_millisecond(millis).map(Self).map_err(FromSqlError::other)
    }
}

/// A number assigned by a forge: all 64 bits, in SQLite's signed integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(pub(super) u64);

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.cast_signed().into())
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(|bits| Self(bits.cast_unsigned()))
    }
}

/// Converts one of our numbers or a limit. Too large a number becomes the largest of SQLite.
pub(super) fn number<N: TryInto<i64>>(n: N) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

/// The name of a forge.
pub(super) struct Forge(pub(super) ForgeName);

impl FromSql for Forge {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        String::column_result(value).map(|name| Self(ForgeName(name)))
    }
}

impl FromSql for DeliveryState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        Self::from_name(name).ok_or_else(|| unknown("delivery state", name))
    }
}

/// Every state of an effect with its name in the database.
const EFFECT_STATES: [(EffectState, &str); 5] = [
    (EffectState::Queued, "queued"),
    (EffectState::Sending, "sending"),
    (EffectState::Done, "done"),
    (EffectState::Dead, "dead"),
    (EffectState::Dropped, "dropped"),
];

impl FromSql for EffectState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        let state = EFFECT_STATES.iter().find(|(_, n)| *n == name).map(|(state, _)| *state);
        state.ok_or_else(|| unknown("effect state", name))
    }
}

/// Returns the number of a lane: lower numbers are sent first.
pub(super) fn lane_number(lane: Lane) -> i64 {
    match lane {
        Lane::Safety => 0,
        Lane::Conversation => 1,
        Lane::Labels => 2,
    }
}

/// Owner of a timer.
pub(super) struct Key(pub(super) TimerKey);

impl FromSql for Key {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let key = value.as_str()?.parse();
        key.map(Self).map_err(|unknown: String| FromSqlError::other(std::io::Error::other(unknown)))
    }
}

/// A lane, by its number.
pub(super) struct LaneNumber(pub(super) Lane);

impl FromSql for LaneNumber {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match i64::column_result(value)? {
            0 => Ok(Self(Lane::Safety)),
            1 => Ok(Self(Lane::Conversation)),
            2 => Ok(Self(Lane::Labels)),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

fn unknown(what: &str, name: &str) -> FromSqlError {
    FromSqlError::other(std::io::Error::other(format!("unknown {what} {name:?}")))
}

/// Serializes a value as JSON text.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|failed| StoreError::Invalid(failed.to_string()))
}

/// A value stored as JSON text.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_too_large_are_larger_than_all_others() {
        assert_eq!(number(7_u64), 7);
        assert_eq!(number(u64::MAX), i64::MAX);
        assert_eq!(number(usize::MAX), i64::MAX);
    }

    #[test]
    fn ids_keep_every_bit() {
        for id in [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1] {
            assert_eq!(Id(id).0.cast_signed().cast_unsigned(), id);
        }
    }
}
