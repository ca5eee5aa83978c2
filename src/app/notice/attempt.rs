//! One turn at one target: ends what can't be sent, and sends at most one message.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    app::{
        clock::after,
        commit,
        crash::crash_point,
        leases::{Tenure, while_held},
        notice::{
            NoticeTarget,
            pace::Pace,
            step::{self, Next},
        },
        runtime::Runtime,
    },
    domain::{
        notice::{NEWS_FOR, Notice},
        policy::Mode,
    },
    metric,
    port::{
        notify::{AfterDoubt, Content, Message, NotifyError},
        store::{Learnt, LeaseKey, NoticeEnd, NoticeOutcome, NoticeStep, StoreError, StoredNotice},
    },
};

/// First and longest wait after a failure.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(5);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(10);
/// Wait for a repository on which another process decides.
const WAIT_FOR_REPOSITORY: SignedDuration = SignedDuration::from_secs(2);
/// Attempts to store the end of a message, and the wait between them.
const TRIES: usize = 20;
const WAIT_FOR_STORE: Duration = Duration::from_millis(500);

/// End of a turn at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Something was sent or ended: look again.
    Worked,
    /// Nothing may be sent before this time.
    NotBefore(Timestamp),
}

/// A turn at a target.
struct Sending<'a> {
    runtime: &'a Runtime,
    name: &'a str,
    target: &'a NoticeTarget,
    tenure: &'a Tenure,
    pace: Pace,
    now: Timestamp,
}

/// Takes one turn at a target. `rows` are its notices that may be tried, oldest first.
pub(super) async fn turn(runtime: &Runtime, name: &str, rows: Vec<StoredNotice>) -> Result<Turn, StoreError> {
    // One process at a time: the pace is the target's, and a doubt is nobody else's sending.
    let tenure = runtime.leases.hold(LeaseKey::of_target(name)).await?;
    let turn = under_lease(runtime, name, rows, &tenure).await;
    tenure.give_back().await;
    turn
}

async fn under_lease(
    runtime: &Runtime,
    name: &str,
    rows: Vec<StoredNotice>,
    tenure: &Tenure,
) -> Result<Turn, StoreError> {
    let now = runtime.clock.now();
    let Some(target) = runtime.notices.get(name).filter(|target| !target.is_gone()) else {
        let why = match runtime.notices.get(name) {
            Some(_) => "the target wants no more messages",
            None => "the operator's settings have no such target",
        };
        for row in rows {
            end(runtime, &row, NoticeOutcome::Dropped, why, now).await?;
        }
        return Ok(Turn::Worked);
    };
    let stored = runtime.store.memo(&memo(name)).await?;
    let pace = Pace::read(stored.as_deref(), now);
    let mut sending = Sending { runtime, name, target, tenure, pace, now };
    if let Some(at) = sending.pace.wait(now) {
        return Ok(Turn::NotBefore(at));
    }
    let (ready, is_whole) = sending.ready(rows).await?;
    if ready.is_empty() {
        return Ok(if is_whole { Turn::Worked } else { Turn::NotBefore(after(now, WAIT_FOR_REPOSITORY)) });
    }
    // An edit rings no bell: it waits for no token.
    if let Some((row, step)) = ready.iter().find(|(_, step)| *step == NoticeStep::Edit) {
        return sending.one(row, *step).await;
    }
    if let Some(at) = sending.pace.wait_for_token(now) {
        if sending.pace.hold_back() {
            sending.keep_pace().await?;
        }
        return Ok(Turn::NotBefore(at));
    }
    match ready.as_slice() {
        [(row, step)] => sending.one(row, *step).await,
        [_, ..] if sending.pace.is_held_back() => sending.digest(&ready).await,
        [(row, step), ..] => sending.one(row, *step).await,
        [] => Ok(Turn::Worked),
    }
}

fn memo(name: &str) -> String {
    format!("notices/{name}")
}

