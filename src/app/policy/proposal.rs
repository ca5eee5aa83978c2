//! Checks and previews policy files in pull requests and merge groups. The proposed files are
//! never applied.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{
        clock::after, decision_slots::aside, forge_query::question, policy::source::FilePolicies, repos::RepoState,
        runtime::Runtime,
    },
    domain::{
        effect::{CheckVerdict, Effect, POLICY_MARKER},
        fact::{DocumentKey, RepoFacts, item::PolicyInPull, policy::Proposal},
        id::{ItemId, Sha},
        policy::{CHECK, FILE, Mode, Policy},
    },
    engine::{
        self,
        policy_report::{self as words, Verdict},
        preview::Preview,
    },
    policy::Report,
    port::forge::{Forge, ForgeError, Target},
};

/// Proposals checked in one decision.
const AT_ONCE: usize = 5;
/// Wait before a proposal that could not be checked is tried again.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// Wait before a proposal that another preview held up is tried again.
const NEXT_PREVIEW_AFTER: SignedDuration = SignedDuration::from_secs(1);
/// Longest duration of a preview, except for its last slice.
const PREVIEW_BUDGET: Duration = Duration::from_secs(2);

/// A message about a proposal.
pub(super) struct Said {
    pub(super) key: String,
    pub(super) effect: Effect,
    /// Text for the delivery's note.
    pub(super) note: String,
}

/// Result of checking proposals.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) said: Vec<Said>,
    pub(super) changed: Vec<DocumentKey>,
}

/// Checks proposals of one repository.
pub(super) struct Looker<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) policies: &'a FilePolicies,
    pub(super) forge: &'a dyn Forge,
    pub(super) target: &'a Target,
    pub(super) policy: &'a Policy,
}

