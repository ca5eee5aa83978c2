//! Slash-commands: asks the forge what their sender may do, lets the core run
//! them, and brings it the outcome of what the forge had to do.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    decision::WATCH_TIMER,
    draft::{self, Writes},
    question::{question, question_once},
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
            permit::{Asks, Standing, Unanswered},
            reply::Wish,
            run::{Ran, Terms, asks, run},
            wait,
        },
    },
    domain::{
        event::Event,
        fact::DocumentKey,
        id::{Account, AccountId},
        permission::Role,
        policy::Policy,
    },
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
}

/// Runs the commands that an event brings, if it brings any that did not run
/// before. Those whose sender's rights the forge does not tell now are kept.
pub(crate) async fn take(shell: &Shell, state: &mut RepoState, place: Place<'_>, event: &Event, us: &Us) -> Ran {
    let Some(request) = hear(event, place.policy, us) else { return Ran::default() };
    Desk::new(shell, place).run(state, &request).await
}

/// Tries the commands again that were kept, if one of them is due.
pub(crate) async fn again(shell: &Shell, state: &mut RepoState, place: Place<'_>) -> Ran {
    let mut ran = Ran::default();
    let due = wait::due(&state.facts, place.policy, shell.clock.now());
    let mut desk = Desk::new(shell, place);
    for request in due {
        let Ran { observed, wishes, told } = desk.run(state, &request).await;
        ran.observed.changed.extend(observed.changed);
        ran.observed.items.extend(observed.items);
        ran.wishes.extend(wishes);
        ran.told.extend(told);
    }
    ran
}

/// Runs requests one after the other, and asks the forge each thing about
/// their senders once: live, and what is refused counts as no.
struct Desk<'a> {
    shell: &'a Shell,
    place: Place<'a>,
    started: Instant,
    roles: HashMap<AccountId, Result<Role, Unanswered>>,
    members: HashMap<(String, AccountId), Result<bool, Unanswered>>,
}

impl<'a> Desk<'a> {
    fn new(shell: &'a Shell, place: Place<'a>) -> Self {
        Self { shell, place, started: Instant::now(), roles: HashMap::new(), members: HashMap::new() }
    }

    async fn run(&mut self, state: &mut RepoState, request: &Request) -> Ran {
        if request.undecided(&state.facts).next().is_none() {
            return Ran::default();
        }
        let (shell, policy) = (self.shell, self.place.policy);
        let asks = asks(&state.facts, policy, request);
        // Where others wait already there is no hurry to find out the same again.
        let patient = state.facts.waiting.is_empty();
        let standing = self.standing(request, asks, patient).await;
        let installation = self.place.target.as_ref().map(|target| target.installation);
        let silent = Writes::allowed(shell.settings.dry_run, policy, installation).silent();
        let terms = Terms { policy, alerts: &shell.alerts.rules, now: shell.clock.now(), silent };
        let ran = run(&mut state.facts, request, &standing, &terms);
        let decided = ran.observed.changed.iter().filter(|key| matches!(key, DocumentKey::Command(_))).count();
        metrics::counter!(metric::COMMANDS).increment(decided as u64);
        ran
    }

    async fn standing(&mut self, request: &Request, asks: Asks, patient: bool) -> Standing {
        let asked_at = self.shell.clock.now();
        let mut standing = Standing {
            role: Err(Unanswered::refused("phasebot is not installed there")),
            teams: BTreeMap::new(),
            head: None,
            asked_at,
        };
        let Some(target) = self.place.target.clone() else { return standing };
        if asks.role {
            standing.role = self.role(&target, &request.by, patient).await;
        }
        for team in asks.teams {
            let member = if standing.teams.len() < MOST_TEAMS {
                self.member(&target, &team, &request.by, patient).await
            } else {
                Err(Unanswered::refused(format!("more than {MOST_TEAMS} teams would have to be asked about")))
            };
            standing.teams.insert(team, member);
        }
        if asks.head {
            let forge = self.place.forge;
            standing.head = Some(self.answered(&target, patient, || forge.head(&target, request.item)).await);
        }
        standing
    }

    async fn role(&mut self, target: &Target, account: &Account, patient: bool) -> Result<Role, Unanswered> {
        let id = number(account)?;
        if let Some(known) = self.roles.get(&id) {
            return known.clone();
        }
        let forge = self.place.forge;
        let role = self.answered(target, patient, || forge.role(target, account)).await;
        self.roles.insert(id, role.clone());
        role
    }

    async fn member(
        &mut self,
        target: &Target,
        team: &str,
        account: &Account,
        patient: bool,
    ) -> Result<bool, Unanswered> {
        let key = (team.to_owned(), number(account)?);
        if let Some(known) = self.members.get(&key) {
            return known.clone();
        }
        let forge = self.place.forge;
        let member = self.answered(target, patient, || forge.is_member(target, team, account)).await;
        self.members.insert(key, member.clone());
        member
    }

    async fn answered<T, Q: Future<Output = Result<T, ForgeError>>>(
        &self,
        target: &Target,
        patient: bool,
        ask: impl Fn() -> Q,
    ) -> Result<T, Unanswered> {
        let shell = self.shell;
        if self.started.elapsed() >= PATIENCE_IN_ALL {
            return Err(Unanswered::until(shell.clock.now(), "the forge answers too slowly"));
        }
        let answer = if patient { question(shell, target, ask).await } else { question_once(shell, target, ask).await };
        answer.map_err(|error| {
            tracing::warn!(%error, "the forge did not say what a command's sender may do");
            match error {
                ForgeError::RateLimited { until } => Unanswered::until(until, error.to_string()),
                ForgeError::Transient(why) | ForgeError::Doubt(why) => Unanswered::until(shell.clock.now(), why),
                ForgeError::NotFound(why) | ForgeError::Deleted(why) | ForgeError::Permanent(why) => {
                    Unanswered::refused(why)
                }
            }
        })
    }
}

/// The account that wrote a command; an earlier version kept its login alone.
fn number(account: &Account) -> Result<AccountId, Unanswered> {
    account.id.ok_or_else(|| Unanswered::refused("it is not recorded which account wrote it"))
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