/// Returns the id of a message about these notices, the same whenever it is sent again.
fn message_id(rows: &[&StoredNotice], step: NoticeStep) -> String {
    let mut hash = Sha256::new();
    for row in rows {
        let (repo, version) = (row.repo.id.to_string(), row.version.to_string());
        for part in [&row.repo.forge.0, &repo, &row.target, &row.notice.thread, &version, step.as_str()] {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    let text: String = hex::encode(hash.finalize()).chars().take(32).collect();
    format!("msg_{text}")
}

async fn end(
    runtime: &Runtime,
    row: &StoredNotice,
    outcome: NoticeOutcome,
    note: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let word = match outcome {
        NoticeOutcome::Dead => "dead",
        NoticeOutcome::Dropped => "dropped",
        NoticeOutcome::Done | NoticeOutcome::Continue | NoticeOutcome::Retry { .. } => "",
    };
    if !word.is_empty() {
        count(&row.target, word);
        tracing::warn!(repo = %row.repo, notices = row.target, thread = row.notice.thread, note, "notice {word}");
    }
    let end = NoticeEnd { outcome, learnt: Learnt::default(), note: note.to_owned(), at };
    runtime.store.finish_notice(row.id, row.version, end).await
}

fn count(target: &str, outcome: &'static str) {
    metrics::counter!(metric::NOTICES, "target" => target.to_owned(), "outcome" => outcome).increment(1);
}

impl Sending<'_> {
    /// Ends the notices that are not to be sent; returns the others, each with what to send, and false
    /// if some are left out because another process decides on their repositories.
    async fn ready(&self, rows: Vec<StoredNotice>) -> Result<(Vec<(StoredNotice, NoticeStep)>, bool), StoreError> {
        let (mut ready, mut is_whole) = (Vec::new(), true);
        for row in rows {
            match step::next(&row, self.target.notifier.abilities(), self.now) {
                Next::End(outcome, why) => end(self.runtime, &row, outcome, why, self.now).await?,
                Next::Send(step) => match self.refusal(&row).await {
                    Ok(Some(why)) => end(self.runtime, &row, NoticeOutcome::Dropped, &why, self.now).await?,
                    Ok(None) => ready.push((row, step)),
                    Err(StoreError::LeaseLost(_)) => is_whole = false,
                    Err(error) => return Err(error),
                },
            }
        }
        Ok((ready, is_whole))
    }

    /// Returns why a notice may not be sent any more: the repository may have become private, or its
    /// policy may name the target no longer.
    async fn refusal(&self, row: &StoredNotice) -> Result<Option<String>, StoreError> {
        let mut held = self.runtime.repos.hold(&row.repo).await;
        let state = held.take(self.runtime.store.as_ref()).await?;
        let policy = self.runtime.policies.policy(&row.repo, &state.repo.facts.policy_files);
        let is_named = policy.notices.iter().any(|rule| rule.to == self.name);
        let is_active = state.row.as_ref().is_some_and(|place| place.active);
        let refusal = if policy.mode == Mode::Observe {
            Some("nothing is sent in `mode: observe`".to_owned())
        } else if !is_named {
            Some("the policy sends nothing there any more".to_owned())
        } else if !is_active {
            Some("phasebot may not act there any more".to_owned())
        } else {
            self.runtime.notices.refusal_of(self.name, &state.repo.facts)
        };
        held.put(state);
        Ok(refusal)
    }

    async fn keep_pace(&self) -> Result<(), StoreError> {
        self.runtime.store.note(&memo(self.name), Some(&self.pace.text())).await
    }

    /// Sends one message.
    async fn one(&mut self, row: &StoredNotice, step: NoticeStep) -> Result<Turn, StoreError> {
        self.pace.sent(self.now, step != NoticeStep::Edit);
        self.keep_pace().await?;
        if !self.mark(row, step).await? {
            return Ok(Turn::Worked); // a decision replaced it meanwhile
        }
        let id = message_id(&[row], step);
        let message = Message { id: &id, content: Content::Notice(&row.notice), now: self.now };
        let notifier = &self.target.notifier;
        let request = async {
            match step {
                NoticeStep::Post | NoticeStep::Digest => notifier.post(&message).await,
                NoticeStep::Edit => notifier.edit(&row.message, &message).await.map(|()| String::new()),
                NoticeStep::Reply => notifier.reply(&row.message, &message).await.map(|()| String::new()),
            }
        };
        let Some(result) = self.send(request).await else { return Ok(Turn::Worked) };
        let end = match &result {
            Ok(made) => done(row, step, made, self.runtime.clock.now()),
            Err(error) => self.failed(row, step, error).await?,
        };
        self.conclude(row, step, &result, end).await?;
        Ok(Turn::Worked)
    }

    /// Sends all of these in one message.
    async fn digest(&mut self, ready: &[(StoredNotice, NoticeStep)]) -> Result<Turn, StoreError> {
        self.pace.sent(self.now, true);
        self.keep_pace().await?;
        let mut rows = Vec::new();
        for (row, _) in ready {
            if self.mark(row, NoticeStep::Digest).await? {
                rows.push(row);
            }
        }
        if rows.is_empty() {
            return Ok(Turn::Worked);
        }
        let notices: Vec<&Notice> = rows.iter().map(|row| &row.notice).collect();
        let id = message_id(&rows, NoticeStep::Digest);
        let message = Message { id: &id, content: Content::Digest(&notices), now: self.now };
        let Some(result) = self.send(self.target.notifier.post(&message)).await else { return Ok(Turn::Worked) };
        for row in rows {
            let end = match &result {
                Ok(_) => done(row, NoticeStep::Digest, "", self.runtime.clock.now()),
                Err(error) => self.failed(row, NoticeStep::Digest, error).await?,
            };
            self.conclude(row, NoticeStep::Digest, &result, end).await?;
        }
        Ok(Turn::Worked)
    }

    async fn mark(&self, row: &StoredNotice, step: NoticeStep) -> Result<bool, StoreError> {
        let under = [self.tenure.lease().clone()];
        let marked = self.runtime.store.mark_notice(row.id, row.version, step, &under).await;
        self.runtime.leases.heard(&under, marked)
    }

    /// Sends a request; `None` if the lease ran out meanwhile: its next holder finds the notice as a
    /// crash would have left it.
    async fn send<T>(&self, request: impl Future<Output = Result<T, NotifyError>>) -> Option<Result<T, NotifyError>> {
        crash_point("notice_marked");
        let result = while_held(&[self.tenure], request).await;
        crash_point("notice_sent");
        if result.is_none() {
            tracing::warn!(target = self.name, "the lease ran out while a notice was being sent");
        }
        result
    }

    /// Returns the end of a failed request, and records what it says of the target.
    async fn failed(
        &mut self,
        row: &StoredNotice,
        step: NoticeStep,
        error: &NotifyError,
    ) -> Result<NoticeEnd, StoreError> {
        let now = self.runtime.clock.now();
        let again = |at: Timestamp, in_doubt: bool| {
            let is_over = after(row.created_at, NEWS_FOR) <= at;
            if is_over { NoticeOutcome::Dead } else { NoticeOutcome::Retry { not_before: at, in_doubt } }
        };
        let wait = after(now, backoff(row.attempts));
        let mut learnt = Learnt::default();
        let outcome = match error {
            NotifyError::RateLimited { until } => {
                self.pace.pause(*until);
                self.keep_pace().await?;
                again(*until, false)
            }
            NotifyError::Gone(_) => {
                self.target.set_gone();
                tracing::error!(target = self.name, %error, "the target of notices wants no more: nothing is sent there until a restart");
                NoticeOutcome::Dead
            }
            NotifyError::MessageGone(_) => {
                learnt.message = Some(String::new());
                NoticeOutcome::Continue
            }
            NotifyError::Permanent(_) => NoticeOutcome::Dead,
            NotifyError::Transient(_) => again(wait, false),
            NotifyError::Doubt(_) if step == NoticeStep::Edit => again(wait, false),
            NotifyError::Doubt(_) => match self.target.notifier.abilities().after_doubt {
                AfterDoubt::Repeat => again(wait, true),
                AfterDoubt::RepeatIfPersonNeeded if row.notice.needs_person => again(wait, true),
                // The message of the thread is still to be edited.
                AfterDoubt::RepeatIfPersonNeeded | AfterDoubt::GiveUp
                    if !row.message.is_empty() && self.target.notifier.abilities().edits =>
                {
                    learnt.told = Some(row.hash.clone());
                    NoticeOutcome::Continue
                }
                AfterDoubt::RepeatIfPersonNeeded | AfterDoubt::GiveUp => NoticeOutcome::Dead,
            },
        };
        let given_up = matches!(error, NotifyError::Transient(_) | NotifyError::RateLimited { .. });
        let prefix = if outcome == NoticeOutcome::Dead && given_up { "given up after an hour: " } else { "" };
        Ok(NoticeEnd { outcome, learnt, note: commit::note(&[format!("{prefix}{error}")]), at: now })
    }

    /// Stores the end of a request, and counts it.
    async fn conclude<T>(
        &self,
        row: &StoredNotice,
        step: NoticeStep,
        result: &Result<T, NotifyError>,
        end: NoticeEnd,
    ) -> Result<(), StoreError> {
        let outcome = match (result, end.outcome) {
            (Ok(_), _) => match step {
                NoticeStep::Post => "sent",
                NoticeStep::Edit => "edited",
                NoticeStep::Reply => "replied",
                NoticeStep::Digest => "digested",
            },
            (Err(_), NoticeOutcome::Dead) => "dead",
            (Err(_), _) => "retry",
        };
        count(self.name, outcome);
        let thread = row.notice.thread.as_str();
        match result {
            Ok(_) => tracing::info!(repo = %row.repo, notices = self.name, thread, "notice {outcome}"),
            Err(error) => {
                tracing::warn!(repo = %row.repo, notices = self.name, thread, %error, "notice not sent: {outcome}");
            }
        }
        // What was sent can't be recalled: its end is not given up at once.
        for _ in 0..TRIES {
            match self.runtime.store.finish_notice(row.id, row.version, end.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::warn!(notices = self.name, thread, %error, "the end of a notice is stored again");
                }
            }
            tokio::time::sleep(WAIT_FOR_STORE).await;
        }
        self.runtime.store.finish_notice(row.id, row.version, end).await
    }
}

/// Returns the end of a request that succeeded.
fn done(row: &StoredNotice, step: NoticeStep, made: &str, at: Timestamp) -> NoticeEnd {
    let hash = Some(row.hash.clone());
    let (outcome, learnt) = match step {
        NoticeStep::Post => {
            let learnt = Learnt { message: Some(made.to_owned()), shown: hash.clone(), told: hash };
            (NoticeOutcome::Done, learnt)
        }
        NoticeStep::Edit => (NoticeOutcome::Done, Learnt { shown: hash, ..Learnt::default() }),
        // The message itself is still to be edited, if there is one.
        NoticeStep::Reply | NoticeStep::Digest => (NoticeOutcome::Continue, Learnt { told: hash, ..Learnt::default() }),
    };
    NoticeEnd { outcome, learnt, note: String::new(), at }
}

/// Returns the wait after a number of failures: it doubles with each.
fn backoff(attempts: u32) -> SignedDuration {
    let wait = FIRST_WAIT * (1 << attempts.min(10));
    wait.min(LONGEST_WAIT)
}
