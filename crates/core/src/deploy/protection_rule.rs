//! Jobs that wait for phasebot's deployment protection rule.

use jiff::Timestamp;

use crate::{
    context::{EvalContext, rights::WRITERS},
    deploy::{messages, permit, runs},
    domain::{
        decision::{Condition, ConditionState, Decision, GateName},
        effect::Effect,
        event::{DeployState, RunOutcome},
        fact::{DocumentKey, RepoFacts, deploy_request::WaitingJob},
        id::{Account, Sha},
        policy::{Mode, Policy},
        rule::name_key,
    },
    environment::foreign::is_foreign,
    gate::{self, Subject, target},
    plan::{DecisionContext, EffectOutcome, PartialPlan, PlannedEffect},
    text::{headline::Headline, message::quoted},
};

/// Limit on the reports without a verdict on one job: GitHub accepts ten.
const MOST_REPORTS: u32 = 10;

type Key = (u64, String);

pub(super) fn want_gates(eval: &EvalContext<'_>) {
    if eval.policy.mode != Mode::Act {
        return;
    }
    let jobs = eval.facts.index.jobs_to_answer.iter().filter_map(|key| eval.facts.waiting_jobs.get_key_value(key));
    for (key, job) in jobs.filter(|(key, job)| !is_over(eval.facts, key, job)) {
        for need in subject(eval.facts, eval.policy, key, job)
            .iter()
            .flat_map(|s| gate::needs(eval.facts, eval.policy, s, eval.now))
        {
            eval.want(need);
        }
        // This asks whether a reviewer may write.
        let _ = may_enter(eval, key, job);
    }
}

/// Returns whether nothing has to be answered any more: the run has ended or is being cancelled, or
/// the job has begun.
fn is_over(facts: &RepoFacts, key: &Key, job: &WaitingJob) -> bool {
    let ended =
        facts.runs.get(&key.0).is_some_and(|run| run.outcome != RunOutcome::Running && since(job) <= Some(run.at));
    ended || job.cancelled || begun(facts, job)
}

fn since(job: &WaitingJob) -> Option<Timestamp> {
    job.requests.values().max().copied()
}

/// Returns whether the job that asked last has begun.
fn begun(facts: &RepoFacts, job: &WaitingJob) -> bool {
    let made = last_request(job).and_then(|id| facts.deployments.get(&id));
    made.is_some_and(|made| made.statuses.iter().any(|status| status.state != DeployState::Waiting))
}

/// Returns the request that a run serves.
fn owner<'a>(
    facts: &'a RepoFacts,
    key: &Key,
) -> Option<(&'a String, &'a crate::domain::fact::deploy_request::DeployRequest)> {
    facts.open_requests().find(|(id, request)| {
        request.environment == key.1
            && request.is_under_way()
            && (request.run == Some(key.0) || runs::runs_of(facts, id, request).contains_key(&key.0))
    })
}

fn subject(facts: &RepoFacts, policy: &Policy, key: &Key, job: &WaitingJob) -> Option<Subject> {
    let own = owner(facts, key).and_then(|(id, request)| gate::subject::of_request(facts, policy, id, request));
    let mut subject = match own {
        Some(own) => own,
        None => Subject::new(GateName::Deploy(key.1.clone()), commit(facts, policy, key, job)?, since(job)?),
    };
    subject.runs.insert(key.0);
    subject.starters.extend(started_by(facts, key.0, job).cloned());
    Some(subject)
}

/// Returns who started a job's run, as far as events show: they count as having asked for its job.
fn started_by<'f>(facts: &'f RepoFacts, run: u64, job: &'f WaitingJob) -> impl Iterator<Item = &'f Account> {
    let made = job.requests.keys().flatten().filter_map(|id| facts.deployments.get(id));
    let creators = made.filter_map(|deployment| deployment.creator.as_ref());
    let actors = facts.runs.get(&run).into_iter().flat_map(|run| &run.started_by);
    job.started_by.iter().chain(creators).chain(actors).filter(|account| account.id.is_some())
}

