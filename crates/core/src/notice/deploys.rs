//! Notices about deployments: those that phasebot runs, and those of others.

use crate::{
    context::EvalContext,
    deploy,
    domain::{
        decision::{Condition, GateName, MissingApproval},
        event::DeployState,
        fact::{
            deploy_request::{DeployRequest, RequestEnd, RequestKind, RequestState},
            deployment::DeploymentOrigin,
        },
        notice::{NoticeKind, NoticeLink},
        rule::name_key,
    },
    gate,
    notice::{Draft, words},
    text::{
        links::Links,
        message::{self, capitalized, quoted},
        sanitize,
    },
};

/// Returns the notice about a deployment that phasebot runs, or is asked to run.
pub(super) fn of_request(eval: &EvalContext<'_>, id: &str) -> Option<Draft> {
    let request = eval.facts.requests.get(id)?;
    if request.dry_run {
        return None;
    }
    let what = deploy::what(request);
    let asked = format!("Requested {}", deploy::asker(request));
    let has_ended = request.end().is_some();
    let (kind, is_news, headline, turn) = match &request.state {
        RequestState::Asked => return None,
        RequestState::Waiting(_) => {
            request.approval.as_ref().filter(|asked| !asked.closed)?;
            (NoticeKind::PersonNeeded, true, format!("the {what} needs an approval"), approvers(eval, request))
        }
        RequestState::Starting(_) | RequestState::Running => {
            (NoticeKind::DeployStarted, true, format!("the {what} has begun"), String::new())
        }
        RequestState::Ended { how, why } => {
            let (kind, is_news) = match (how, request.kind) {
                (RequestEnd::Succeeded, RequestKind::Rollback) => (NoticeKind::RolledBack, true),
                (RequestEnd::Succeeded, RequestKind::Deploy | RequestKind::Promote) => {
                    (NoticeKind::DeploySucceeded, true)
                }
                (RequestEnd::Failed, _) => (NoticeKind::DeployFailed, true),
                // Who asked is told where they asked; here it only ends what was announced.
                (RequestEnd::Refused | RequestEnd::Withdrawn | RequestEnd::NotBegun, _) => {
                    (NoticeKind::PersonNeeded, false)
                }
                (RequestEnd::DryRunEnded, _) => return None,
            };
            let turn = if why.turn.is_of_people() { elsewhere(&why.turn.words(), request) } else { String::new() };
            (kind, is_news, why.summary().to_owned(), turn)
        }
    };
    let needs_person = kind == NoticeKind::PersonNeeded && is_news;
    let carries = if request.carries.is_empty() { String::new() } else { format!("Brings {}", request.carries) };
    Some(Draft {
        thread: format!("deploy/{}/{id}", request.environment),
        kind,
        is_news,
        environment: Some(request.environment.clone()),
        headline: capitalized(&headline),
        lines: vec![asked, carries, turn],
        links: links(eval, request, has_ended),
        needs_person,
        at: request.approval.as_ref().filter(|_| needs_person).map_or(request.since, |asked| asked.at),
    })
}

/// Returns who may approve a deploy: not how many have, so that it stays the same while it waits.
fn approvers(eval: &EvalContext<'_>, request: &DeployRequest) -> String {
    let Some(sha) = &request.sha else { return String::new() };
    let key = (GateName::Deploy(request.environment.clone()), sha.clone());
    let mut missing = Vec::new();
    if let Some(gate) = eval.facts.gates.get(&key) {
        collect(&gate.decision.conditions, &mut missing);
    }
    let mut people: Vec<String> = missing.into_iter().map(|one| gate::approvers(one, quoted)).collect();
    people.dedup();
    if people.is_empty() { String::new() } else { format!("An approval by {}", people.join(", and by ")) }
}

fn collect<'a>(conditions: &'a [Condition], missing: &mut Vec<&'a MissingApproval>) {
    for condition in conditions.iter().filter(|condition| !condition.standing.is_open()) {
        missing.extend(&condition.approval);
        collect(&condition.parts, missing);
    }
}

/// Returns whose turn it is for people who do not read it on the request's item.
fn elsewhere(turn: &str, request: &DeployRequest) -> String {
    match (turn.strip_suffix(" here"), request.item()) {
        (Some(before), Some(item)) => format!("{before} on #{item}"),
        (Some(before), None) => before.to_owned(),
        (None, _) => turn.to_owned(),
    }
}

/// Returns links to where it was asked for, to its workflow run once it has ended (it may be known only
/// some time after it began), and to its commit.
fn links(eval: &EvalContext<'_>, request: &DeployRequest, has_ended: bool) -> Vec<NoticeLink> {
    let pages = Links::of(eval.facts);
    let item = request.approval.as_ref().map(|asked| asked.item).or_else(|| request.item());
    let item = item.and_then(|item| words::link(&format!("#{item}"), pages.item_page(item)));
    let run = request.run.filter(|_| has_ended).and_then(|run| eval.facts.runs.get(&run));
    let run = words::link("Workflow run", run.and_then(|run| sanitize::link(&run.url)));
    let commit = request.sha.as_ref();
    let commit = commit.and_then(|sha| words::link(&format!("Commit {}", sha.short()), pages.commit_page(sha)));
    item.into_iter().chain(run).chain(commit).collect()
}

/// Returns the notice about a deployment that somebody else runs.
pub(super) fn of_deployment(eval: &EvalContext<'_>, id: u64) -> Option<Draft> {
    let deployment = eval.facts.deployments.get(&id)?;
    let status = deployment.statuses.last()?;
    let environment = name_key(&deployment.environment);
    let is_theirs = deployment.origin() == DeploymentOrigin::Own
        && deployment.has_history()
        && eval.facts.request_of(id).is_none()
        // It may still turn out to be that of a request of ours.
        && eval.facts.under_way(&environment).is_none();
    if !is_theirs {
        return None;
    }
    let (kind, how) = match status.state {
        DeployState::Failure => (NoticeKind::DeployFailed, "failed"),
        DeployState::Success => (NoticeKind::DeploySucceeded, "succeeded"),
        DeployState::Waiting | DeployState::InProgress | DeployState::Inactive => return None,
    };
    // One that does not count there, such as a job that only needs its secrets, is none.
    let sha = eval.history(&environment).attempt(id)?.commit;
    let place = quoted(&deployment.environment);
    let by = deployment.creator.as_ref().map_or_else(String::new, |by| format!("Started by {}", quoted(&by.login)));
    let pages = Links::of(eval.facts);
    let commit = sha.and_then(|sha| words::link(&format!("Commit {}", sha.short()), pages.commit_page(sha)));
    Some(Draft {
        thread: format!("deploy/{environment}/d{id}"),
        kind,
        is_news: true,
        headline: format!("The deployment of {} to {place} {how}", message::commit(sha)),
        environment: Some(environment),
        lines: vec![by],
        links: commit.into_iter().collect(),
        needs_person: false,
        at: status.at,
    })
}
