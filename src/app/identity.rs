//! Our own account on each forge, asked once.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::{
    decide::Us,
    domain::id::{Actor, ForgeName},
    port::forge::Forge,
};

/// How long to wait for the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a failure the forge is not asked again before.
const ASK_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// What is known of our account on one forge.
#[derive(Debug, Clone)]
enum Known {
    Account(Actor),
    /// The forge could not tell, at that moment.
    NotYet(Instant),
}

/// Our accounts. One caller asks, the others wait for its answer.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    known: Mutex<HashMap<ForgeName, Known>>,
}

impl Identities {
    /// Who we are on `forge`.
    ///
    /// While the forge has not told, every bot is taken for us: that loses a
    /// stranger's meddling, where taking us for a stranger would fight ourselves.
    pub(crate) async fn on(&self, forge: &dyn Forge) -> Us {
        let mut all = self.known.lock().await;
        let fresh = all.get(forge.name()).filter(|known| match known {
            Known::Account(_) => true,
            Known::NotYet(at) => at.elapsed() < ASK_AGAIN_AFTER,
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
            Known::Account(actor) => Us { bot: Some(actor) },
            Known::NotYet(_) => Us { bot: None },
        }
    }
}

async fn ask(forge: &dyn Forge) -> Known {
    let error = match tokio::time::timeout(PATIENCE, forge.identity()).await {
        Ok(Ok(actor)) => return Known::Account(actor),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    tracing::warn!(forge = %forge.name(), error, "the forge does not tell our own account");
    Known::NotYet(Instant::now())
}
