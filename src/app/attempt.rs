//! Makes one attempt at one effect and processes its outcome.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use tracing::Instrument;

use crate::{
    app::{
        binding,
        clock::after,
        commit,
        crash::crash_point,
        leases::{Tenure, while_held},
        limits::Tenant,
        outcome::{conclude, deleted, note, persevere},
        runtime::Runtime,
        worker::panic_text,
    },
    domain::effect::{Effect, Lane, RetrySafety},
    engine::recheck::recheck_before_send,
    metric,
    plan::{DecisionContext, EffectOutcome, Recheck},
    port::{
        forge::{Applied, ApplyContext, Cost, Forge, ForgeError, Target},
        store::{EffectEnd, Lease, StoreError, StoredEffect},
    },
};

/// Time-out of a request to the forge; after it the effect may or may not have been applied.
const TIMEOUT: Duration = Duration::from_secs(30);
/// First and longest ceiling of the random wait between attempts.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(2);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);
/// Shortest wait before an uncertain effect is looked up: lists lag behind creates.
const DOUBT_WAIT: SignedDuration = SignedDuration::from_secs(10);
/// Age from which an effect is given up, provided that it was also tried [`FEWEST_ATTEMPTS`]
/// times: a clock that jumps ahead ends nothing by itself.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(24);
const FEWEST_ATTEMPTS: u32 = 10;
/// Earlier attempts below which a 404 is retried: a forge may answer 404 for something it has
/// just created. The third 404 ends the effect.
const EARLY_NOT_FOUND: u32 = 2;
/// End of an attempt, as seen by the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The outcome is in the store.
    Noted,
    /// Nothing was sent because the store failed first.
    StoreFailed,
}

/// Leases of the repository and of the installation under which an attempt is made.
pub(crate) struct Leave {
    pub(crate) repository: Tenure,
    pub(crate) installation: Tenure,
}

impl Leave {
    fn leases(&self) -> [Lease; 2] {
        [self.repository.lease().clone(), self.installation.lease().clone()]
    }

    fn tenures(&self) -> [&Tenure; 2] {
        [&self.repository, &self.installation]
    }
}

/// Tries an effect once. The outbox has reserved its cost.
pub(crate) async fn run(runtime: &Runtime, effect: StoredEffect, leave: Leave, reserved: Cost) -> Attempt {
    let delivery = runtime.causes.delivery_id(runtime.store.as_ref(), effect.cause).await;
    let span = tracing::info_span!(
        "effect",
        id = effect.id,
        kind = effect.effect.kind(),
        repo = %effect.repo,
        key = %effect.key,
        delivery
    );
    async {
        let outcome = AssertUnwindSafe(try_once(runtime, &effect, &leave, reserved)).catch_unwind().await;
        let attempt = match outcome {
            Ok(Ok(())) => Attempt::Noted,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the effect was not sent: the store failed");
                Attempt::StoreFailed
            }
            Err(panic) => {
                let error = ForgeError::Doubt(format!("panicked: {}", panic_text(panic.as_ref())));
                let end = verdict(&effect, &error, true, runtime.clock.now());
                end_failed(runtime, &effect, leave.installation.lease(), end).await;
                Attempt::Noted
            }
        };
        leave.installation.give_back().await;
        attempt
    }
    .instrument(span)
    .await
}

