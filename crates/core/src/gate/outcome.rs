//! Check run of a gate that nothing asks for any more: what became of the deploy, job or release.

use crate::{
    context::EvalContext,
    domain::{
        decision::{ConditionState, Decision, GateName},
        effect::{CheckVerdict, Effect},
        event::{DeployState, RunOutcome},
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, RequestEnd, RequestKind, RequestState},
            gate::GateFacts,
            release::ReleaseState,
        },
        id::Sha,
        policy::Policy,
        rule::name_key,
        statement::Statement,
        turn::Turn,
    },
    gate::{
        check_run::{self, Page, of_gate, one_line, passed},
        condition_table::conditions,
    },
    text::{
        headline,
        links::{Links, run_link},
        message::{capitalized, moment, quoted},
    },
};

/// What became of what a gate was asked for.
#[derive(Clone, Copy)]
pub(super) enum Outcome<'a> {
    /// A deploy ended.
    Deploy(&'a DeployRequest, RequestEnd, &'a Statement),
    /// A deploy is under way: the gate was open when it started.
    UnderWay(&'a DeployRequest),
    /// The job that waited started.
    JobStarted,
    /// No job waits any more, and none started.
    JobGone,
    /// The draft release was published.
    Published(&'a ReleaseState),
    /// There is no draft release any more.
    DraftGone,
}

/// Returns what became of what a gate was asked for, as far as it is known; the newest counts.
pub(super) fn of<'a>(facts: &'a RepoFacts, policy: &Policy, gate: &GateFacts) -> Option<Outcome<'a>> {
    let decision = &gate.decision;
    match &decision.gate {
        GateName::Deploy(environment) if gate.live => under_way(facts, environment, &decision.sha),
        GateName::Deploy(environment) => of_deploy(facts, environment, &decision.sha),
        GateName::Release(_) if gate.live => None,
        GateName::Release(name) => of_release(facts, policy, name, decision),
    }
}

fn requests<'a>(facts: &'a RepoFacts, environment: &str, sha: &Sha) -> impl Iterator<Item = &'a DeployRequest> {
    let of_commit = facts.requests.index().by_commit.of(sha).filter_map(|id| facts.requests.get(id));
    of_commit.filter(move |request| request.environment == environment && !request.dry_run)
}

fn under_way<'a>(facts: &'a RepoFacts, environment: &str, sha: &Sha) -> Option<Outcome<'a>> {
    let mut running = requests(facts, environment, sha).filter(|request| request.state == RequestState::Running);
    running.next().map(Outcome::UnderWay)
}

fn of_deploy<'a>(facts: &'a RepoFacts, environment: &str, sha: &Sha) -> Option<Outcome<'a>> {
    // Of several, the one that ended last: a repetition is refused while the first still waits.
    if let Some(last) = requests(facts, environment, sha).max_by_key(|request| request.since) {
        let RequestState::Ended { how, why } = &last.state else { return None };
        return Some(Outcome::Deploy(last, *how, why));
    }
    let made = facts.deployments.index().by_commit.of(sha).filter_map(|id| facts.deployments.get(id));
    let here = made.filter(|made| name_key(&made.environment) == environment);
    let state = here.max_by_key(|made| made.created_at).and_then(|made| made.statuses.last()).map(|last| last.state);
    Some(match state {
        Some(DeployState::InProgress | DeployState::Success) => Outcome::JobStarted,
        Some(DeployState::Waiting | DeployState::Failure | DeployState::Inactive) | None => Outcome::JobGone,
    })
}

fn of_release<'a>(facts: &'a RepoFacts, policy: &Policy, name: &str, decision: &Decision) -> Option<Outcome<'a>> {
    let rule = policy.gates.get(&name_key(name)).filter(|rule| rule.draft)?;
    let eval = EvalContext::new(facts, policy, decision.at);
    let is_here = |state: &ReleaseState| {
        rule.tag.as_ref().is_none_or(|pattern| pattern.matches(&state.tag))
            && eval.draft_commit(&state.tag, &state.target).as_ref() == Some(&decision.sha)
    };
    let mut published = facts.releases_since(decision.at).map(|(_, state)| state).filter(|state| is_here(state));
    Some(published.next_back().map_or(Outcome::DraftGone, Outcome::Published))
}

/// Returns the check run that shows what became of it; `None`: the one that is there stays correct.
pub(super) fn check(page: Page<'_>, gate: &GateFacts, outcome: Option<Outcome<'_>>) -> Option<Effect> {
    let decision = &gate.decision;
    let is_open = decision.standing.is_open();
    match outcome {
        Some(Outcome::Deploy(request, RequestEnd::Succeeded, _)) => Some(deployed(page, decision, request)),
        Some(Outcome::Deploy(request, RequestEnd::Failed, why)) => Some(failed(page, decision, request, why)),
        Some(Outcome::Deploy(request, how, why)) => Some(came_to_nothing(page, decision, request, how, why)),
        Some(Outcome::UnderWay(request)) => (!is_open).then(|| under_way_check(page, decision, request)),
        // A closed gate says itself that nobody asks for it any more.
        _ if !is_open => None,
        Some(Outcome::JobStarted) => Some(over(page, decision, "the job that waited for it has started")),
        Some(Outcome::JobGone) => Some(over(page, decision, "no job waits for it any more")),
        Some(Outcome::Published(release)) => {
            Some(over(page, decision, &format!("{} is published", quoted(&release.tag))))
        }
        Some(Outcome::DraftGone) => Some(over(page, decision, "no draft release waits for it any more")),
        None => None,
    }
}

