//! Everything that a decision does about policy files, in order.

use crate::{
    app::{
        clock::after,
        commit::{Writes, documents},
        policy::{
            notice,
            proposal::{Looker, Said},
            read::{self, Brought},
            rederive,
            source::FilePolicies,
        },
        repos::RepoState,
        runtime::Runtime,
    },
    domain::{
        event::Event,
        fact::{DocumentKey, policy::PolicyFiles},
        id::ItemId,
        policy::Policy,
        timer::TimerKey,
    },
    engine,
    port::{
        forge::{Forge, Target},
        store::{Commit, NewEffect, Seq, StoreError},
    },
};
use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};

/// Pause between two steps of the same work.
const STEP: SignedDuration = SignedDuration::from_secs(1);

/// Reason for processing policy files.
pub(crate) enum Occasion<'a> {
    /// An event was ingested.
    Event(&'a Event),
    /// Timers fired.
    Timers {
        /// True if the organisation's file is reported to have changed.
        organisation: bool,
    },
}

/// Result of processing policy files, for the decision's commit.
#[derive(Default)]
pub(crate) struct Attention {
    /// Items to derive again because of another policy.
    pub(crate) items: BTreeSet<ItemId>,
    /// Documents that changed.
    pub(crate) changed: BTreeSet<DocumentKey>,
    /// Text for the delivery's note.
    pub(crate) told: Vec<String>,
    said: Vec<Said>,
    /// Time at which the repository's own work continues.
    timer: Option<Timestamp>,
}

/// Reads the policy files of a repository that is new to us: the policy already applies to its
/// first event.
pub(crate) async fn before_first_look(
    runtime: &Runtime,
    forge: &dyn Forge,
    target: Option<&Target>,
    state: &mut RepoState,
    event: &Event,
) -> Brought {
    let (Some(policies), Some(target)) = (runtime.policies.files(), target) else { return Brought::default() };
    if state.repo.facts.policy_files.own.read_at.is_some() {
        return Brought::default();
    }
    let told = event.repo.as_ref().and_then(|repo| repo.default_branch.clone());
    let branch = told.unwrap_or_else(|| state.repo.facts.default_branch().to_owned());
    read::refresh(runtime, policies, (forge, target), &mut state.repo.facts.policy_files, &branch, false).await
}

/// Updates the facts about policy files. `before` is the result of reading them earlier in this
/// decision. Returns the policy in force and the work to do.
pub(crate) async fn attend(
    runtime: &Runtime,
    place: Option<(&dyn Forge, &Target)>,
    state: &mut RepoState,
    occasion: Occasion<'_>,
    before: Brought,
) -> Result<(Arc<Policy>, Attention), StoreError> {
    let key = state.repo.facts.key.clone();
    let mut attention = Attention::default();
    let Some(policies) = runtime.policies.files() else {
        return Ok((runtime.policies.policy(&key, &state.repo.facts.policy_files), attention));
    };
    let now = runtime.clock.now();
    let mut news = before.news;
    if let Some((forge, target)) = place {
        let branch = state.repo.facts.default_branch().to_owned();
        let told = matches!(occasion, Occasion::Timers { organisation: true });
        let files = &mut state.repo.facts.policy_files;
        let brought = read::refresh(runtime, policies, (forge, target), files, &branch, told).await;
        let brought = Brought { news: brought.news || before.news, own: brought.own || before.own };
        news |= brought.news;
        if brought.own && files.broken.is_some() {
            attention.told.push("the policy file is not right; what was in force stays so".to_owned());
        }
        announce(runtime, policies, target, &state.repo.facts.policy_files, brought).await?;
    }
    let policy = runtime.policies.policy(&key, &state.repo.facts.policy_files);
    if rederive::begin(&mut state.repo.facts.policy_files, &policy, !state.repo.items.is_empty()) {
        news = true;
        if state.repo.facts.policy_files.rederive_below.is_some() {
            attention.told.push(format!("policy {} is in force from here on", policy.version));
        }
    }
    match occasion {
        Occasion::Event(event) => {
            for proposal in engine::proposal::brought(&state.repo.facts, event, state.repo.concerned(), &policy) {
                news |= state.repo.facts.policy_files.unchecked.insert(proposal);
            }
        }
        Occasion::Timers { .. } => {
            news |= state.repo.facts.policy_files.rederive_below.is_some();
            attention.items = rederive::next(&mut state.repo.facts.policy_files, &state.repo.items);
        }
    }
    if let Some((forge, target)) = place {
        let looker = Looker { runtime, policies, forge, target, policy: &policy };
        let found = looker.look(state).await;
        attention.changed.extend(found.changed);
        attention.said = found.said;
    }
    attention.timer = goes_on_at(&state.repo.facts.policy_files, now);
    if news {
        attention.changed.insert(DocumentKey::Policy);
    }
    Ok((policy, attention))
}

