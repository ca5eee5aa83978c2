//! Our own account on each forge: asked at first, and again for every bot that
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

/// How long to wait for the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a failure the forge is not asked again before.
const ASK_AGAIN_AFTER: Duration = Duration::from_mins(1);
/// Bots that are remembered not to be us. Beyond, they are asked for anew.
const MOST_OTHERS: usize = 1000;

/// What is known of our account on one forge.
#[derive(Debug, Clone)]
enum Known {
    Account {
        us: Actor,
        /// Bots, in lower case, of which the forge's answer said that they are others.
        others: BTreeSet<String>,
        /// When the forge did not say whether another bot is us.
        failed: Option<Instant>,
    },
    /// The forge could not tell, at that moment.
    NotYet(Instant),
}

impl Known {
    /// Whether the forge failed to answer a moment ago.
    fn rests(&self) -> bool {
        let (Self::Account { failed: Some(at), .. } | Self::NotYet(at)) = self else { return false };
        at.elapsed() < ASK_AGAIN_AFTER
    }

    /// Whether it is known of each of these bots that it is us, or another.
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
    /// Who we are on `forge`, where these accounts must be told from us.
    ///
    /// While the forge has not told, every bot is taken for us: that loses a
    /// stranger's meddling, where taking us for a stranger would fight ourselves.
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

/// Asks who we are; `bots` are then us or others.
async fn ask(forge: &dyn Forge, before: Option<Known>, bots: &BTreeSet<String>) -> Known {
    let error = match tokio::time::timeout(PATIENCE, forge.identity()).await {
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
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    tracing::warn!(forge = %forge.name(), error, "the forge does not tell our own account");
    let now = Instant::now();
    match before {
        Some(Known::Account { us, others, .. }) => Known::Account { us, others, failed: Some(now) },
        _ => Known::NotYet(now),
    }
}
