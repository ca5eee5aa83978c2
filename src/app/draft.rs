//! From items to derive to a commit: rows, histories, effects, timers, a note.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{clock::after, repos::RepoState};
use crate::{
    decide::{self, Shown, command::board},
    domain::{
        derived::Derived,
        effect::Effect,
        fact::{DocumentKey, RepoFacts, item::ItemFacts},
        id::{InstallationId, ItemNumber},
        policy::{Mode, Policy},
    },
    port::store::{Commit, Document, NewEffect, Seq, StoredItem},
};

/// How long a note may be, in characters.
const LONGEST_NOTE: usize = 2000;
/// How many moved items a note tells one by one.
const MOVES_TOLD: usize = 20;
/// A timer is never set closer than this, so that none can spin.
pub(super) const CLOSEST_TIMER: SignedDuration = SignedDuration::from_secs(1);

/// An item's derivation as it is kept in [`StoredItem::derived`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    derived: Derived,
    /// The forge shows it, or an effect that will was queued.
    written: bool,
    /// Short hash of the status comment that was last queued; empty: none was.
    #[serde(default)]
    board: String,
    /// The label that shows the phase.
    #[serde(default)]
    label: Option<String>,
    /// Labels that we put there at some time and that may still be on.
    #[serde(default)]
    put: BTreeSet<String>,
}

/// Whether effects may be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// In the name of this installation.
    As(InstallationId),
    /// Not at all, and why.
    No(&'static str),
}

impl Writes {
    /// What may be written under a policy, in a place.
    pub(crate) fn allowed(dry_run: bool, policy: &Policy, installation: Option<InstallationId>) -> Self {
        match installation {
            _ if dry_run => Self::No("dry run"),
            _ if policy.mode == Mode::Observe => Self::No("mode: observe"),
            Some(installation) => Self::As(installation),
            None => Self::No("phasebot is not installed there"),
        }
    }

    /// Why nothing may be written, if so.
    pub(crate) fn silent(self) -> Option<&'static str> {
        match self {
            Self::As(_) => None,
            Self::No(why) => Some(why),
        }
    }
}

/// Under what an item is derived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) now: Timestamp,
    pub(crate) writes: Writes,
    /// The delivery that is decided, if it is one.
    pub(crate) cause: Option<Seq>,
    /// Look again at this time, whatever is derived.
    pub(crate) again_at: Option<Timestamp>,
    /// Set every item's timer anew: the old one has fired.
    pub(crate) reset_timers: bool,
}

/// Derives `items` and adds what follows to `commit`; keeps `state` equal to
/// what the store will hold. Returns a sentence for each item that moved.
pub(crate) fn derive(
    state: &mut RepoState,
    items: &BTreeSet<ItemNumber>,
    terms: &Terms<'_>,
    commit: &mut Commit,
) -> Result<Vec<String>, serde_json::Error> {
    let mut told = Vec::new();
    for derived in decide::derive_all(&state.facts, items, terms.policy, terms.now) {
        keep(state, derived, terms, commit, &mut told)?;
    }
    Ok(told)
}

