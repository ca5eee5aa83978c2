//! Detects effects that may already have been applied.
//!
//! A database restored from a backup has no record of the effects applied
//! since. Its deliveries come again from the forge's list, and their effects
//! would be applied a second time. Therefore, until this process has caught up,
//! and for all effects of the deliveries that it caught up with, every effect
//! that carries a marker is looked up first. That costs one read each, and only
//! around a start.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::clock::after,
    domain::effect::RetrySafety,
    port::store::{EffectState, Seq, Store, StoreError, StoredEffect},
};

/// Time within which timers fire that follow from the missed deliveries.
const AFTERMATH: SignedDuration = SignedDuration::from_mins(1);

/// Knowledge of the time before this process.
#[derive(Debug)]
pub(crate) struct DuplicateGuard {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The forges are being asked for the deliveries that they sent.
    Asking,
    /// The lists were read, so losses are known; the items may still have to be surveyed.
    Walked { lost: bool },
    /// All was read; missing deliveries are in the inbox, up to this number.
    Told { through: Seq, lost: bool },
    /// All of them are decided: an effect queued later than this is new.
    Settled { at: Timestamp, lost: bool },
}

impl DuplicateGuard {
    /// Creates the guard at the start of the process. `asks`: the forges will be asked. If not,
    /// no delivery comes again by itself.
    pub(crate) fn new(asks: bool) -> Self {
        let state = if asks { State::Asking } else { State::Settled { at: Timestamp::MIN, lost: false } };
        Self { state: Mutex::new(state) }
    }

    /// Records that the forges' lists were read. `lost`: as for [`Self::told`].
    pub(crate) fn walked(&self, lost: bool) {
        let mut state = self.lock();
        if matches!(*state, State::Asking) {
            *state = State::Walked { lost };
        }
    }

    /// Records that all was read from the forges for the first time. `through`: the last
    /// delivery that was taken in from them. `lost`: a delivery that we acknowledged was
    /// missing, so our records go back to before it.
    pub(crate) fn told(&self, through: Seq, lost: bool) {
        let mut state = self.lock();
        if matches!(*state, State::Asking | State::Walked { .. }) {
            *state = State::Told { through, lost };
        }
    }

    /// Returns whether the losses are still unknown.
    pub(crate) fn open(&self) -> bool {
        matches!(*self.lock(), State::Asking)
    }

    /// Returns whether the forges have not been read completely yet.
    pub(crate) fn untold(&self) -> bool {
        matches!(*self.lock(), State::Asking | State::Walked { .. })
    }

    /// Returns whether an effect may already have been applied, by its own state or
    /// because it was queued before we had caught up.
    pub(crate) async fn about(
        &self,
        effect: &StoredEffect,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if effect.state == EffectState::Sending {
            return Ok(true);
        }
        let repeat = effect.effect.repeat();
        if repeat == RetrySafety::Natural {
            return Ok(false);
        }
        let state = *self.lock();
        let (early, lost) = match state {
            State::Asking => (true, false),
            State::Walked { lost } => (true, lost),
            State::Told { through, lost } => {
                let waiting = store.pending(0, 1).await?;
                if waiting.first().is_none_or(|first| first.seq > through) {
                    *self.lock() = State::Settled { at: after(now, AFTERMATH), lost };
                }
                (true, lost)
            }
            State::Settled { at, lost } => (effect.created_at <= at, lost),
        };
        // An unverifiable effect is held back only if a delivery is known to be lost.
        Ok(early && (repeat == RetrySafety::MarkedCreate || lost))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
