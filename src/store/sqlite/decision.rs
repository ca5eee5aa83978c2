//! Stores a decision as a whole. The caller holds the transaction.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    domain::id::RepoKey,
    port::store::{Commit, DeliveryState, Seq, StoreError},
    store::sqlite::{
        insight, notice, outbox, repo, timer,
        value::{Moment, number},
    },
};

/// Stores everything in `commit`. On an error the caller rolls back.
pub(super) fn keep(db: &Connection, commit: &Commit) -> Result<(), StoreError> {
    for row in &commit.repositories {
        repo::keep_repository(db, row)?;
    }
    if needs_repository(commit) {
        let key = commit.repo.as_ref().ok_or_else(|| invalid("a decision on items names no repository"))?;
        keep_for(db, key, commit)?;
    }
    for (seq, state, note) in &commit.deliveries {
        end_delivery(db, *seq, *state, note, moment(commit)?)?;
    }
    Ok(())
}

fn needs_repository(commit: &Commit) -> bool {
    !(commit.facts.is_empty()
        && commit.items.is_empty()
        && commit.histories.is_empty()
        && commit.insight.is_empty()
        && commit.effects.is_empty()
        && commit.cancel_effects.is_empty()
        && commit.notices.is_empty()
        && commit.timers.is_empty())
}

fn keep_for(db: &Connection, key: &RepoKey, commit: &Commit) -> Result<(), StoreError> {
    repo::keep_facts(db, key, &commit.facts)?;
    for row in &commit.items {
        repo::keep_item(db, key, row)?;
    }
    for (item, history) in &commit.histories {
        repo::keep_history(db, key, *item, history)?;
    }
    insight::keep(db, key, &commit.insight)?;
    for effect in &commit.cancel_effects {
        outbox::cancel(db, key, effect, moment(commit)?)?;
    }
    for effect in &commit.effects {
        outbox::queue(db, key, effect, moment(commit)?)?;
    }
    for new in &commit.notices {
        notice::queue(db, key, new, moment(commit)?)?;
    }
    for (owner, at) in &commit.timers {
        timer::set(db, key, *owner, *at)?;
    }
    if commit.changes_data() { repo::raise_version(db, key) } else { Ok(()) }
}

fn moment(commit: &Commit) -> Result<Timestamp, StoreError> {
    commit.now.ok_or_else(|| invalid("a decision on deliveries or effects has no time"))
}

pub(super) const END_DELIVERY: &str = "
    UPDATE delivery SET state = ?2, note = ?3, attempts = attempts + 1, decided_at = ?4
    WHERE seq = ?1 AND state = 'pending'";

/// Stores the outcome of a delivery. A delivery that an operator ended meanwhile does not change.
fn end_delivery(db: &Connection, seq: Seq, state: DeliveryState, note: &str, now: Timestamp) -> Result<(), StoreError> {
    let decided_at = (state != DeliveryState::Pending).then_some(Moment(now));
    let changed = db.prepare_cached(END_DELIVERY)?.execute(params![number(seq), state.as_str(), note, decided_at])?;
    if changed == 0 {
        db.prepare_cached("SELECT 1 FROM delivery WHERE seq = ?1")?
            .query_row([number(seq)], |_| Ok(()))
            .optional()?
            .ok_or_else(|| invalid("a decision ends a delivery that is not there"))?;
    }
    Ok(())
}

fn invalid(why: &str) -> StoreError {
    StoreError::Invalid(why.to_owned())
}
