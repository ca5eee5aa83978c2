//! Questions to a forge in the name of an installation, as every part of the
//! shell asks them.

use std::time::Duration;

use super::{persist::persistently, shell::Shell};
use crate::port::forge::{ForgeError, Target};

/// Patience with one try: a forge that hangs is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer of a question that changes nothing.
///
/// What fails or hangs for the moment is asked again at once, three times in
/// all; a repository that is held meanwhile is held 17 s at most. While the
/// installation is parked nothing is asked, and a limit that is met parks it.
pub(crate) async fn question<T, Q>(shell: &Shell, target: &Target, ask: impl Fn() -> Q) -> Result<T, ForgeError>
where
    Q: Future<Output = Result<T, ForgeError>>,
{
    let tenant = (target.repo.forge.clone(), target.installation);
    persistently(|| async {
        let now = shell.clock.now();
        if let Some(until) = shell.limits.parked(&tenant, now).await {
            return Err(ForgeError::RateLimited { until });
        }
        match tokio::time::timeout(PATIENCE, ask()).await {
            Ok(Err(ForgeError::RateLimited { until })) => {
                Err(ForgeError::RateLimited { until: shell.limits.park(&tenant, until, now).await })
            }
            Ok(answer) => answer,
            Err(_) => Err(ForgeError::Transient(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    })
    .await
}