/// Returns the commit that a job brings; `None`: not known yet. A run that a request dispatched
/// brings that request's commit, even after the request has ended.
fn commit(facts: &RepoFacts, policy: &Policy, key: &Key, job: &WaitingJob) -> Option<Sha> {
    let requests = facts.requests.index().by_run.of(&key.0).filter_map(|id| facts.requests.get(id));
    if let Some(request) = requests.into_iter().find(|request| request.environment == key.1) {
        return request.sha.clone();
    }
    match last_request(job).filter(|id| facts.deployments.contains_key(id)) {
        Some(made) => EvalContext::new(facts, policy, Timestamp::MIN).history(&key.1).commit_of(made).cloned(),
        None => job.sha.clone(),
    }
}

/// Returns the deployment with which a job asked last.
fn last_request(job: &WaitingJob) -> Option<u64> {
    job.requests.iter().max_by_key(|(id, at)| (**at, **id)).and_then(|(id, _)| *id)
}

/// Evaluates the gate for a job; `Err`: another deploy holds the environment, the job must not
/// enter it, or its commit is unknown.
fn evaluate(facts: &RepoFacts, key: &Key, job: &WaitingJob, terms: &DecisionContext<'_>) -> Result<Decision, Headline> {
    let owner = owner(facts, key);
    if owner.is_none()
        && let Some((_, other)) = facts.under_way(&key.1)
    {
        return Err(messages::job_waits(&messages::busy(other, terms.policy)));
    }
    if owner.is_none() {
        may_enter(&EvalContext::new(facts, terms.policy, terms.now), key, job)?;
    }
    let decision = match owner {
        Some((id, request)) => permit::evaluate(facts, id, request, terms),
        None => subject(facts, terms.policy, key, job)
            .map(|subject| gate::evaluate(facts, terms.policy, &subject, terms.now)),
    };
    decision.ok_or_else(messages::job_commit_unknown)
}

/// Checks whether a job that no request started may enter its environment at all. A pull request's
/// job brings what its author wrote: it may enter only with `unmerged: true`, at a head that may be
/// deployed there.
fn may_enter(eval: &EvalContext<'_>, key: &Key, job: &WaitingJob) -> Result<(), Headline> {
    let (facts, policy) = (eval.facts, eval.policy);
    let made =
        last_request(job).map(|id| facts.deployments.get_key_value(&id).ok_or_else(messages::deployment_unknown));
    let made = made.transpose()?;
    if !job.of_pull && !made.is_some_and(|(id, made)| is_foreign(facts, *id, made)) {
        return Ok(());
    }
    if !policy.environment(&key.1).is_some_and(|rule| rule.unmerged) {
        return Err(messages::foreign_job(&key.1));
    }
    let access = |account: &Account| eval.may_write(account, None);
    let sha = commit(facts, policy, key, job).ok_or_else(messages::job_commit_unknown)?;
    let mut refusal = messages::pull_job(&key.1);
    for pull in facts.pulls_with_head(&sha) {
        match target::unmerged_pull(facts, policy, &key.1, pull, &sha, &access) {
            Ok(()) => return Ok(()),
            Err(why) => refusal = why.why(),
        }
    }
    Err(refusal)
}

/// Rechecks an answer to a job before it is sent: the job still waits, the policy still acts, and
/// the gate still agrees with the answer.
pub(crate) fn recheck(
    facts: &RepoFacts,
    run: u64,
    environment: &str,
    approve: Option<bool>,
    terms: &DecisionContext<'_>,
) -> Result<(), String> {
    let key = (run, name_key(environment));
    let known = facts.waiting_jobs.get(&key);
    if approve.is_none() && known.is_none() {
        // A comment neither starts nor ends anything.
        return Ok(());
    }
    let Some(job) = known.filter(|job| !is_over(facts, &key, job)) else {
        return Err("the job waits no more".to_owned());
    };
    if terms.policy.mode != Mode::Act {
        return Err(messages::not_acting(terms.policy));
    }
    match approve {
        Some(true) => {
            let decision = evaluate(facts, &key, job, terms).map_err(|why| why.state().to_owned())?;
            if decision.standing.is_open() { Ok(()) } else { Err(messages::closed(&decision)) }
        }
        Some(false) if evaluate(facts, &key, job, terms).is_ok_and(|decision| is_final(&decision)) => Ok(()),
        Some(false) => Err("the gate may still open".to_owned()),
        None => Ok(()),
    }
}

