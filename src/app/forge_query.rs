//! Asks a forge questions as an installation, for every part of the runtime.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::timeout;

use crate::{
    app::{clock::after, decision_slots::aside, retry::persistently, runtime::Runtime},
    port::forge::{ForgeError, Target},
};

/// Time-out of one try: an answer may have many pages.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Time-out of all tries together.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Wait before another question is asked where too many of an installation wait.
const CROWDED_FOR: SignedDuration = SignedDuration::from_secs(2);

/// Returns the answer to a question that changes nothing.
///
/// A temporary failure or a time-out is retried at once, up to three tries in
/// all and for at most 20 s: a repository may be held meanwhile. While the
/// installation is paused nothing is asked, and hitting a limit pauses it.
pub(crate) async fn question<T, Q>(runtime: &Runtime, target: &Target, ask: impl Fn() -> Q) -> Result<T, ForgeError>
where
    Q: Future<Output = Result<T, ForgeError>>,
{
    let asking = persistently(|| question_once(runtime, target, &ask));
    timeout(TOTAL_TIMEOUT, asking).await.unwrap_or_else(|_| Err(no_answer(TOTAL_TIMEOUT)))
}

/// Asks with a single try, for callers that ask again later.
pub(crate) async fn question_once<T, Q>(
    runtime: &Runtime,
    target: &Target,
    ask: impl Fn() -> Q,
) -> Result<T, ForgeError>
where
    Q: Future<Output = Result<T, ForgeError>>,
{
    let tenant = (target.repo.forge.clone(), target.installation);
    let now = runtime.clock.now();
    if let Some(until) = runtime.limits.parked(&tenant, now).await {
        return Err(ForgeError::RateLimited { until });
    }
    // Hanging questions must not occupy all workers: the number per installation is limited.
    let Some(_asking) = runtime.askers.begin(&tenant) else {
        return Err(ForgeError::RateLimited { until: after(now, CROWDED_FOR) });
    };
    match aside(timeout(TIMEOUT, ask())).await {
        Ok(Err(ForgeError::RateLimited { until })) => {
            Err(ForgeError::RateLimited { until: runtime.limits.park(&tenant, until, now).await })
        }
        Ok(answer) => answer,
        Err(_) => Err(no_answer(TIMEOUT)),
    }
}

fn no_answer(within: Duration) -> ForgeError {
    ForgeError::Transient(format!("no answer within {} s", within.as_secs()))
}
