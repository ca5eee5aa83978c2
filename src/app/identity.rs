//! Our own account on each forge: asked for at first, and again for every bot that
//! was not seen before, for that may be us under a new name.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::{
    domain::id::{Actor, ForgeName},
    ingest::Us,
    port::forge::Forge,
};

/// Time-out of the request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Wait before the forge is asked again after a failure.
const ASK_AGAIN_AFTER: Duration = Duration::from_mins(1);
/// Most bots remembered as others. Further ones are asked about again.
const MOST_OTHERS: usize = 1000;

/// Knowledge of our account on one forge.
#[derive(Debug, Clone)]
enum Known {
    Account {
        us: Actor,
        /// Bots, in lower case, that are other accounts according to the forge's answer.
        others: BTreeSet<String>,
        /// Time at which the forge failed to say whether another bot is us.
        failed: Option<Instant>,
    },
    /// The forge failed to answer, at this time.
    NotYet(Instant),
}

impl Known {
    /// Returns whether the forge failed to answer recently.
    fn rests(&self) -> bool {
        let (Self::Account { failed: Some(at), .. } | Self::NotYet(at)) = self else { return false };
        at.elapsed() < ASK_AGAIN_AFTER
    }

    /// Returns whether each of these bots is known as us or as another.
    fn tells(&self, bots: &BTreeSet<String>) -> bool {
        let Self::Account { us, others, .. } = self else { return false };
        bots.iter().all(|bot| us.is_called(bot) || others.contains(bot))
    }
}

/// Our accounts. One caller asks, the others wait for its answer.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    known: Mutex<HashMap<ForgeName, Known>>,
}

impl Identities {
    /// Returns our account on `forge`, to be distinguished from the accounts `seen`.
    ///
    /// Until the forge has answered, every bot is taken for us. That ignores a
    /// stranger's edit, whereas taking us for a stranger would fight ourselves.
    pub(crate) async fn on<'a>(&self, forge: &dyn Forge, seen: impl Iterator<Item = &'a Actor>) -> Us {
        let bots: BTreeSet<String> = seen.filter(|actor| actor.bot).map(|actor| actor.login.to_lowercase()).collect();
        let mut all = self.known.lock().await;
        let known = match all.remove(forge.name()) {
            Some(known) if known.tells(&bots) || known.rests() => known,
            before => ask(forge, before, &bots).await,
        };
        let bot = match &known {
            Known::Account { us, .. } if known.tells(&bots) => Some(us.clone()),
            _ => None,
        };
        all.insert(forge.name().clone(), known);
        Us { bot }
    }
}

/// Asks for our account; afterwards, `bots` are known as us or others.
async fn ask(forge: &dyn Forge, before: Option<Known>, bots: &BTreeSet<String>) -> Known {
    let error = match tokio::time::timeout(TIMEOUT, forge.identity()).await {
        Ok(Ok(us)) => {
            let mut others = BTreeSet::new();
            if let Some(Known::Account { us: before, others: known, .. }) = before {
                if before != us {
                    tracing::info!(forge = %forge.name(), before = before.login, now = us.login, "our account has a new name");
                }
                others = known;
            }
            if others.len() + bots.len() > MOST_OTHERS {
                others.clear();
            }
            others.extend(bots.iter().filter(|bot| !us.is_called(bot)).cloned());
            return Known::Account { us, others, failed: None };
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
    };
    tracing::warn!(forge = %forge.name(), error, "the forge does not tell our own account");
    let now = Instant::now();
    match before {
        Some(Known::Account { us, others, .. }) => Known::Account { us, others, failed: Some(now) },
        _ => Known::NotYet(now),
    }
}