/// Answers every job whose gate has a verdict, and reports on the others.
pub(super) fn advance(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if terms.policy.mode != Mode::Act || terms.writes_disabled.is_some() {
        return;
    }
    for key in facts.index.jobs_to_answer.clone() {
        let Some(job) = facts.waiting_jobs.get(&key).filter(|job| !is_over(facts, &key, job)) else {
            facts.index.jobs_to_answer.remove(&key);
            continue;
        };
        let mut job = job.clone();
        let evaluated = evaluate(facts, &key, &job, terms);
        out.wake(evaluated.as_ref().ok().and_then(|decision| decision.next_at));
        let Some(wish) = answer(&key, &mut job, &evaluated) else { continue };
        out.notes.push(format!("run {} in {}: {}", key.0, quoted(&key.1), wish.effect.kind()));
        out.effects.push(wish);
        facts.waiting_jobs.insert(key.clone(), job);
        out.changed.insert(DocumentKey::WaitingJob(key.0, key.1));
    }
}

/// Returns the answer to a job that is due now, if any, and records it in the job.
fn answer(key: &Key, job: &mut WaitingJob, evaluated: &Result<Decision, Headline>) -> Option<PlannedEffect> {
    let (run, asked) = (key.0, job.requests.len());
    let open = evaluated.as_ref().is_ok_and(|decision| decision.standing.is_open());
    let name = |what: &str, count: u32| format!("protect/{run}/{}/{what}/{count}", key.1);
    let wish = |key: String, effect: Effect| Some(PlannedEffect { key, replaces: false, effect });
    let words = match evaluated {
        Ok(decision) => messages::job_blocked(decision),
        Err(why) => format!("⏳ {}", why.text_for(WRITERS)),
    };
    let answer = |approve, comment| Effect::AnswerProtection { run, environment: job.name.clone(), approve, comment };
    match job.answered.filter(|(count, _)| *count == asked) {
        // An approval can't be withdrawn, but the run that it released can be cancelled.
        Some((_, true)) if evaluated.as_ref().is_ok_and(is_known_to_be_shut) => {
            job.cancelled = true;
            wish(name("cancel", job.answers), Effect::CancelRun { run })
        }
        None if open => {
            let effect = answer(Some(true), format!("✅ {}", messages::job_starts().text_for(WRITERS)));
            job.answered = Some((asked, true));
            job.answers += 1;
            wish(name("answer", job.answers), effect)
        }
        None if evaluated.as_ref().is_ok_and(is_final) => {
            let effect = answer(Some(false), words);
            job.answered = Some((asked, false));
            job.answers += 1;
            wish(name("answer", job.answers), effect)
        }
        None if job.reports < MOST_REPORTS && job.reported != words => {
            let effect = answer(None, words.clone());
            job.reports += 1;
            job.reported = words;
            wish(name("report", job.reports), effect)
        }
        Some(_) | None => None,
    }
}

/// Returns whether a gate is closed by a condition that is not just waiting for an answer.
fn is_known_to_be_shut(decision: &Decision) -> bool {
    fn is_asked(condition: &Condition) -> bool {
        let open = condition.standing.is_open();
        !open && (condition.code.ends_with("_asked") || condition.parts.iter().any(is_asked))
    }
    decision.conditions.iter().any(|condition| !condition.standing.is_open() && !is_asked(condition))
}

/// Returns whether neither time nor a person can open the gate. Reporting that ends the run.
fn is_final(decision: &Decision) -> bool {
    decision.standing == ConditionState::Fail && !decision.needs_person && decision.next_at.is_none()
}

/// Records the outcome of an answer: a verdict that was not sent is still owed.
pub(super) fn answered(
    facts: &mut RepoFacts,
    run: u64,
    environment: &str,
    approve: Option<bool>,
    outcome: EffectOutcome<'_>,
    out: &mut PartialPlan,
) {
    let key = (run, name_key(environment));
    let Some(job) = facts.waiting_jobs.get_mut(&key) else { return };
    if approve.is_some() && matches!(outcome, EffectOutcome::Withheld(_)) {
        job.answered = None;
        out.changed.insert(DocumentKey::WaitingJob(key.0, key.1));
    }
}
