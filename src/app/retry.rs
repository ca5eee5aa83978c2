//! Retries questions to a forge at once where a temporary failure would cost more
//! than a short wait.

use std::time::Duration;

use crate::port::forge::ForgeError;

/// Waits before a question that failed temporarily is asked again.
const RESTS: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// Returns the answer to a question that changes nothing. Asks up to twice more while it fails
/// temporarily; limits and refusals are answers.
pub(crate) async fn persistently<T, Q>(question: impl Fn() -> Q) -> Result<T, ForgeError>
where
    Q: Future<Output = Result<T, ForgeError>>,
{
    for rest in RESTS {
        match question().await {
            Err(ForgeError::Transient(_) | ForgeError::Doubt(_)) => tokio::time::sleep(rest).await,
            answer => return answer,
        }
    }
    question().await
}