async fn try_once(runtime: &Runtime, effect: &StoredEffect, leave: &Leave, reserved: Cost) -> Result<(), StoreError> {
    let tenant = (effect.repo.forge.clone(), effect.installation);
    let sender = leave.installation.lease();
    let give_back = |cost: Cost| runtime.limits.give_back(&tenant, cost, runtime.clock.now());
    let in_doubt = match runtime.duplicate_guard.about(effect, runtime.store.as_ref(), runtime.clock.now()).await {
        Ok(in_doubt) => in_doubt,
        Err(error) => {
            give_back(reserved);
            return Err(error);
        }
    };

    let (target, mut context, recheck) = match aim(runtime, effect, in_doubt).await {
        Ok((Some(target), context, recheck)) => (target, context, recheck),
        Ok((None, ..)) => {
            give_back(reserved);
            let reason = "phasebot may not act there any more".to_owned();
            end_failed(runtime, effect, sender, EffectEnd::Dropped { reason, at: runtime.clock.now() }).await;
            return Ok(());
        }
        Err(error) => {
            give_back(reserved);
            return Err(error);
        }
    };
    let Some(forge) = runtime.forge(&effect.repo.forge) else { return Ok(()) };
    let repeat = effect.effect.repeat();
    let (mut replaced, mut withheld) = (None, None);
    match recheck {
        Recheck::Send => {}
        Recheck::Replace(now) => replaced = Some(StoredEffect { effect: *now, ..effect.clone() }),
        // The effect may have been created already: look it up without creating it.
        Recheck::Withhold(why) if in_doubt && repeat != RetrySafety::Natural => {
            context.look_only = true;
            withheld = Some(why);
        }
        Recheck::Withhold(why) => {
            give_back(reserved);
            withhold(runtime, effect, sender, why).await;
            return Ok(());
        }
    }
    let effect = replaced.as_ref().unwrap_or(effect);
    let cost = forge.cost(&effect.effect, &context);
    give_back(Cost {
        writes: reserved.writes.saturating_sub(cost.writes),
        creates: reserved.creates.saturating_sub(cost.creates),
    });

    runtime.limits.settle(&tenant, runtime.clock.now()).await;

    // A label that is set too late is corrected later; a late approval of a release is not.
    let live = if repeat == RetrySafety::Natural && effect.lane != Lane::Safety {
        runtime.store.is_live(effect.id, effect.version).await?
    } else {
        let under = leave.leases();
        let marked = runtime.store.mark_sending(effect.id, effect.version, &under).await;
        runtime.leases.heard(&under, marked)?
    };
    if !live {
        give_back(cost);
        return Ok(()); // a decision replaced or cancelled it meanwhile
    }
    crash_point("effect_marked");
    crash_point("effect_unsent");
    let sending = send(runtime, forge.as_ref(), &target, effect, &context);
    let Some(outcome) = while_held(&leave.tenures(), sending).await else {
        // The next holder of the leases finds the effect as a crash would have left it.
        tracing::warn!("a lease ran out while the effect was being sent");
        return Ok(());
    };
    crash_point("effect_sent");
    let now = runtime.clock.now();
    match (outcome, withheld) {
        (Ok(Applied { made: None, result: None, .. }), Some(why)) => withhold(runtime, effect, sender, why).await,
        (Ok(applied), _) => {
            let outcome = EffectOutcome::Done {
                result: applied.result.as_ref(),
                made: applied.made.as_deref(),
                issue: applied.issue,
            };
            if !conclude(runtime, effect, outcome).await {
                return Ok(());
            }
            let made = applied.made.clone().unwrap_or_default();
            note(runtime, effect, sender, EffectEnd::Done { note: made, at: now }, Some(&applied)).await;
        }
        (Err(error), _) => {
            let error = park(runtime, &tenant, error, now).await;
            if let (ForgeError::Deleted(_), Some(item)) = (&error, effect.effect.item())
                && !persevere("a deleted item", Duration::ZERO, || deleted(runtime, effect, item)).await
            {
                return Ok(());
            }
            end_failed(runtime, effect, sender, verdict(effect, &error, in_doubt, now)).await;
        }
    }
    crash_point("result_committed");
    Ok(())
}

/// Returns the target, the known context and whether the effect may still be sent. Holds the
/// repository only until it returns, not while the effect is sent.
async fn aim(
    runtime: &Runtime,
    effect: &StoredEffect,
    in_doubt: bool,
) -> Result<(Option<Target>, ApplyContext, Recheck), StoreError> {
    let mut held = runtime.repos.hold(&effect.repo).await;
    let state = held.take(runtime.store.as_ref()).await?;
    let item_labels = match &effect.effect {
        Effect::SetPhase { item, .. } | Effect::SetLabels { item, .. } => state.repo.facts.item_labels(*item).cloned(),
        _ => None,
    };
    let issue = match &effect.effect {
        Effect::UpsertIssue { .. } => state.repo.facts.policy_files.complaint.as_ref().and_then(|c| c.issue),
        _ => None,
    };
    let context = ApplyContext {
        item_labels,
        // An attempt whose response was lost, by this effect or the one it replaced, may have
        // changed them.
        labels_in_doubt: effect.may_have_been_sent(),
        repo_labels: state.repo.facts.known_labels().clone(),
        issue,
        in_doubt,
        look_only: false,
    };
    let target = state.row.as_ref().and_then(binding::target);
    // The current facts may no longer call for an effect that was decided a while ago.
    let policy = runtime.policies.policy(&effect.repo, &state.repo.facts.policy_files);
    let terms = DecisionContext {
        policy: &policy,
        alerts: &runtime.alerts.rules,
        now: runtime.clock.now(),
        writes_disabled: None,
    };
    let recheck = recheck_before_send(&state.repo.facts, &effect.effect, &terms);
    held.put(state);
    Ok((target, context, recheck))
}