/// Returns the check run of a gate that was open, and is needed no longer.
fn over(page: Page<'_>, decision: &Decision, why: &str) -> Effect {
    let turn = Turn::by_itself(why);
    let state = format!("passed: the gate of {} was open for {}", of_gate(&decision.gate), decision.sha.code());
    let first = format!("{} {}", mark(decision), headline::line(&state, &turn));
    let title = one_line(&turn.after(&passed(decision)));
    run(page, decision, None, CheckVerdict::Success, title, &first)
}

/// Returns the check run of a deploy that succeeded. Its gate was open when it started.
fn deployed(page: Page<'_>, decision: &Decision, request: &DeployRequest) -> Effect {
    let (environment, sha) = (quoted(&request.environment), decision.sha.code());
    let at = moment(request.since, &page.policy.commands.zone);
    let run_of = run_link(page.facts, request).map(|run| format!(": {run}")).unwrap_or_default();
    let carries = if request.carries.is_empty() { String::new() } else { format!(", with {}", request.carries) };
    let (what, state) = match request.kind {
        RequestKind::Deploy | RequestKind::Promote => (
            format!("deployed to {environment}"),
            format!("{sha} was deployed to {environment} on {at}{carries}{run_of}"),
        ),
        RequestKind::Rollback => (
            format!("{environment} rolled back to {sha}"),
            format!("{environment} was rolled back to {sha} on {at}{run_of}"),
        ),
    };
    let (state, title) = if decision.standing.is_open() {
        (state, format!("{}, {what}", passed(decision)))
    } else {
        (format!("{state}; the gate has closed since it started"), what)
    };
    let first = format!("{} {}", mark(decision), headline::line(&state, &Turn::Nobody));
    let title = one_line(&Turn::Nobody.after(&capitalized(&title)));
    run(page, decision, Some(request), CheckVerdict::Success, title, &first)
}

/// Returns the check run of a deploy that started and failed, or was cancelled.
fn failed(page: Page<'_>, decision: &Decision, request: &DeployRequest, why: &Statement) -> Effect {
    let run_of = request.run.and_then(|run| page.facts.runs.get(&run));
    let how = match run_of.map(|run| run.outcome) {
        Some(RunOutcome::Cancelled) => "cancelled",
        _ => "failed",
    };
    let what = match request.kind {
        RequestKind::Deploy | RequestKind::Promote => "deploy",
        RequestKind::Rollback => "rollback",
    };
    // The gate may have closed since the deploy started.
    let gate = if decision.standing.is_open() { "Gate passed, " } else { "" };
    let title = capitalized(&format!("{gate}{what} {how}"));
    let title = one_line(&why.turn.after(&title));
    run(page, decision, Some(request), CheckVerdict::Failure, title, &format!("❌ {}", why.text))
}

/// Returns the check run of a deploy that never started. What was withdrawn or cancelled failed nowhere.
fn came_to_nothing(
    page: Page<'_>,
    decision: &Decision,
    request: &DeployRequest,
    how: RequestEnd,
    why: &Statement,
) -> Effect {
    let (verdict, mark) = match how {
        RequestEnd::Withdrawn | RequestEnd::NotBegun => (CheckVerdict::Cancelled, "⏹️"),
        RequestEnd::Succeeded | RequestEnd::Failed | RequestEnd::Refused | RequestEnd::DryRunEnded => {
            (CheckVerdict::Failure, "❌")
        }
    };
    let title = one_line(&why.turn.after(&format!("Not deployed — {}", why.summary())));
    run(page, decision, Some(request), verdict, title, &format!("{mark} {}", why.text))
}

/// Returns the check run of a deploy that is under way while its gate is closed again.
fn under_way_check(page: Page<'_>, decision: &Decision, request: &DeployRequest) -> Effect {
    let turn = check_run::carries_out(request);
    let state = format!(
        "the gate of {} was open for {} when the deploy started, and has closed since",
        of_gate(&decision.gate),
        decision.sha.code()
    );
    let title = one_line(&turn.after("Under way; the gate has closed since it started"));
    run(
        page,
        decision,
        Some(request),
        CheckVerdict::InProgress,
        title,
        &format!("⏳ {}", headline::line(&state, &turn)),
    )
}

/// Returns the check run of a gate that the policy no longer has. It fails.
pub(super) fn abolished(page: Page<'_>, decision: &Decision) -> Effect {
    let turn = Turn::people(
        "an administrator of the repository",
        format!("end the requirement of {}, if a rule of a branch or tag has it", quoted(&decision.gate.check())),
    );
    let line = headline::line("the policy no longer has this gate, so nothing passes it", &turn);
    let title = one_line(line.trim_end_matches('.'));
    let first = format!("❌ {line} Its last evaluation:");
    run(page, decision, page.request(decision), CheckVerdict::Failure, title, &first)
}

fn mark(decision: &Decision) -> &'static str {
    if decision.standing == ConditionState::Waived { "⚠️" } else { "✅" }
}

fn run(
    page: Page<'_>,
    decision: &Decision,
    request: Option<&DeployRequest>,
    verdict: CheckVerdict,
    title: String,
    first: &str,
) -> Effect {
    let summary = format!("{first}\n\n{}", conditions(decision, page.policy, &Links::of(page.facts)));
    check_run::run(page, decision, request, verdict, title, summary)
}
