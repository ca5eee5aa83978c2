//! Slash-commands: asks the forge what their sender may do, lets the core run
//! them, and brings it the outcome of what the forge had to do.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{
    decision::WATCH_TIMER,
    draft::{self, Writes},
    question::question,
    repos::RepoState,
    shell::Shell,
};
use crate::{
    decide::{
        Us,
        advance::{self, Outcome},
        command::{
            conclude::{Conclusion, conclude},
            hear::{Request, hear},
            permit::{Asks, Standing},
            reply::Wish,
            run::{Ran, Terms, asks, run},
        },
    },
    domain::{event::Event, policy::Policy},
    metric,
    port::{
        forge::{Forge, ForgeError, Target},
        store::{Commit, NewEffect, Seq, StoreError, StoredEffect},
    },
};

/// When this has passed no other question is asked: the repository is held meanwhile.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(20);
/// Teams asked about for one comment.
const MOST_TEAMS: usize = 8;

/// Where commands are heard.
pub(crate) struct Place<'a> {
    pub(crate) forge: &'a dyn Forge,
    /// In whose name to ask; `None` where we are not installed.
    pub(crate) target: Option<Target>,
    pub(crate) policy: &'a Policy,
    pub(crate) us: &'a Us,
}

/// Runs the commands that an event brings, if it brings any that did not run before.
pub(crate) async fn take(shell: &Shell, state: &mut RepoState, place: Place<'_>, event: &Event) -> Ran {
    let Place { forge, target, policy, us } = place;
    let Some(request) = hear(event, policy, us) else { return Ran::default() };
    let asks = asks(&state.facts, policy, &request);
    if !asks.role {
        return Ran::default();
    }
    let standing = standing(shell, forge, target.as_ref(), &request, asks).await;
    let silent = Writes::allowed(shell.settings.dry_run, policy, target.map(|t| t.installation)).silent();
    let terms = Terms { policy, alerts: &shell.alerts.rules, now: shell.clock.now(), silent };
    let ran = run(&mut state.facts, &request, &standing, &terms);
    metrics::counter!(metric::COMMANDS).increment(ran.told.len() as u64);
    ran
}

/// Asks the forge: live, each thing once, and whatever fails counts as no.
async fn standing(
    shell: &Shell,
    forge: &dyn Forge,
    target: Option<&Target>,
    request: &Request,
    asks: Asks,
) -> Standing {
    let (asked_at, started) = (shell.clock.now(), Instant::now());
    let Some(target) = target else {
        let why = || "phasebot is not installed there".to_owned();
        return Standing { role: Err(why()), teams: BTreeMap::new(), head: None, asked_at };
    };
    let role = answered(shell, target, started, || forge.role(target, &request.by)).await;
    let mut teams = BTreeMap::new();
    for team in asks.teams {
        let member = if teams.len() < MOST_TEAMS {
            answered(shell, target, started, || forge.is_member(target, &team, &request.by)).await
        } else {
            Err(format!("more than {MOST_TEAMS} teams would have to be asked about"))
        };
        teams.insert(team, member);
    }
    let head = if asks.head {
        Some(answered(shell, target, started, || forge.head(target, request.item)).await)
    } else {
        None
    };
    Standing { role, teams, head, asked_at }
}

async fn answered<T, Q: Future<Output = Result<T, ForgeError>>>(
    shell: &Shell,
    target: &Target,
    started: Instant,
    ask: impl Fn() -> Q,
) -> Result<T, String> {
    if started.elapsed() >= PATIENCE_IN_ALL {
        return Err("the forge answers too slowly".to_owned());
    }
    question(shell, target, ask).await.map_err(|error| {
        tracing::warn!(%error, "the forge did not say what a command's sender may do");
        error.to_string()
    })
}

/// Queues what commands wish for.
pub(crate) fn queue(wishes: Vec<Wish>, writes: Writes, cause: Option<Seq>, commit: &mut Commit) {
    let Writes::As(installation) = writes else { return };
    commit.effects.extend(wishes.into_iter().map(|Wish { key, replaces, effect }| NewEffect {
        key,
        replaces,
        installation,
        effect,
        cause,
    }));
}

/// Brings the core the outcome of an effect that something waits for. What
/// follows is kept before the effect is ended: a crash in between repeats
/// both, and repeating changes nothing.
pub(crate) async fn ended(shell: &Shell, effect: &StoredEffect, outcome: Outcome<'_>) -> Result<(), StoreError> {
    if !effect.effect.is_awaited() {
        return Ok(());
    }
    let mut held = shell.repos.hold(&effect.repo).await;
    let mut state = held.take(shell.store.as_ref()).await?;
    let now = shell.clock.now();
    let mut commit = Commit { repo: Some(effect.repo.clone()), now: Some(now), ..Commit::default() };
    let writes = Writes::As(effect.installation);
    if let Some(command) = effect.effect.command() {
        let Conclusion { changed, wishes, board } = conclude(&mut state.facts, &effect.effect, outcome, now);
        commit.facts = draft::documents(&state, &changed.into_iter().collect());
        queue(wishes, writes, effect.cause, &mut commit);
        if board {
            // The item's timer writes its status comment anew.
            commit.timers.push((command.item, Some(now)));
        }
    } else {
        let policy = shell.policies.policy(&effect.repo, &state.facts.policy_files);
        let terms = Terms { policy: &policy, alerts: &shell.alerts.rules, now, silent: None };
        let advanced = advance::ended(&mut state.facts, &effect.effect, &effect.key, outcome, &terms);
        commit.facts = draft::documents(&state, &advanced.changed);
        queue(advanced.wishes, writes, effect.cause, &mut commit);
        commit.cancel_effects = advanced.cancel;
        commit.timers.extend(advanced.items.into_iter().map(|item| (item, Some(now))));
        // Whatever follows from it follows in the next look at the whole.
        commit.timers.push((WATCH_TIMER, Some(now)));
        state.wake_at = Some(now);
    }
    if !commit.facts.is_empty() {
        commit.under.extend(held.lease());
        shell.commit(commit).await?;
        shell.outbox.poke();
        shell.timers.poke();
    }
    held.put(state);
    Ok(())
}
