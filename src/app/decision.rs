//! Turns ingested facts into a commit, for deliveries and timers alike.

use crate::{
    app::{
        ask::Inquiry,
        binding,
        commit::{Writes, commit_of},
        crash::crash_point,
        repos::{Held, RepoState},
        runtime::Runtime,
    },
    domain::policy::Policy,
    engine::{Asking, Context, Input, Step},
    metric,
    plan::DecisionContext,
    port::store::{Commit, RepositoryRow, Seq, StoreError},
};

/// Reason why something was not decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A temporary condition: try again later, without counting attempts.
    NotNow(String),
    /// A fault of the item itself: counts as an attempt.
    Fault(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let passes = matches!(error, StoreError::Unavailable(_) | StoreError::LeaseLost(_));
        let why = error.to_string();
        if passes { Self::NotNow(why) } else { Self::Fault(why) }
    }
}

/// Circumstances of a decision.
pub(crate) struct Scope<'a> {
    /// Binding of the repository, if known.
    pub(crate) place: Option<&'a RepositoryRow>,
    pub(crate) policy: &'a Policy,
    /// The delivery that is decided; `None`: timers fired.
    pub(crate) cause: Option<Seq>,
    /// The delivery's id.
    pub(crate) delivery: Option<&'a str>,
}

/// A decision to be stored.
pub(crate) struct Decided {
    pub(crate) commit: Commit,
    /// Permission to queue effects.
    pub(crate) writes: Writes,
    /// One sentence for each command, and for each item that moved.
    pub(crate) notes: Vec<String>,
}

/// Decides on ingested facts: asks the forge for missing facts as far as possible now.
pub(crate) async fn reach(runtime: &Runtime, state: &mut RepoState, scope: Scope<'_>) -> Decided {
    let Scope { place, policy, cause, delivery } = scope;
    let target = place.and_then(binding::target);
    let forge = runtime.forge(&state.repo.facts.key.forge).filter(|_| target.is_some());
    let mut inquiry = forge.zip(target.as_ref()).map(|(forge, target)| {
        let urgent = state.repo.is_urgent();
        Inquiry::new(runtime, forge.as_ref(), target, delivery, urgent)
    });
    let writes = Writes::allowed(runtime.settings.dry_run, policy, target.as_ref().map(|target| target.installation));
    let mut asking = if inquiry.is_some() { Asking::First } else { Asking::Never };
    let mut plan = loop {
        let terms = DecisionContext {
            policy,
            alerts: &runtime.alerts.rules,
            now: runtime.clock.now(),
            writes_disabled: writes.silent(),
        };
        let needs = match state.repo.step(&Context { terms, asking }) {
            Step::Plan(plan) => break *plan,
            Step::Ask(needs) => needs,
        };
        let answers = match &mut inquiry {
            Some(inquiry) => inquiry.ask(needs).await,
            None => Vec::new(),
        };
        for answered in &answers {
            state.repo.ingest(Input::Answer(answered), &terms);
        }
        if let Some(inquiry) = inquiry.as_ref().filter(|inquiry| answers.is_empty() || inquiry.is_over()) {
            asking = Asking::Done(inquiry.again_at());
        }
    };
    metrics::counter!(metric::COMMANDS).increment(plan.commands as u64);
    let withheld = runtime.notices.withhold(&mut plan.notices, &state.repo.facts);
    let notes = plan.command_notes.iter().chain(&plan.notes).cloned().chain(withheld).collect();
    Decided { commit: commit_of(plan, &state.repo, writes, cause), writes, notes }
}

/// Commits, puts the state back, and wakes the loops that have work now.
pub(crate) async fn keep(
    runtime: &Runtime,
    mut held: Held,
    state: RepoState,
    mut commit: Commit,
) -> Result<(), Failure> {
    commit.under.extend(held.lease());
    let (effects, timers) = (!commit.effects.is_empty(), !commit.timers.is_empty());
    let places = !commit.repositories.is_empty();
    crash_point("decision_uncommitted");
    runtime.commit(commit).await?;
    crash_point("decision_committed");
    held.put(state);
    drop(held);
    if places {
        // Alerts may have waited for a repository of this name.
        runtime.inbox.poke();
    }
    if effects {
        runtime.outbox.poke();
    }
    if timers {
        runtime.timers.poke();
    }
    Ok(())
}

/// Stores ingested facts, to be decided when their timers fire: at once.
pub(crate) async fn put_off(
    runtime: &Runtime,
    held: &Held,
    state: &mut RepoState,
    writes: Writes,
    cause: Option<Seq>,
    terms: &DecisionContext<'_>,
) -> Result<(), StoreError> {
    let mut plan = state.repo.put_off(terms);
    for why in runtime.notices.withhold(&mut plan.notices, &state.repo.facts) {
        tracing::warn!(repo = %state.repo.facts.key, "{why}");
    }
    if plan.changed.is_empty() {
        return Ok(());
    }
    let mut commit = commit_of(plan, &state.repo, writes, cause);
    commit.under.extend(held.lease());
    runtime.commit(commit).await?;
    runtime.outbox.poke();
    runtime.timers.poke();
    Ok(())
}
