//! Questions to a forge in the name of an installation, as every part of the
//! shell asks them.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::timeout;

use crate::{
    app::{clock::after, decision_slots::aside, retry::persistently, runtime::Runtime},
    port::forge::{ForgeError, Target},
};

/// Patience with one try: an answer may have many pages.
const PATIENCE: Duration = Duration::from_secs(10);
/// Patience with all of them.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(20);
/// Where too many questions of an installation wait, another is asked after this long.
const CROWDED_FOR: SignedDuration = SignedDuration::from_secs(2);

/// The answer of a question that changes nothing.
///
/// What fails or hangs for the moment is asked again at once, three times in
/// all, and for 20 s at most: a repository may be held meanwhile. While the
/// installation is parked nothing is asked, and a limit that is met parks it.
pub(crate) async fn question<T, Q>(runtime: &Runtime, target: &Target, ask: impl Fn() -> Q) -> Result<T, ForgeError>
where
    Q: Future<Output = Result<T, ForgeError>>,
{
    let asking = persistently(|| question_once(runtime, target, &ask));
    timeout(PATIENCE_IN_ALL, asking).await.unwrap_or_else(|_| Err(silence(PATIENCE_IN_ALL)))
}

/// The same with a single try, for whoever has a later one in mind.
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
    // What hangs must not take all hands: of one installation only so much waits at once.
    let Some(_asking) = runtime.askers.begin(&tenant) else {
        return Err(ForgeError::RateLimited { until: after(now, CROWDED_FOR) });
    };
    match aside(timeout(PATIENCE, ask())).await {
        Ok(Err(ForgeError::RateLimited { until })) => {
            Err(ForgeError::RateLimited { until: runtime.limits.park(&tenant, until, now).await })
        }
        Ok(answer) => answer,
        Err(_) => Err(silence(PATIENCE)),
    }
}

fn silence(patience: Duration) -> ForgeError {
    ForgeError::Transient(format!("no answer within {} s", patience.as_secs()))
}
