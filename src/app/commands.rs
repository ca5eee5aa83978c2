//! Slash commands: asks the forge for the sender's rights and lets the core
//! run the commands.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    app::{
        commit::Writes,
        forge_query::{question, question_once},
        runtime::Runtime,
    },
    command::{
        caller::{Asks, CallerPermissions, Unanswered},
        extract::{Request, hear},
        run::asks,
        wait,
    },
    domain::{
        event::Event,
        id::{Account, AccountId},
        permission::Role,
        policy::Policy,
    },
    engine::{Input, Repository},
    ingest::Us,
    plan::DecisionContext,
    port::forge::{Forge, ForgeError, Target},
};

/// Time after which no other question is asked: the repository is held meanwhile.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Most teams asked about for one comment.
const MOST_TEAMS: usize = 8;

/// Place in which commands are run.
pub(crate) struct Place<'a> {
    pub(crate) forge: &'a dyn Forge,
    /// Repository and installation to ask as; `None` where we are not installed.
    pub(crate) target: Option<Target>,
    pub(crate) policy: &'a Policy,
}

/// Runs the commands of an event that did not run before. Keeps those whose sender's
/// rights the forge does not report now.
pub(crate) async fn take(runtime: &Runtime, repo: &mut Repository, place: Place<'_>, event: &Event, us: &Us) {
    if let Some(request) = hear(event, place.policy, us) {
        Desk::new(runtime, place).run(repo, &request).await;
    }
}

/// Retries the kept commands that are due.
pub(crate) async fn again(runtime: &Runtime, repo: &mut Repository, place: Place<'_>) {
    let due = wait::due(&repo.facts, place.policy, runtime.clock.now());
    let mut desk = Desk::new(runtime, place);
    for request in due {
        desk.run(repo, &request).await;
    }
}

/// Runs requests one after the other, and asks the forge each question about their
/// senders once, without a cache. A refused answer counts as no.
struct Desk<'a> {
    runtime: &'a Runtime,
    place: Place<'a>,
    started: Instant,
    roles: HashMap<AccountId, Result<Role, Unanswered>>,
    members: HashMap<(String, AccountId), Result<bool, Unanswered>>,
}

impl<'a> Desk<'a> {
    fn new(runtime: &'a Runtime, place: Place<'a>) -> Self {
        Self { runtime, place, started: Instant::now(), roles: HashMap::new(), members: HashMap::new() }
    }

    async fn run(&mut self, repo: &mut Repository, request: &Request) {
        if request.undecided(&repo.facts).next().is_none() {
            return;
        }
        let (runtime, policy) = (self.runtime, self.place.policy);
        let asks = asks(&repo.facts, policy, request);
        // While other commands wait already, there is no hurry to ask the same again.
        let patient = repo.facts.waiting.is_empty();
        let caller = self.standing(request, asks, patient).await;
        let installation = self.place.target.as_ref().map(|target| target.installation);
        let writes_disabled = Writes::allowed(runtime.settings.dry_run, policy, installation).silent();
        let terms =
            DecisionContext { policy, alerts: &runtime.alerts.rules, now: runtime.clock.now(), writes_disabled };
        repo.ingest(Input::Commands { request, caller: &caller }, &terms);
    }

    async fn standing(&mut self, request: &Request, asks: Asks, patient: bool) -> CallerPermissions {
        let asked_at = self.runtime.clock.now();
        let mut standing = CallerPermissions {
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
        let runtime = self.runtime;
        if self.started.elapsed() >= TOTAL_TIMEOUT {
            return Err(Unanswered::until(runtime.clock.now(), "the forge answers too slowly"));
        }
        let answer =
            if patient { question(runtime, target, ask).await } else { question_once(runtime, target, ask).await };
        answer.map_err(|error| {
            tracing::warn!(%error, "the forge did not say what a command's sender may do");
            match error {
                ForgeError::RateLimited { until } => Unanswered::until(until, error.to_string()),
                ForgeError::Transient(why) | ForgeError::Doubt(why) => Unanswered::until(runtime.clock.now(), why),
                ForgeError::NotFound(why) | ForgeError::Deleted(why) | ForgeError::Permanent(why) => {
                    Unanswered::refused(why)
                }
            }
        })
    }
}

/// Returns the account that wrote a command. An earlier version stored its login alone.
fn number(account: &Account) -> Result<AccountId, Unanswered> {
    account.id.ok_or_else(|| Unanswered::refused("it is not recorded which account wrote it"))
}
