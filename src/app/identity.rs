//! Our own account on each forge, asked once.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::{
    decide::Us,
    domain::id::{Actor, ForgeName},
    port::forge::{Forge, ForgeError},
};

/// How long to wait for the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a failure the forge is not asked again before.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What is known of our account on one forge.
#[derive(Debug, Clone)]
enum Known {
    Account(Actor),
    /// The forge could not tell, and why.
    NotYet(Instant, String),
    /// The forge refuses us altogether.
    Refused(Instant),
}

/// Our accounts. One caller asks, the others wait for its answer.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    known: Mutex<HashMap<ForgeName, Known>>,
}

impl Identities {
    /// Who we are on `forge`.
    ///
    /// Without knowing that, our own label would look like somebody else's and
    /// become a lasting fact. So an event by a bot waits until the forge told
    /// us (`Err`); one by a person is never ours and does not wait.
    pub(crate) async fn on(&self, forge: &dyn Forge, sender: Option<&Actor>) -> Result<Us, String> {
        let mut all = self.known.lock().await;
        let fresh = all.get(forge.name()).filter(|known| match known {
            Known::Account(_) => true,
            Known::NotYet(at, _) | Known::Refused(at) => at.elapsed() < ASK_AGAIN_AFTER,
        });
        let known = if let Some(known) = fresh {
            known.clone()
        } else {
            let known = ask(forge).await;
            all.insert(forge.name().clone(), known.clone());
            known
        };
        drop(all);
        match known {
            Known::Account(actor) => Ok(Us { bot: Some(actor) }),
            Known::NotYet(_, why) if sender.is_some_and(|s| s.bot) => {
                Err(format!("our own account on {} is not known yet: {why}", forge.name()))
            }
            // While the forge refuses us, nothing that we wrote can come back.
            Known::NotYet(..) | Known::Refused(_) => Ok(Us { bot: None }),
        }
    }
}

async fn ask(forge: &dyn Forge) -> Known {
    let now = Instant::now();
    match tokio::time::timeout(PATIENCE, forge.identity()).await {
        Ok(Ok(actor)) => Known::Account(actor),
        Ok(Err(error @ (ForgeError::Permanent(_) | ForgeError::NotFound(_)))) => {
            tracing::warn!(forge = %forge.name(), %error, "the forge does not tell our own account");
            Known::Refused(now)
        }
        Ok(Err(error)) => Known::NotYet(now, error.to_string()),
        Err(_) => Known::NotYet(now, format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
