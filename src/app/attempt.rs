//! One attempt at one effect, and what is made of its outcome.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use tracing::Instrument;

use super::{
    clock::after, commands, crash::crash_point, draft, limits::Tenant, place, shell::Shell, worker::panic_text,
};
use crate::{
    decide::{
        self,
        advance::{self, Outcome},
        command::run::Terms,
    },
    domain::{
        effect::{Effect, Repeat},
        fact::DocumentKey,
        id::ItemNumber,
    },
    metric,
    port::{
        forge::{Applied, ApplyContext, Cost, Forge, ForgeError, Target},
        store::{Commit, EffectEnd, StoreError, StoredEffect},
    },
};

/// Patience with the forge; beyond it, whether the effect was done is in doubt.
const PATIENCE: Duration = Duration::from_secs(30);
/// First and longest ceiling of the random wait between attempts.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(2);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);
/// A doubt is looked into no sooner: lists lag behind what was made.
const DOUBT_WAIT: SignedDuration = SignedDuration::from_secs(10);
/// An effect is given up when it has waited this long.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// A forge may answer 404 for something it has just made: believed from the third time on.
const EARLY_NOT_FOUND: u32 = 2;
/// Waits between tries to note an outcome.
const NOTE_FIRST_WAIT: Duration = Duration::from_millis(50);
const NOTE_LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How an attempt ended, for the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Its outcome is in the store.
    Noted,
    /// Nothing was sent: the store failed before.
    StoreFailed,
}

/// Tries an effect once. Its cost was reserved by the outbox.
pub(crate) async fn run(shell: &Shell, effect: StoredEffect, reserved: Cost) -> Attempt {
    let delivery = shell.causes.delivery_id(shell.store.as_ref(), effect.cause).await;
    let span = tracing::info_span!(
        "effect",
        id = effect.id,
        kind = effect.effect.kind(),
        repo = %effect.repo,
        key = %effect.key,
        delivery
    );
    async {
        match AssertUnwindSafe(try_once(shell, &effect, reserved)).catch_unwind().await {
            Ok(Ok(())) => Attempt::Noted,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the effect was not sent: the store failed");
                Attempt::StoreFailed
            }
            Err(panic) => {
                let error = ForgeError::Doubt(format!("panicked: {}", panic_text(panic.as_ref())));
                let end = verdict(&effect, &error, true, shell.clock.now());
                if let EffectEnd::Dead { error, .. } | EffectEnd::Dropped { reason: error, .. } = &end {
                    conclude(shell, &effect, Outcome::Failed(error)).await;
                }
                note(shell, &effect, end, None).await;
                Attempt::Noted
            }
        }
    }
    .instrument(span)
    .await
}

