//! The weekly retrospective: reads the rows of its week and the actions of the one before, and plans
//! its issue in the decision on the repository's timer.
//!
//! The issue's marker names the week, and the week that was planned last is a fact of the same
//! commit: after a crash it is either planned as a whole or due again.

use std::collections::BTreeMap;

use crate::{
    app::{
        commit::{Writes, documents},
        insight as rows,
        repos::RepoState,
        runtime::Runtime,
    },
    domain::{
        derived::Derived,
        fact::{DocumentKey, repository_metadata::RetroFacts},
        id::ItemId,
        policy::Policy,
    },
    insight::{
        Query, Summary,
        retro::{self, Actions, Told},
    },
    plan::PlannedEffect,
    port::{
        forge::{Forge, ForgeError, Target},
        store::{Commit, StoreError},
    },
};

/// Plans the retrospective that is due, if one is. Returns a sentence for the log.
pub(crate) async fn hold(
    runtime: &Runtime,
    place: Option<(&dyn Forge, &Target)>,
    policy: &Policy,
    state: &mut RepoState,
    writes: Writes,
    commit: &mut Commit,
) -> Result<Option<String>, StoreError> {
    let now = runtime.clock.now();
    let Some(week) = retro::due(&state.repo.facts, policy, now) else { return Ok(None) };
    let Some((forge, target)) = place else { return Ok(None) };
    let before = state.repo.facts.about.retro.as_ref().and_then(RetroFacts::last_issue);
    let actions = match before {
        None => Actions::default(),
        Some(issue) => match forge.issue_text(target, issue).await {
            Ok(text) => Actions::read(&text),
            // Deleted by people: so are its actions.
            Err(ForgeError::NotFound(_) | ForgeError::Deleted(_)) => Actions::default(),
            Err(ForgeError::Permanent(why)) => {
                tracing::warn!(repo = %state.repo.facts.key, why, "GitHub refuses the last retrospective; its actions are left out");
                Actions::default()
            }
            Err(error) => {
                tracing::warn!(repo = %state.repo.facts.key, %error, "the last retrospective can't be read; tried again");
                return Ok(None);
            }
        },
    };
    let query = Query { seed: state.repo.facts.key.id, ..Query::new(week.window(now, &policy.insight.zone), now) };
    let found = rows::rows(runtime.store.as_ref(), &state.repo.facts.key, Summary::rows_since(&query)).await?;
    let summary = Summary::of(&found, &query);
    let told: BTreeMap<ItemId, Told> =
        summary.stuck.iter().map(|stuck| (stuck.item, told(state, stuck.item))).collect();
    let body = retro::body(&summary, &actions, before, &|item| told.get(&item).cloned().unwrap_or_default());
    let (key, effect) = retro::plan(&mut state.repo.facts, week, retro::title(week), body);
    writes.queue([PlannedEffect { key, replaces: false, effect }], None, commit);
    let about = documents(&state.repo, &[DocumentKey::About].into());
    commit.facts.retain(|document| about.iter().all(|one| one.key != document.key));
    commit.facts.extend(about);
    Ok(Some(format!("the retrospective of {} is planned", week.name())))
}

/// Returns what is told of an item: its title, and what it waits for.
fn told(state: &RepoState, item: ItemId) -> Told {
    let title = state.repo.facts.items.get(&item).and_then(|known| known.title.as_ref());
    let derived = state.repo.items.get(&item).and_then(|row| serde_json::from_str::<Derived>(&row.derived).ok());
    Told {
        title: title.map(|title| title.value.clone()),
        next: derived.and_then(|derived| derived.next.into_iter().next()),
    }
}
