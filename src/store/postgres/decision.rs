//! Stores a decision as a whole, and only under the leases that it was made under.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    domain::id::RepoKey,
    port::store::{
        Commit, DeliveryState, Document, EffectEnd, EffectId, Lease, LeaseKey, NoticeId, NoticeStep, Seq, StoreError,
    },
    store::postgres::{
        db::{Db, Step, Work, patiently, pipeline},
        ingest, insight, lease, notice, outbox, repo, timer,
        value::{args, bits, millis, number, text},
    },
};

/// Stores everything in `commit`, or nothing.
pub(super) async fn keep(db: &Db, commit: &Commit, replica: i64) -> Result<(), StoreError> {
    let mut work = db.work().await?;
    patiently(async {
        let mut steps = begin(&work, &commit.under, replica);
        let own = steps.len();
        steps.extend(written(&work, commit)?);
        let ends = steps.len();
        for (seq, state, note) in &commit.deliveries {
            steps.push(end_delivery(&work, *seq, *state, note, moment(commit)?));
        }
        if let Some(repo) = commit.repo.as_ref().filter(|_| commit.changes_data()) {
            steps.push(repo::raise_version(&work, repo));
        }
        let touched = pipeline(steps).await?;
        still_ours(&commit.under, touched.get(own - 1).copied())?;
        for (place, (seq, ..)) in commit.deliveries.iter().enumerate() {
            if touched.get(ends + place) == Some(&0) {
                must_be_there(&work, *seq).await?;
            }
        }
        work.plain("COMMIT").await?;
        Ok(())
    })
    .await
    .inspect(|()| work.end())
}

/// Marks an effect as about to be sent.
pub(super) async fn mark_sending(
    db: &Db,
    (id, version): (EffectId, u64),
    under: &[Lease],
    replica: i64,
) -> Result<bool, StoreError> {
    let mut work = db.work().await?;
    patiently(async {
        let mut steps = begin(&work, under, replica);
        let own = steps.len();
        steps.push(outbox::mark_sending(&work, id, version));
        let touched = pipeline(steps).await?;
        still_ours(under, touched.get(own - 1).copied())?;
        work.plain("COMMIT").await?;
        Ok(touched.last().is_some_and(|rows| *rows > 0))
    })
    .await
    .inspect(|_| work.end())
}

/// Marks a notice as about to be sent.
pub(super) async fn mark_notice(
    db: &Db,
    (id, version): (NoticeId, u64),
    step: NoticeStep,
    under: &[Lease],
    replica: i64,
) -> Result<bool, StoreError> {
    let mut work = db.work().await?;
    patiently(async {
        let mut steps = begin(&work, under, replica);
        let own = steps.len();
        steps.push(notice::mark(&work, id, version, step));
        let touched = pipeline(steps).await?;
        still_ours(under, touched.get(own - 1).copied())?;
        work.plain("COMMIT").await?;
        Ok(touched.last().is_some_and(|rows| *rows > 0))
    })
    .await
    .inspect(|_| work.end())
}

/// Ends or postpones an attempt, and stores the facts learnt from it.
pub(super) async fn finish(
    db: &Db,
    (id, version): (EffectId, u64),
    end: &EffectEnd,
    (repo, facts): (&RepoKey, &[Document]),
    under: &[Lease],
    replica: i64,
) -> Result<(), StoreError> {
    let mut work = db.work().await?;
    patiently(async {
        let mut steps = begin(&work, under, replica);
        let own = steps.len();
        if !facts.is_empty() {
            steps.extend(void_unless_held(&work, repo, under));
            steps.extend(repo::keep_facts(&work, repo, facts));
        }
        steps.push(outbox::end_attempt(&work, id, version, end));
        if !matches!(end, EffectEnd::Retry { in_doubt: true, .. }) {
            steps.push(outbox::leave_queued(&work, id, version));
        }
        if !facts.is_empty() {
            steps.push(repo::raise_version(&work, repo));
        }
        let touched = pipeline(steps).await?;
        still_ours(under, touched.get(own - 1).copied())?;
        work.plain("COMMIT").await?;
        Ok(())
    })
    .await
    .inspect(|()| work.end())
}

/// Returns the first steps of a transaction; the last step counts the leases that still hold.
fn begin<'a>(work: &'a Work, under: &'a [Lease], replica: i64) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = vec![Box::pin(work.begin())];
    if !under.is_empty() {
        steps.push(lease::hold(work, under, replica));
    }
    steps
}