async fn try_once(shell: &Shell, effect: &StoredEffect, reserved: Cost) -> Result<(), StoreError> {
    let tenant = (effect.repo.forge.clone(), effect.installation);
    let give_back = |cost: Cost| shell.limits.give_back(&tenant, cost, shell.clock.now());
    let in_doubt = match shell.doubts.about(effect, shell.store.as_ref(), shell.clock.now()).await {
        Ok(in_doubt) => in_doubt,
        Err(error) => {
            give_back(reserved);
            return Err(error);
        }
    };

    let (target, mut context, stands) = match aim(shell, effect, in_doubt).await {
        Ok((Some(target), context, stands)) => (target, context, stands),
        Ok((None, ..)) => {
            give_back(reserved);
            let reason = "phasebot may not act there any more".to_owned();
            conclude(shell, effect, Outcome::Failed(&reason)).await;
            note(shell, effect, EffectEnd::Dropped { reason, at: shell.clock.now() }, None).await;
            return Ok(());
        }
        Err(error) => {
            give_back(reserved);
            return Err(error);
        }
    };
    let Some(forge) = shell.forge(&effect.repo.forge) else { return Ok(()) };
    let repeat = effect.effect.repeat();
    match stands {
        // What may have been made already is looked for, and not made.
        Err(_) if in_doubt && repeat != Repeat::Natural => context.look_only = true,
        Err(why) => {
            give_back(reserved);
            conclude(shell, effect, Outcome::Withheld(&why)).await;
            let reason = draft::note(&[why]);
            note(shell, effect, EffectEnd::Dropped { reason, at: shell.clock.now() }, None).await;
            return Ok(());
        }
        Ok(()) => {}
    }
    let cost = forge.cost(&effect.effect, &context);
    give_back(Cost {
        writes: reserved.writes.saturating_sub(cost.writes),
        creates: reserved.creates.saturating_sub(cost.creates),
    });

    let live = match repeat {
        Repeat::Natural => shell.store.is_live(effect.id, effect.version).await?,
        _ => shell.store.mark_sending(effect.id, effect.version).await?,
    };
    if !live {
        give_back(cost);
        return Ok(()); // a decision replaced it or took it back meanwhile
    }
    crash_point("effect_marked");
    crash_point("effect_unsent");
    let outcome = send(forge.as_ref(), &target, effect, &context).await;
    crash_point("effect_sent");
    let now = shell.clock.now();
    match outcome {
        Ok(applied) => {
            let outcome =
                Outcome::Done { told: applied.told.as_ref(), made: applied.made.as_deref(), issue: applied.issue };
            conclude(shell, effect, outcome).await;
            let made = applied.made.clone().unwrap_or_default();
            note(shell, effect, EffectEnd::Done { note: made, at: now }, Some(&applied)).await;
        }
        Err(error) => {
            let error = park(shell, &tenant, error, now);
            let end = verdict(effect, &error, in_doubt, now);
            if let EffectEnd::Dead { error, .. } | EffectEnd::Dropped { reason: error, .. } = &end {
                conclude(shell, effect, Outcome::Failed(error)).await;
            }
            note(shell, effect, end, None).await;
        }
    }
    crash_point("result_committed");
    Ok(())
}

/// Where to send it and what is known there. The repository is not held while sending.
async fn aim(
    shell: &Shell,
    effect: &StoredEffect,
    in_doubt: bool,
) -> Result<(Option<Target>, ApplyContext, Result<(), String>), StoreError> {
    let mut held = shell.repos.hold(&effect.repo).await;
    let state = held.take(shell.store.as_ref()).await?;
    let item_labels = match &effect.effect {
        Effect::SetPhase { item, .. } | Effect::SetLabels { item, .. } => state.facts.item_labels(*item).cloned(),
        _ => None,
    };
    let issue = match &effect.effect {
        Effect::UpsertIssue { .. } => state.facts.policy_files.complaint.as_ref().and_then(|c| c.issue),
        _ => None,
    };
    let context = ApplyContext {
        item_labels,
        repo_labels: state.facts.known_labels().clone(),
        issue,
        in_doubt,
        look_only: false,
    };
    let target = state.row.as_ref().and_then(place::target);
    // What was decided a while ago may not be wanted by what is known now.
    let policy = shell.policies.policy(&effect.repo, &state.facts.policy_files);
    let terms = Terms { policy: &policy, alerts: &shell.alerts.rules, now: shell.clock.now(), silent: None };
    let stands = advance::stands(&state.facts, &effect.effect, &terms);
    held.put(state);
    Ok((target, context, stands))
}

async fn send(
    forge: &dyn Forge,
    target: &Target,
    effect: &StoredEffect,
    context: &ApplyContext,
) -> Result<Applied, ForgeError> {
    let started = std::time::Instant::now();
    let outcome = tokio::time::timeout(PATIENCE, forge.apply(target, &effect.effect, context)).await;
    metrics::histogram!(metric::EFFECT_SECONDS, "kind" => effect.effect.kind()).record(started.elapsed());
    outcome.unwrap_or_else(|_| Err(ForgeError::Doubt(format!("no answer within {} s", PATIENCE.as_secs()))))
}