/// Ends an effect that is no longer wanted and was not applied, and notifies the core.
async fn withhold(runtime: &Runtime, effect: &StoredEffect, sender: &Lease, why: String) {
    if conclude(runtime, effect, EffectOutcome::Withheld(&why)).await {
        let reason = commit::note(&[why]);
        note(runtime, effect, sender, EffectEnd::Dropped { reason, at: runtime.clock.now() }, None).await;
    }
}

/// Records a failure; if it is final, first notifies the core.
async fn end_failed(runtime: &Runtime, effect: &StoredEffect, sender: &Lease, end: EffectEnd) {
    if let EffectEnd::Dead { error, .. } | EffectEnd::Dropped { reason: error, .. } = &end
        && !conclude(runtime, effect, EffectOutcome::Failed(error)).await
    {
        return;
    }
    note(runtime, effect, sender, end, None).await;
}

async fn send(
    runtime: &Runtime,
    forge: &dyn Forge,
    target: &Target,
    effect: &StoredEffect,
    context: &ApplyContext,
) -> Result<Applied, ForgeError> {
    let started = std::time::Instant::now();
    let applying = async {
        match effect.effect.database() {
            Some(name) => runtime.alerts.apply(name, &target.full_name, &effect.effect, context).await,
            None => forge.apply(target, &effect.effect, context).await,
        }
    };
    let outcome = tokio::time::timeout(TIMEOUT, applying).await;
    metrics::histogram!(metric::EFFECT_SECONDS, "kind" => effect.effect.kind()).record(started.elapsed());
    outcome.unwrap_or_else(|_| Err(ForgeError::Doubt(format!("no answer within {} s", TIMEOUT.as_secs()))))
}

/// Pauses the whole installation if the error is a rate limit; returns the error, with the time
/// until which the installation is paused.
async fn park(runtime: &Runtime, tenant: &Tenant, error: ForgeError, now: Timestamp) -> ForgeError {
    let ForgeError::RateLimited { until } = error else { return error };
    let until = runtime.limits.park(tenant, until, now).await;
    metrics::counter!(metric::PARKED, "forge" => tenant.0.to_string()).increment(1);
    tracing::warn!(installation = tenant.1, %until, "rate limited: the installation is parked");
    ForgeError::RateLimited { until }
}

/// Classifies a failed attempt as retry, dead or dropped. `in_doubt`: an earlier attempt may have
/// succeeded.
fn verdict(effect: &StoredEffect, failure: &ForgeError, in_doubt: bool, now: Timestamp) -> EffectEnd {
    let error = commit::note(&[failure.to_string()]);
    let repeat = effect.effect.repeat();
    let retry = |not_before: Timestamp, in_doubt: bool, counts: bool| EffectEnd::Retry {
        not_before,
        error: error.clone(),
        in_doubt: in_doubt && repeat != RetrySafety::Natural,
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
        ForgeError::NotFound(_) | ForgeError::Deleted(_) => EffectEnd::Dropped { reason: error, at: now },
        ForgeError::Doubt(_) if repeat == RetrySafety::Unverifiable => EffectEnd::Dead { error, at: now },
        _ if effect.attempts >= FEWEST_ATTEMPTS && now.duration_since(effect.created_at) >= LONGEST_LIFE => {
            EffectEnd::Dead { error: format!("given up after 24 hours: {error}"), at: now }
        }
        ForgeError::Doubt(_) if repeat == RetrySafety::MarkedCreate => {
            retry(wait(effect.attempts).max(after(now, DOUBT_WAIT)), true, true)
        }
        ForgeError::Doubt(_) | ForgeError::Transient(_) => retry(wait(effect.attempts), in_doubt, true),
    }
}

/// Returns a random wait below a ceiling that doubles with each attempt ("full jitter").
fn jitter(attempts: u32) -> SignedDuration {
    let ceiling = FIRST_WAIT.as_millis() << attempts.min(10);
    let ceiling = i64::try_from(ceiling).unwrap_or(i64::MAX).min(LONGEST_WAIT.as_secs() * 1000);
    SignedDuration::from_millis(rand::rng().random_range(1..=ceiling))
}
