//! SQLite's errors, classified by the caller's response to them.

use rusqlite::{Error, ErrorCode};

use crate::port::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match &error {
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..) => Self::Corrupt(error.to_string()),
            Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt(error.to_string()),
                ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => {
                    Self::Invalid(error.to_string())
                }
                _ => Self::Unavailable(error.to_string()),
            },
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