/// A rate limit parks the whole installation.
fn park(shell: &Shell, tenant: &Tenant, error: ForgeError, now: Timestamp) -> ForgeError {
    let ForgeError::RateLimited { until } = error else { return error };
    let until = shell.limits.park(tenant, until, now);
    metrics::counter!(metric::PARKED, "forge" => tenant.0.to_string()).increment(1);
    tracing::warn!(installation = tenant.1, %until, "rate limited: the installation is parked");
    ForgeError::RateLimited { until }
}

/// What a failed attempt comes to. `in_doubt`: an earlier one may have gone through.
fn verdict(effect: &StoredEffect, failure: &ForgeError, in_doubt: bool, now: Timestamp) -> EffectEnd {
    let error = draft::note(&[failure.to_string()]);
    let repeat = effect.effect.repeat();
    let retry = |not_before: Timestamp, in_doubt: bool, counts: bool| EffectEnd::Retry {
        not_before,
        error: error.clone(),
        in_doubt: in_doubt && repeat != Repeat::Natural,
        counts,
    };
    let wait = |attempts: u32| after(now, jitter(attempts));
    match failure {
        ForgeError::RateLimited { until } => retry(*until, in_doubt, false),
        ForgeError::Permanent(_) if effect.effect.is_courtesy() => EffectEnd::Dropped { reason: error, at: now },
        ForgeError::Permanent(_) => EffectEnd::Dead { error, at: now },
        ForgeError::NotFound(_) if effect.attempts < EARLY_NOT_FOUND => {
            retry(after(now, FIRST_WAIT * (1 << effect.attempts)), in_doubt, true)
        }
        ForgeError::NotFound(_) => EffectEnd::Dropped { reason: error, at: now },
        ForgeError::Doubt(_) if repeat == Repeat::Unverifiable => EffectEnd::Dead { error, at: now },
        _ if now.duration_since(effect.created_at) >= LONGEST_LIFE => {
            EffectEnd::Dead { error: format!("given up after 24 hours: {error}"), at: now }
        }
        ForgeError::Doubt(_) if repeat == Repeat::MarkedCreate => {
            retry(wait(effect.attempts).max(after(now, DOUBT_WAIT)), true, true)
        }
        ForgeError::Doubt(_) | ForgeError::Transient(_) => retry(wait(effect.attempts), in_doubt, true),
    }
}

/// A random wait below a ceiling that doubles with each attempt («full jitter»).
fn jitter(attempts: u32) -> SignedDuration {
    let ceiling = FIRST_WAIT.as_millis() << attempts.min(10);
    let ceiling = i64::try_from(ceiling).unwrap_or(i64::MAX).min(LONGEST_WAIT.as_secs() * 1000);
    SignedDuration::from_millis(rand::rng().random_range(1..=ceiling))
}