/// Returns when there is work to do even if nothing happens.
fn goes_on_at(files: &PolicyFiles, now: Timestamp) -> Option<Timestamp> {
    let soon = after(now, STEP);
    let again = files.rederive_below.map(|_| soon);
    let look = files.unchecked.first().map(|_| files.check_at.map_or(soon, |at| at.max(soon)));
    let read = [&files.own, &files.organisation].into_iter().filter_map(|reading| reading.retry_at);
    again.into_iter().chain(look).chain(read.map(|at| at.max(soon))).min()
}

/// Notifies the other repositories of an organisation that its file changed.
///
/// This only sets timers there, before our own decision is stored: a crash in between
/// repeats them.
async fn announce(
    runtime: &Runtime,
    policies: &FilePolicies,
    target: &Target,
    files: &PolicyFiles,
    brought: Brought,
) -> Result<(), StoreError> {
    let Some((owner, ".github")) = target.full_name.split_once('/') else { return Ok(()) };
    if !brought.own {
        return Ok(());
    }
    let now = runtime.clock.now();
    let whose = (target.repo.forge.clone(), target.installation, owner.to_lowercase());
    policies.share(whose, now, files.own.seen.clone());
    for row in runtime.store.repositories(&target.repo.forge, target.installation).await? {
        let same = row.full_name.split_once('/').is_some_and(|(other, _)| other.eq_ignore_ascii_case(owner));
        if same && row.active && row.repo != target.repo {
            let timers = vec![(TimerKey::Organization, Some(now))];
            runtime.store.commit(Commit { repo: Some(row.repo), now: Some(now), timers, ..Commit::default() }).await?;
        }
    }
    runtime.timers.poke();
    Ok(())
}

impl Attention {
    /// Adds the result to a decision's commit. `fired`: the repository's own timers fired.
    pub(crate) fn into_commit(
        mut self,
        state: &mut RepoState,
        writes: Writes,
        cause: Option<Seq>,
        fired: bool,
        commit: &mut Commit,
    ) -> Vec<String> {
        if let (Some(effect), Writes::As(installation)) = (notice::due(&state.repo.facts), writes) {
            let files = &mut state.repo.facts.policy_files;
            notice::said(files);
            self.changed.insert(DocumentKey::Policy);
            commit.effects.push(NewEffect { key: notice::KEY.to_owned(), replaces: true, installation, effect, cause });
            let what = if files.broken.is_some() { "is invalid" } else { "is valid again" };
            self.told.push(format!("the policy file {what}: our issue says so"));
        }
        for Said { key, effect, note } in self.said {
            match writes {
                Writes::As(installation) => {
                    commit.effects.push(NewEffect { key, replaces: true, installation, effect, cause });
                    self.told.push(note);
                }
                Writes::No(why) => self.told.push(format!("{note} [not written: {why}]")),
            }
        }
        if fired {
            commit.timers.push((TimerKey::Organization, None));
        }
        if fired || self.timer.is_some() {
            commit.timers.push((TimerKey::Policy, self.timer));
        }
        let documents = documents(&state.repo, &self.changed);
        commit.facts.retain(|older| documents.iter().all(|newer| newer.key != older.key));
        commit.facts.extend(documents);
        self.told
    }
}