impl Looker<'_> {
    /// Checks the proposals that were not checked yet.
    pub(super) async fn look(&self, state: &mut RepoState) -> Looked {
        let mut looked = Looked::default();
        let now = self.runtime.clock.now();
        if state.repo.facts.policy_files.check_at.is_some_and(|at| at > now) {
            return looked;
        }
        let waiting: Vec<Proposal> = state.repo.facts.policy_files.unchecked.iter().take(AT_ONCE).cloned().collect();
        for proposal in waiting {
            let outcome = match &proposal {
                Proposal::Pull(item) => self.pull(state, *item, &mut looked).await,
                Proposal::Group(sha) => self.group(state, sha, &mut looked).await,
            };
            looked.changed.push(DocumentKey::Policy);
            match outcome {
                Ok(()) => {
                    state.repo.facts.policy_files.unchecked.remove(&proposal);
                    state.repo.facts.policy_files.check_at = None;
                }
                Err(again_at) => {
                    state.repo.facts.policy_files.check_at = Some(again_at);
                    break;
                }
            }
        }
        looked
    }

    async fn pull(&self, state: &mut RepoState, item: ItemId, looked: &mut Looked) -> Result<(), Timestamp> {
        let Some(known) = state.repo.facts.items.get(&item) else { return Ok(()) };
        let open = known.gone.is_none() && known.open.as_ref().is_none_or(|open| open.value);
        let Some(pull) = known.pull.as_ref().filter(|_| open) else { return Ok(()) };
        let Some(shape) = pull.shape.as_ref().map(|shape| shape.value.clone()) else { return Ok(()) };
        if pull.policy.as_ref().is_some_and(|seen| seen.is_of(&shape)) {
            return Ok(());
        }
        let changed_before = pull.policy.as_ref().is_some_and(|seen| seen.changes);
        let changes = self.changes(state, &shape.base_ref, &shape.head_sha, shape.from_fork, &shape.head_ref).await?;
        let act = self.policy.mode == Mode::Act;
        let verdict = if changes || (act && engine::proposal::head_changes(&state.repo.facts, &shape.head_sha)) {
            Some(self.verdict_on(state, &shape.head_sha).await?)
        } else if changed_before || (act && self.policy.policy_check_required) {
            Some((CheckVerdict::Success, words::untouched()))
        } else {
            None
        };
        if let Some((verdict, words)) = verdict {
            let subject = format!("#{item}");
            // A comment on a pull request that never changed the file would only be noise.
            let comment = Some(item).filter(|_| changes || changed_before);
            looked.said.push(say(&subject, &shape.head_sha, verdict, words, comment, act));
        }
        if let Some(pull) = state.repo.facts.items.get_mut(&item).and_then(|known| known.pull.as_mut()) {
            pull.policy = Some(PolicyInPull { head: shape.head_sha, base: shape.base_ref, changes });
            looked.changed.push(DocumentKey::Item(item));
        }
        Ok(())
    }

    async fn group(&self, state: &mut RepoState, sha: &Sha, looked: &mut Looked) -> Result<(), Timestamp> {
        if self.policy.mode != Mode::Act || !self.policy.policy_check_required {
            return Ok(());
        }
        let ask = || self.forge.file(self.target, None, FILE, Some(sha));
        let (verdict, words) = match self.patiently(ask).await? {
            Ok(Some(file)) => {
                let (report, _) = self.policies.check(&state.repo.facts.policy_files, &file);
                (verdict_of(&report), words::grouped(&report))
            }
            Ok(None) => (CheckVerdict::Success, words::untouched()),
            Err(why) => (CheckVerdict::Failure, words::not_shown(&why)),
        };
        looked.said.push(say("a merge group", sha, verdict, words, None, true));
        Ok(())
    }

    /// Returns whether a head changes the file relative to its target branch.
    async fn changes(
        &self,
        state: &RepoState,
        base: &str,
        head: &Sha,
        from_fork: bool,
        branch: &str,
    ) -> Result<bool, Timestamp> {
        if !from_fork && engine::proposal::is_untouched(&state.repo.facts, branch, head) {
            return Ok(false);
        }
        let ask = || self.forge.changes_file(self.target, base, head, FILE);
        if let Ok(Some(changes)) = self.patiently(ask).await? {
            return Ok(changes);
        }
        // Too much was changed to be listed: compare the file itself.
        let ask = || self.forge.file(self.target, None, FILE, Some(head));
        // A file that can't be read is not the one that was read before.
        let Ok(there) = self.patiently(ask).await? else { return Ok(true) };
        let now = state.repo.facts.policy_files.own.seen.as_ref();
        Ok(there.map(|file| file.digest) != now.map(|file| file.digest.clone()))
    }

    async fn verdict_on(&self, state: &mut RepoState, head: &Sha) -> Result<(CheckVerdict, Verdict), Timestamp> {
        let ask = || self.forge.file(self.target, None, FILE, Some(head));
        let file = match self.patiently(ask).await? {
            Ok(Some(file)) => file,
            Ok(None) => {
                let preview = match self.policies.without_own(&state.repo.facts.policy_files) {
                    Some(proposed) => Some(self.preview(state, proposed).await?),
                    None => None,
                };
                return Ok((CheckVerdict::Success, words::removed(preview.as_ref())));
            }
            Err(why) => return Ok((CheckVerdict::Failure, words::not_shown(&why))),
        };
        let (mut report, proposed) = self.policies.check(&state.repo.facts.policy_files, &file);
        if let Some(proposed) = &proposed {
            report.notes.extend(self.runtime.notices.findings(&proposed.notices, &state.repo.facts));
        }
        let preview = match proposed {
            Some(proposed) => Some(self.preview(state, proposed).await?),
            None => None,
        };
        Ok((verdict_of(&report), words::changed(&report, preview.as_ref())))
    }

    /// Derives open items under the proposed policy, on a separate thread. An installation has one
    /// preview at a time; `Err` is the time to try again.
    async fn preview(&self, state: &mut RepoState, proposed: Policy) -> Result<Preview, Timestamp> {
        let now = self.runtime.clock.now();
        let tenant = (self.target.repo.forge.clone(), self.target.installation);
        let Some(turn) = self.runtime.previews.begin(&tenant) else { return Err(after(now, NEXT_PREVIEW_AFTER)) };
        let shown: BTreeMap<ItemId, Option<String>> =
            state.repo.items.iter().map(|(item, row)| (*item, row.phase.clone())).collect();
        let current = self.policy.clone();
        // The facts move to the thread and back. If they do not come back, the state
        // is never put back either, and the next holder reads it from the store.
        let facts = std::mem::replace(&mut state.repo.facts, RepoFacts::new(self.target.repo.clone()));
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let end = Instant::now() + PREVIEW_BUDGET;
            let shown = |item: ItemId| shown.get(&item).cloned();
            let preview = engine::preview::preview(&facts, shown, &current, &proposed, now, || Instant::now() < end);
            (facts, preview)
        });
        match aside(work).await {
            Ok((facts, preview)) => {
                state.repo.facts = facts;
                Ok(preview)
            }
            Err(error) => std::panic::resume_unwind(
                error.try_into_panic().unwrap_or_else(|_| Box::new("a preview was cut off".to_owned())),
            ),
        }
    }

    /// Returns the forge's answer, or its reason for refusing; `Err` is the time to ask again.
    async fn patiently<T, Q>(&self, ask: impl Fn() -> Q) -> Result<Result<T, String>, Timestamp>
    where
        Q: Future<Output = Result<T, ForgeError>>,
    {
        match question(self.runtime, self.target, ask).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(ForgeError::RateLimited { until }) => Err(until),
            Err(ForgeError::NotFound(why) | ForgeError::Deleted(why) | ForgeError::Permanent(why)) => {
                tracing::debug!(why, "a proposed policy file could not be looked at");
                Ok(Err(why))
            }
            Err(ForgeError::Transient(_) | ForgeError::Doubt(_)) => Err(after(self.runtime.clock.now(), RETRY_AFTER)),
        }
    }
}

fn verdict_of(report: &Report) -> CheckVerdict {
    if report.valid { CheckVerdict::Success } else { CheckVerdict::Failure }
}

/// Returns a check run where we may write one, else a comment.
fn say(subject: &str, sha: &Sha, verdict: CheckVerdict, words: Verdict, comment: Option<ItemId>, act: bool) -> Said {
    let note = format!("{CHECK} on {subject}: {}", words.title);
    let Verdict { title, summary, annotations } = words;
    match comment {
        Some(item) if !act => {
            // Its first line says what the title says.
            let marker = POLICY_MARKER.to_owned();
            let effect = Effect::UpsertComment { item, marker, body: summary, sticky: true };
            Said { key: format!("policy/comment/{item}"), effect, note }
        }
        or_comment => {
            let effect = Effect::Report {
                gate: None,
                name: CHECK.to_owned(),
                sha: sha.clone(),
                external_id: POLICY_MARKER.to_owned(),
                verdict,
                title,
                summary,
                annotations,
                or_comment,
            };
            Said { key: format!("policy/check/{sha}"), effect, note }
        }
    }
}
