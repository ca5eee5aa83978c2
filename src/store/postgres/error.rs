//! PostgreSQL's errors, classified by the caller's response to them.

use deadpool_postgres::PoolError;
use tokio_postgres::Error;

use crate::port::store::StoreError;

/// Converts an error of the server or of the connection.
///
/// Keeps only the server's message, without its detail and hint: those may
/// quote rows.
pub(super) fn told(error: &Error) -> StoreError {
    let Some(refusal) = error.as_db_error() else {
        return StoreError::Unavailable(crate::store::postgres::connect::with_causes(error));
    };
    let code = refusal.code().code();
    let what = format!("PostgreSQL: {} ({code})", refusal.message());
    // The first two characters are the class: PostgreSQL's documentation, appendix A.
    match code.get(..2) {
        // 54: the request exceeds a limit, such as a key too large for its index, and always will.
        Some("22" | "23" | "42" | "54") => StoreError::Invalid(what),
        Some("XX") => StoreError::Corrupt(what),
        _ => StoreError::Unavailable(what),
    }
}

/// Converts a failure to get a connection.
pub(super) fn no_connection(error: &PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => StoreError::Unavailable(crate::store::postgres::connect::reason(error)),
        PoolError::Timeout(_) => StoreError::Unavailable("every connection to PostgreSQL is in use".to_owned()),
        other => StoreError::Unavailable(other.to_string()),
    }
}
