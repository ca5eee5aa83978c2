//! Whether what is about to be made may be there already.
//!
//! A database that was put back from a backup knows nothing of what was done
//! since. Its deliveries come again from the forge's list, and what follows
//! from them would be made a second time. So until this process has caught up,
//! and for whatever follows from what it caught up with, everything that
//! carries a marker is looked up first. That costs a read each, and only
//! around a start.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::clock::after,
    domain::effect::RetrySafety,
    port::store::{EffectState, Seq, Store, StoreError, StoredEffect},
};

/// Timers that follow from what was caught up with fire within this time.
const AFTERMATH: SignedDuration = SignedDuration::from_mins(1);

/// What is known of the time before this process.
#[derive(Debug)]
pub(crate) struct DuplicateGuard {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The forges are being asked what they sent.
    Asking,
    /// They told what was lost, and may still be asked how things stand.
    Walked { lost: bool },
    /// They told; what was missing is in the inbox, up to this number.
    Told { through: Seq, lost: bool },
    /// All of it is decided: what is queued later than this is new.
    Settled { at: Timestamp, lost: bool },
}

impl DuplicateGuard {
    /// At the start of the process; `asks`: the forges will be asked. If not,
    /// nothing comes again by itself.
    pub(crate) fn new(asks: bool) -> Self {
        let state = if asks { State::Asking } else { State::Settled { at: Timestamp::MIN, lost: false } };
        Self { state: Mutex::new(state) }
    }

    /// The forges told what they sent. `lost`: as for [`Self::told`].
    pub(crate) fn walked(&self, lost: bool) {
        let mut state = self.lock();
        if matches!(*state, State::Asking) {
            *state = State::Walked { lost };
        }
    }

    /// The forges told all, for the first time. `through`:
    /// the last delivery that was taken in from them. `lost`: something that
    /// we acknowledged was missing, so that our memory goes back before that.
    pub(crate) fn told(&self, through: Seq, lost: bool) {
        let mut state = self.lock();
        if matches!(*state, State::Asking | State::Walked { .. }) {
            *state = State::Told { through, lost };
        }
    }

    /// Whether nobody can say yet what was lost.
    pub(crate) fn open(&self) -> bool {
        matches!(*self.lock(), State::Asking)
    }

    /// Whether the forges have not told all yet.
    pub(crate) fn untold(&self) -> bool {
        matches!(*self.lock(), State::Asking | State::Walked { .. })
    }

    /// Whether an effect may have been done already, by what is known of it or
    /// because it stems from before we had caught up.
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
        // What can't be looked up is held back only where something is known to be lost.
        Ok(early && (repeat == RetrySafety::MarkedCreate || lost))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