fn keep(
    state: &mut RepoState,
    derived: Derived,
    terms: &Terms<'_>,
    commit: &mut Commit,
    told: &mut Vec<String>,
) -> Result<(), serde_json::Error> {
    let item = derived.item;
    let row = state.items.get(&item);
    let kept: Option<Kept> = row.and_then(|row| serde_json::from_str(&row.derived).ok());
    let shown = kept.as_ref().map(|kept| Shown {
        phase: kept.derived.phase.clone(),
        ours: kept.derived.ours,
        written: kept.written,
        label: kept.label.clone(),
        put: kept.put.clone(),
    });
    let decided = decide::decide(&state.facts, &derived, shown.as_ref(), terms.policy);

    let silent = state.facts.items.get(&item).is_some_and(ItemFacts::is_silent);
    let writes = if silent { Writes::No("it was only read") } else { terms.writes };
    let key = format!("phase/{item}");
    let mut aside = String::new();
    let written = match (decided.effect, writes) {
        (Some(effect), Writes::As(installation)) => {
            commit.effects.push(NewEffect { key, replaces: true, installation, effect, cause: terms.cause });
            true
        }
        (Some(_), Writes::No(why)) => {
            aside = format!(" [not written: {why}]");
            commit.cancel_effects.push(key);
            false
        }
        (None, _) => {
            if decided.withdraw {
                commit.cancel_effects.push(key);
            }
            shown.is_none_or(|s| s.written)
        }
    };
    let board = show_board(&state.facts, &derived, kept.as_ref(), terms, commit);
    if !decided.note.is_empty() {
        told.push(format!("{}{aside}", decided.note));
    }

    set_timer(&derived, kept.as_ref(), terms, commit);
    let history_changed = kept.as_ref().is_none_or(|k| k.derived.history != derived.history);
    let (phase, since, history) = (derived.phase.clone(), derived.since, derived.history.clone());
    let label = match derived.phase.as_deref() {
        Some(phase) => terms.policy.phase_index(phase).map(|index| terms.policy.phases[index].label.clone()),
        // What is left alone keeps what it carries.
        None if !derived.ours => kept.as_ref().and_then(|kept| kept.label.clone()),
        None => None,
    };
    let on = state.facts.item_labels(item);
    let was = kept.iter().flat_map(|kept| kept.put.iter().chain(kept.label.iter().filter(|_| kept.written)));
    let may_be_on = was.filter(|put| on.is_none_or(|on| on.iter().any(|l| l.eq_ignore_ascii_case(put))));
    let put = may_be_on.chain(label.iter().filter(|_| written)).cloned().collect();
    let now_kept = Kept { derived, written, board, label, put };
    if kept.as_ref() != Some(&now_kept) {
        let row = StoredItem { item, phase, since, derived: serde_json::to_string(&now_kept)? };
        state.items.insert(item, row.clone());
        commit.items.push(row);
        if history_changed {
            commit.histories.push((item, history));
        }
    }
    Ok(())
}

/// Queues the item's status comment where it says something new.
fn show_board(
    facts: &RepoFacts,
    derived: &Derived,
    kept: Option<&Kept>,
    terms: &Terms<'_>,
    commit: &mut Commit,
) -> String {
    let shown = kept.map(|kept| kept.board.clone()).unwrap_or_default();
    let Writes::As(installation) = terms.writes else { return shown };
    let Some(body) = board::render(facts, derived, terms.policy, terms.now) else { return shown };
    let hash: String = hex::encode(Sha256::digest(&body)).chars().take(16).collect();
    if hash != shown {
        let item = derived.item;
        let effect = Effect::UpsertComment { item, marker: "status".to_owned(), body, sticky: true };
        commit.effects.push(NewEffect {
            key: format!("board/{item}"),
            replaces: true,
            installation,
            effect,
            cause: terms.cause,
        });
    }
    hash
}

fn set_timer(derived: &Derived, kept: Option<&Kept>, terms: &Terms<'_>, commit: &mut Commit) {
    let before = kept.and_then(|k| k.derived.wake_at);
    if before == derived.wake_at && terms.again_at.is_none() && !terms.reset_timers {
        return;
    }
    let wake = [derived.wake_at, terms.again_at].into_iter().flatten().min();
    let wake = wake.map(|at| at.max(after(terms.now, CLOSEST_TIMER)));
    commit.timers.push((derived.item, wake));
}

/// The row of an item whose phase turned out not to be shown; `None` if that is known.
pub(crate) fn unwritten(row: &StoredItem) -> Option<StoredItem> {
    let mut kept: Kept = serde_json::from_str(&row.derived).ok().filter(|kept: &Kept| kept.written)?;
    kept.written = false;
    Some(StoredItem { derived: serde_json::to_string(&kept).ok()?, ..row.clone() })
}

/// The documents under changed keys, as they are now.
pub(crate) fn documents(state: &RepoState, changed: &BTreeSet<DocumentKey>) -> Vec<Document> {
    changed.iter().map(|key| Document { key: key.to_string(), body: state.facts.document(key) }).collect()
}

/// One note from several sentences: bounded, and without control characters,
/// since titles and branch names in it are other people's words.
pub(crate) fn note(sentences: &[String]) -> String {
    let told = sentences.iter().filter(|s| !s.is_empty());
    let mut text = told.clone().take(MOVES_TOLD).cloned().collect::<Vec<_>>().join("; ");
    let more = told.count().saturating_sub(MOVES_TOLD);
    if more > 0 {
        text = format!("{text}; and {more} more");
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_NOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_bounded_and_one_line() {
        let sentences: Vec<String> = (0..600).map(|n| format!("#{n}\nplan\u{7}")).collect();
        let note = note(&sentences);
        assert!(note.ends_with("and 580 more"), "{note}");
        assert!(!note.chars().any(char::is_control));
    }
}
