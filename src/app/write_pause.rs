//! Operator's write pause: no writes to any forge until an operator resumes them.
//!
//! It is kept in the store, so that it holds for every process and outlives them.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    app::runtime::Runtime,
    port::{
        operate::Operate,
        store::{Store, StoreError},
    },
};

/// Name of the setting in the store; its value is the reason.
pub(crate) const MEMO: &str = "paused";
/// Wait before the store is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Returns the reason of the write pause, if there is one.
pub async fn halted(store: &dyn Store) -> Result<Option<String>, StoreError> {
    store.memo(MEMO).await
}

/// Reads the pause; returns once the store has answered.
pub(crate) async fn first_look(runtime: &Runtime) {
    while let Err(error) = look(runtime).await {
        tracing::warn!(%error, "whether writing is paused can't be read and is asked again");
        tokio::time::sleep(AGAIN).await;
    }
}

/// Updates this process's copy of the pause from the store.
pub(crate) async fn look(runtime: &Runtime) -> Result<(), StoreError> {
    let halted = halted(runtime.store.as_ref()).await?;
    if runtime.halted.swap(halted.is_some(), Ordering::SeqCst) != halted.is_some() {
        if let Some(why) = halted {
            tracing::warn!(why, "writing to forges is paused");
        } else {
            tracing::warn!("writing to forges goes on");
        }
        runtime.outbox.poke();
        runtime.notice_pulse.poke();
    }
    Ok(())
}

/// Operator's controls of a running bot.
pub struct Switches {
    pub(crate) runtime: Arc<Runtime>,
}

#[async_trait]
impl Operate for Switches {
    async fn pause(&self, why: &str) -> Result<(), StoreError> {
        // At once in this process, whatever the store answers; then in all.
        self.runtime.halted.store(true, Ordering::SeqCst);
        let kept = self.runtime.store.note(MEMO, Some(why)).await;
        tracing::warn!(why, "writing to forges is paused by an operator");
        kept
    }

    async fn resume(&self) -> Result<(), StoreError> {
        self.runtime.store.note(MEMO, None).await?;
        look(&self.runtime).await
    }

    async fn paused(&self) -> Result<Option<String>, StoreError> {
        halted(self.runtime.store.as_ref()).await
    }

    fn poke(&self) {
        self.runtime.inbox.poke();
    }
}