/// Tells what waits for an effect how it went, as patiently as [`note`].
async fn conclude(shell: &Shell, effect: &StoredEffect, outcome: Outcome<'_>) {
    let mut wait = NOTE_FIRST_WAIT;
    while let Err(error) = commands::ended(shell, effect, outcome).await {
        tracing::warn!(%error, "an awaited outcome can't be noted");
        if !matches!(error, StoreError::Unavailable(_)) {
            return;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(NOTE_LONGEST_WAIT);
    }
}

/// Notes an outcome with what it taught. What was sent can't be unsent, so
/// this goes on until the store takes it; a crash meanwhile leaves an effect
/// that is repeated harmlessly, looked up by its marker, or given up.
async fn note(shell: &Shell, effect: &StoredEffect, end: EffectEnd, mut applied: Option<&Applied>) {
    let mut wait = NOTE_FIRST_WAIT;
    while let Err(error) = note_once(shell, effect, end.clone(), applied).await {
        tracing::warn!(%error, "an effect's outcome can't be noted and is tried again");
        if !matches!(error, StoreError::Unavailable(_)) {
            // The repository's facts can't be read or kept: the outcome alone still can.
            applied = None;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(NOTE_LONGEST_WAIT);
    }
    told(effect, &end);
}

async fn note_once(
    shell: &Shell,
    effect: &StoredEffect,
    end: EffectEnd,
    applied: Option<&Applied>,
) -> Result<(), StoreError> {
    let Some(applied) = applied else {
        if let (Effect::SetPhase { item, .. }, EffectEnd::Dead { .. } | EffectEnd::Dropped { .. }) =
            (&effect.effect, &end)
        {
            unwritten(shell, effect, *item).await?;
        }
        return shell.store.finish_effect(effect.id, effect.version, end, &effect.repo, Vec::new()).await;
    };
    let mut held = shell.repos.hold(&effect.repo).await;
    let mut state = held.take(shell.store.as_ref()).await?;
    let labels = applied.labels.as_ref().map(|(item, names)| (*item, names));
    let mut changed = decide::applied(&mut state.facts, labels, &applied.made_labels, shell.clock.now());
    if let (Effect::UpsertIssue { .. }, Some(number)) = (&effect.effect, applied.issue)
        && let Some(complaint) = state.facts.policy_files.complaint.as_mut()
    {
        complaint.issue = Some(number);
        changed.insert(DocumentKey::Policy);
    }
    let documents = draft::documents(&state, &changed);
    if let (Some(name), Some(row)) = (&applied.renamed_to, &mut state.row)
        && row.full_name != *name
    {
        row.full_name.clone_from(name);
        let commit = Commit {
            repo: Some(effect.repo.clone()),
            now: Some(shell.clock.now()),
            repositories: vec![row.clone()],
            ..Commit::default()
        };
        shell.store.commit(commit).await?;
    }
    shell.store.finish_effect(effect.id, effect.version, end, &effect.repo, documents).await?;
    held.put(state);
    Ok(())
}

/// Notes that an item does not show its phase: the next look at it tries again.
async fn unwritten(shell: &Shell, effect: &StoredEffect, item: ItemNumber) -> Result<(), StoreError> {
    let mut held = shell.repos.hold(&effect.repo).await;
    let mut state = held.take(shell.store.as_ref()).await?;
    if let Some(row) = state.items.get(&item).and_then(draft::unwritten) {
        let (repo, now) = (Some(effect.repo.clone()), Some(shell.clock.now()));
        shell.store.commit(Commit { repo, now, items: vec![row.clone()], ..Commit::default() }).await?;
        state.items.insert(item, row);
    }
    held.put(state);
    Ok(())
}

fn told(effect: &StoredEffect, end: &EffectEnd) {
    let attempt = effect.attempts + 1;
    let outcome = match end {
        EffectEnd::Done { .. } => "done",
        EffectEnd::Retry { counts: false, .. } => "parked",
        EffectEnd::Retry { .. } => "retry",
        EffectEnd::Dead { .. } => "dead",
        EffectEnd::Dropped { .. } => "dropped",
    };
    metrics::counter!(metric::EFFECTS, "kind" => effect.effect.kind(), "outcome" => outcome).increment(1);
    match end {
        EffectEnd::Done { note, at } => {
            let waited = at.duration_since(effect.created_at).as_secs_f64().max(0.0);
            metrics::histogram!(metric::EFFECT_WAIT_SECONDS).record(waited);
            tracing::info!(outcome, attempt, note, "effect done");
        }
        EffectEnd::Retry { not_before, error, .. } => {
            tracing::warn!(outcome, attempt, error, %not_before, "effect not done, tried again");
        }
        EffectEnd::Dead { error, .. } => tracing::error!(outcome, attempt, error, "effect given up"),
        EffectEnd::Dropped { reason, .. } => tracing::info!(outcome, attempt, reason, "effect dropped"),
    }
}
