//! From changed facts to a commit, for deliveries and timers alike.

use std::collections::BTreeSet;

use super::{
    ask::{GO_ON_AFTER, Inquiry, ask},
    clock::after,
    commands,
    crash::crash_point,
    draft::{self, CLOSEST_TIMER, Terms, Writes},
    place,
    repos::{Held, RepoState},
    shell::Shell,
};
use crate::{
    decide::{
        self,
        advance::{self, Advanced},
        command::run,
    },
    domain::{
        fact::DocumentKey,
        id::{ItemNumber, RepoKey},
        policy::Policy,
    },
    port::store::{Commit, RepositoryRow, Seq, StoreError},
};

/// The timer of what concerns a repository as a whole: incidents, gates,
/// deploys. No forge numbers an item so.
pub(crate) const WATCH_TIMER: ItemNumber = (ItemNumber::MAX >> 1) - 1;

/// Why something was not decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing is wrong with it: try again later, as often as it takes.
    NotNow(String),
    /// It fails by itself: counts as an attempt.
    Fault(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let passes = matches!(error, StoreError::Unavailable(_) | StoreError::LeaseLost(_));
        let why = error.to_string();
        if passes { Self::NotNow(why) } else { Self::Fault(why) }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Fault(format!("what was derived can't be written down: {error}"))
    }
}

/// What is to be decided.
pub(crate) struct Scope<'a> {
    pub(crate) repo: &'a RepoKey,
    /// Where the repository is, if known.
    pub(crate) place: Option<&'a RepositoryRow>,
    pub(crate) policy: &'a Policy,
    /// Items to derive again.
    pub(crate) items: BTreeSet<ItemNumber>,
    /// Documents that changed already.
    pub(crate) changed: BTreeSet<DocumentKey>,
    /// The delivery that is decided; `None`: timers of all `items` fired.
    pub(crate) cause: Option<Seq>,
    /// Its id.
    pub(crate) delivery: Option<&'a str>,
    /// Commands ran: somebody waits for what comes of them.
    pub(crate) urgent: bool,
}

/// Asks for facts that are missing, derives, and drafts the commit. Returns it
/// with a sentence for each item that moved.
pub(crate) async fn reach(
    shell: &Shell,
    state: &mut RepoState,
    scope: Scope<'_>,
) -> Result<(Commit, Vec<String>), Failure> {
    let Scope { repo, place, policy, mut items, mut changed, cause, delivery, urgent } = scope;
    let target = place.and_then(place::target);
    let forge = shell.forge(&repo.forge).filter(|_| target.is_some());
    let may_ask = forge.is_some();
    let again_at = match (&target, forge) {
        (Some(target), Some(forge)) => {
            let (items, changed) = (&mut items, &mut changed);
            let inquiry = Inquiry { facts: &mut state.facts, items, changed, policy, own: delivery, urgent };
            ask(shell, forge.as_ref(), target, inquiry).await
        }
        _ => None,
    };
    let now = shell.clock.now();
    let writes = Writes::allowed(shell.settings.dry_run, policy, target.map(|t| t.installation));
    let mut commit = Commit { repo: Some(repo.clone()), now: Some(now), ..Commit::default() };
    let silent = writes.silent();
    let alerts = &shell.alerts.rules;
    let mut advanced = advance::advance(&mut state.facts, &run::Terms { policy, alerts, now, silent });
    // What could not be asked now is asked for the repository's sake, too; and
    // what was only now begun may want to know more.
    advanced.wake(again_at);
    if may_ask && again_at.is_none() && !decide::needs(&state.facts, &BTreeSet::new(), policy, now).is_empty() {
        advanced.wake(Some(after(now, GO_ON_AFTER)));
    }
    items.append(&mut advanced.items);
    changed.append(&mut advanced.changed);
    let mut told = Vec::new();
    told.append(&mut advanced.told);
    follow(state, advanced, writes, cause, &mut commit);
    let terms = Terms { policy, now, writes, cause, again_at, reset_timers: cause.is_none() };
    told.extend(draft::derive(state, &items, &terms, &mut commit)?);
    commit.facts = draft::documents(state, &changed);
    Ok((commit, told))
}

/// Adds what follows for the repository as a whole to a commit.
pub(crate) fn follow(
    state: &mut RepoState,
    advanced: Advanced,
    writes: Writes,
    cause: Option<Seq>,
    commit: &mut Commit,
) {
    commands::queue(advanced.wishes, writes, cause, commit);
    commit.cancel_effects.extend(advanced.cancel);
    // What turns «now» must not keep the repository busy.
    let soonest = commit.now.map(|now| after(now, CLOSEST_TIMER));
    let wake_at = advanced.wake_at.map(|at| soonest.map_or(at, |soonest| at.max(soonest)));
    if state.wake_at != wake_at {
        state.wake_at = wake_at;
        commit.timers.push((WATCH_TIMER, wake_at));
    }
}

/// Commits, puts the state back, and wakes the loops that have work now.
pub(crate) async fn keep(shell: &Shell, mut held: Held, state: RepoState, mut commit: Commit) -> Result<(), Failure> {
    commit.under.extend(held.lease());
    let (effects, timers) = (!commit.effects.is_empty(), !commit.timers.is_empty());
    let places = !commit.repositories.is_empty();
    crash_point("decision_uncommitted");
    shell.commit(commit).await?;
    crash_point("decision_committed");
    held.put(state);
    drop(held);
    if places {
        // Alerts may have waited for a repository of this name.
        shell.inbox.poke();
    }
    if effects {
        shell.outbox.poke();
    }
    if timers {
        shell.timers.poke();
    }
    Ok(())
}
