//! Questions to a forge that are worth a second try at once: what fails for the
//! moment would cost more than a short wait.

use std::time::Duration;

use crate::port::forge::ForgeError;

/// Rests before a question that failed for the moment is asked again.
const RESTS: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// The answer of a question that changes nothing. While it fails for the moment
/// it is asked twice more; limits and refusals are answers.
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