fn still_ours(under: &[Lease], held: Option<u64>) -> Result<(), StoreError> {
    if under.is_empty() || held == Some(under.len() as u64) {
        return Ok(());
    }
    Err(StoreError::LeaseLost("what was read is not the newest any more".to_owned()))
}

/// Returns the steps that write a decision, except the ends of its deliveries.
fn written<'a>(work: &'a Work, commit: &'a Commit) -> Result<Vec<Step<'a>>, StoreError> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    if !commit.repositories.is_empty() {
        let places: BTreeSet<&RepoKey> = commit.repositories.iter().map(|row| &row.repo).collect();
        steps.extend(places.into_iter().filter_map(|repo| void_unless_held(work, repo, &commit.under)));
        // An alert that arrives meanwhile either finds the name or is found by it.
        steps.push(ingest::lock(work));
        steps.push(repo::keep_repositories(work, &commit.repositories));
        steps.extend(repo::keep_names(work, &commit.repositories));
    }
    let Some(key) = repository(commit)? else { return Ok(steps) };
    if !(commit.facts.is_empty() && commit.items.is_empty()) {
        steps.extend(void_unless_held(work, key, &commit.under));
    }
    steps.extend(repo::keep_facts(work, key, &commit.facts));
    if !commit.items.is_empty() {
        steps.push(repo::keep_items(work, key, &commit.items));
    }
    for (item, history) in &commit.histories {
        steps.extend(repo::keep_history(work, key, *item, history)?);
    }
    steps.extend(insight::keep(work, key, &commit.insight));
    if !commit.cancel_effects.is_empty() {
        steps.push(outbox::cancel(work, key, &commit.cancel_effects, moment(commit)?));
    }
    for effect in &commit.effects {
        steps.push(outbox::queue(work, key, effect, moment(commit)?)?);
    }
    for new in &commit.notices {
        steps.push(notice::queue(work, key, new, moment(commit)?)?);
    }
    steps.extend(timer::set(work, key, &commit.timers));
    Ok(steps)
}

/// Returns the repository decided on, if anything of a repository is written.
fn repository(commit: &Commit) -> Result<Option<&RepoKey>, StoreError> {
    let nothing = commit.facts.is_empty()
        && commit.items.is_empty()
        && commit.histories.is_empty()
        && commit.insight.is_empty()
        && commit.effects.is_empty()
        && commit.cancel_effects.is_empty()
        && commit.notices.is_empty()
        && commit.timers.is_empty();
    match &commit.repo {
        _ if nothing => Ok(None),
        Some(repo) => Ok(Some(repo)),
        None => Err(invalid("a decision on items names no repository")),
    }
}

/// Invalidates what others read if facts are written without the repository's lease.
fn void_unless_held<'a>(work: &'a Work, repo: &'a RepoKey, under: &[Lease]) -> Option<Step<'a>> {
    let key = LeaseKey::of(repo);
    let void = async move { work.run(lease::VOID, args![text(&repo.forge.0), bits(repo.id)]).await };
    (!under.iter().any(|lease| lease.key == key)).then(|| -> Step<'a> { Box::pin(void) })
}

fn moment(commit: &Commit) -> Result<Timestamp, StoreError> {
    commit.now.ok_or_else(|| invalid("a decision on deliveries or effects has no time"))
}

pub(super) const END_DELIVERY: &str = "
    UPDATE delivery SET state = $2, note = $3, attempts = attempts + 1, decided_at = $4
    WHERE seq = $1 AND state = 'pending'";

/// Stores the outcome of a delivery. Changes no row if an operator ended it meanwhile.
fn end_delivery<'a>(work: &'a Work, seq: Seq, state: DeliveryState, note: &'a str, now: Timestamp) -> Step<'a> {
    let decided_at = (state != DeliveryState::Pending).then_some(millis(now));
    Box::pin(async move { work.run(END_DELIVERY, args![number(seq), state.as_str(), text(note), decided_at]).await })
}

async fn must_be_there(work: &Work, seq: Seq) -> Result<(), StoreError> {
    let there = work.rows("SELECT 1 FROM delivery WHERE seq = $1", args![number(seq)]).await?;
    if there.is_empty() { Err(invalid("a decision ends a delivery that is not there")) } else { Ok(()) }
}

fn invalid(why: &str) -> StoreError {
    StoreError::Invalid(why.to_owned())
}
