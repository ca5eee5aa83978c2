//! Automatic deploys: a tag was pushed, or the default branch moved.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    context::EvalContext,
    deploy::{finish::finish, messages, permit},
    domain::{
        decision::ConditionState,
        effect::RefGuard,
        event::RefName,
        fact::{
            DocumentKey, RepoFacts,
            commit::PushFacts,
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind},
        },
        id::{Account, Sha},
        policy::Mode,
        rule::{AutoRule, Trigger},
        service::Scope,
        version,
    },
    plan::{DecisionContext, PartialPlan},
};

/// Age beyond which a push starts nothing: enabling a policy must not deploy the past.
const NEWS: SignedDuration = SignedDuration::from_hours(24);

/// Maximum merges that wait for one environment; the newest are kept.
const MOST_WAITING: usize = 10;

/// Asks for the files of pushes whose own lists do not tell which services they concern.
pub(super) fn want_files(eval: &EvalContext<'_>) {
    if eval.policy.mode != Mode::Act || eval.policy.services.is_empty() {
        return;
    }
    let since = news_since(eval.facts, eval.now);
    for (environment, rule) in eval.policy.environments.iter().filter(|(_, rule)| rule.deploy.is_some()) {
        if rule.auto.on.contains(&Trigger::Merge) {
            newest_merge(eval, environment, &rule.auto, since);
        }
    }
}

/// Returns the time from which pushes and tags start something.
fn news_since(facts: &RepoFacts, now: Timestamp) -> Timestamp {
    in_force_since(facts).max(now.checked_sub(NEWS).ok()).unwrap_or(Timestamp::MIN)
}

/// Records a request for every trigger that fired.
pub(super) fn ask(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if terms.policy.mode != Mode::Act || terms.writes_disabled.is_some() {
        return;
    }
    let since = news_since(facts, terms.now);
    for (environment, rule) in terms.policy.environments.iter().filter(|(_, rule)| rule.deploy.is_some()) {
        for trigger in &rule.auto.on {
            let found = match trigger {
                Trigger::Tag => {
                    let takes = |tag: &str| terms.policy.auto_takes_tag(environment, &rule.auto, tag);
                    newest_tag(facts, &takes, since)
                }
                Trigger::Merge => {
                    let eval = EvalContext::new(facts, terms.policy, terms.now);
                    newest_merge(&eval, environment, &rule.auto, since)
                }
            };
            if let Some(news) = found.filter(|news| news.at >= since) {
                record(facts, environment, news, terms, out);
            }
        }
        withdraw_replaced(facts, environment, terms, out);
    }
}

struct News {
    at: Timestamp,
    sha: Sha,
    origin: Origin,
    watched: RefGuard,
}

/// Returns the tag that moved last since then, of those that start a deploy; of several that moved
/// at once, the one with the highest version.
fn newest_tag(facts: &RepoFacts, takes: &dyn Fn(&str) -> bool, since: Timestamp) -> Option<News> {
    let recent = facts.index.tag_moves.range((since, String::new())..).rev();
    // A tag that moved again or was deleted since starts nothing.
    let stands = |at: &Timestamp, tag: &String| {
        let place = facts.refs.get(&RefName::Tag(tag.clone())).and_then(|place| place.moves().last());
        place.is_some_and(|(last, sha)| last == at && sha.is_some())
    };
    let mut wanted = recent.filter(|(at, tag)| version::is_final(tag) && takes(tag) && stands(at, tag));
    let mut newest = wanted.next()?;
    for other in wanted.take_while(|(at, _)| *at == newest.0) {
        if is_higher_version(&other.1, &newest.1) {
            newest = other;
        }
    }
    let (at, tag) = newest;
    let place = facts.refs.get(&RefName::Tag(tag.clone()))?;
    let (_, sha) = place.moves().last()?;
    let (origin, watched) = (Origin::Tag(tag.clone()), RefGuard::Tag(tag.clone()));
    Some(News { at: *at, sha: sha.clone()?, origin, watched })
}

/// Returns whether a request is for a higher version of the same package.
fn is_higher(origin: &Origin, than: &Origin) -> bool {
    matches!((origin, than), (Origin::Tag(tag), Origin::Tag(other)) if is_higher_version(tag, other))
}

fn is_higher_version(tag: &str, than: &str) -> bool {
    let versions = version::parse(tag).zip(version::parse(than));
    versions.is_some_and(|(a, b)| a.name == b.name && a.semver.cmp_precedence(&b.semver).is_gt())
}

/// Returns the newest push that starts a deployment to an environment.
fn newest_merge(eval: &EvalContext<'_>, environment: &str, auto: &AutoRule, since: Timestamp) -> Option<News> {
    let (facts, policy) = (eval.facts, eval.policy);
    let newest_on = |branch: &str| {
        if policy.services.is_empty() {
            newest_push(facts, branch)
        } else {
            let takes = |scope: Scope<'_>| policy.auto_takes_scope(environment, auto, scope);
            newest_push_for(eval, branch, &takes, since)
        }
    };
    let Some(patterns) = &auto.branches else { return newest_on(facts.default_branch()) };
    let counts = |branch: &str| facts.is_main_line(branch) || policy.lists_branch(branch, facts.default_branch());
    let recent = facts.index.by_time.range((since, Sha::FIRST, String::new())..).map(|(_, _, branch)| branch.as_str());
    let wanted: BTreeSet<&str> =
        recent.filter(|branch| counts(branch) && patterns.iter().any(|pattern| pattern.matches(branch))).collect();
    wanted.into_iter().filter_map(newest_on).max_by(|one, other| (one.at, &one.sha).cmp(&(other.at, &other.sha)))
}

fn newest_push(facts: &RepoFacts, branch: &str) -> Option<News> {
    let branch = branch.to_owned();
    let (at, sha) = facts.refs.get(&RefName::Branch(branch.clone()))?.moves().last()?.clone();
    let (origin, watched) = (Origin::Merge(branch.clone()), RefGuard::Branch(branch));
    Some(News { at, sha: sha?, origin, watched })
}

/// Returns the newest push to a branch that concerns a scope which `takes` accepts, or may: a push
/// whose files are not all known counts for every service.
fn newest_push_for(
    eval: &EvalContext<'_>,
    branch: &str,
    takes: &dyn Fn(Scope<'_>) -> bool,
    since: Timestamp,
) -> Option<News> {
    let facts = eval.facts;
    let branch = branch.to_owned();
    let name = RefName::Branch(branch.clone());
    let moves = facts.refs.get(&name)?.moves();
    let mut recent =
        moves.iter().rev().take_while(|(at, _)| *at >= since).map_while(|(at, sha)| Some((at, sha.as_ref()?)));
    let (at, sha) = recent.find(|(_, sha)| {
        let pushes = facts.index.ended_at.get(sha).into_iter().flatten().filter(|id| id.0 == name);
        let mut pushes = pushes.filter_map(|id| facts.pushes.get(id));
        pushes.any(|push| concerns(eval, push, takes))
    })?;
    // Later pushes of other services take nothing back, so the branch may have moved on.
    let (origin, watched) = (Origin::Merge(branch), RefGuard::Commit);
    Some(News { at: *at, sha: sha.clone(), origin, watched })
}

/// Returns whether a part of a push belongs to a scope that `takes` accepts, or may. While the forge is
/// asked about its files, none does.
fn concerns<'f>(eval: &EvalContext<'f>, push: &'f PushFacts, takes: &dyn Fn(Scope<'_>) -> bool) -> bool {
    let parts = eval.parts_of_push(push);
    if parts.is_none() && eval.are_parts_asked_for(push) {
        return false;
    }
    parts.is_none_or(|parts| parts.iter().any(|touched| eval.policy.any_scope(touched, takes)))
}

/// Returns when the policy file last changed, as far as pushes show.
fn in_force_since(facts: &RepoFacts) -> Option<Timestamp> {
    let branch = facts.default_branch().to_owned();
    let pushes = facts.index.policy_pushes.range((branch.clone(), Timestamp::MIN)..=(branch, Timestamp::MAX));
    pushes.map(|(_, at)| *at).next_back()
}

fn record(facts: &mut RepoFacts, environment: &str, news: News, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let id = id(environment, &news);
    if facts.requests.contains_key(&id) {
        return;
    }
    // Of the automatic requests, the newest counts; of merges, the newest whose gate opens.
    let older = facts.open_requests().filter(|(_, request)| {
        is_waiting_in(request, environment) && request.at <= news.at && !is_higher(&request.origin, &news.origin)
    });
    let older = older.filter(|(id, request)| !(is_merge(&news.origin) && may_open(facts, id, request, terms)));
    let older: Vec<String> = older.map(|(id, _)| id.clone()).collect();
    withdraw(facts, older, terms, out);
    let request = DeployRequest {
        by: Account::login_only("phasebot"),
        reference: match &news.watched {
            RefGuard::Tag(name) | RefGuard::Branch(name) => name.clone(),
            RefGuard::Commit | RefGuard::Pull(_) => String::new(),
        },
        watched: news.watched,
        since: terms.now,
        ..DeployRequest::new(environment, RequestKind::Deploy, news.origin, news.at, Some(news.sha))
    };
    out.notes.push(messages::asked(&request));
    facts.requests.insert(id.clone(), request);
    out.changed.insert(DocumentKey::Request(id));
}

/// Returns whether a request is an automatic one that waits for an environment.
fn is_waiting_in(request: &DeployRequest, environment: &str) -> bool {
    request.environment == environment
        && !request.holds_environment()
        && !matches!(request.origin, Origin::Command(_) | Origin::Incident(_) | Origin::Label(_))
}

fn is_merge(origin: &Origin) -> bool {
    matches!(origin, Origin::Merge(_))
}

/// Returns whether the request for a merge has an open gate, or one that may open by itself.
fn may_open(facts: &RepoFacts, id: &str, request: &DeployRequest, terms: &DecisionContext<'_>) -> bool {
    let decision = if is_merge(&request.origin) { permit::evaluate(facts, id, request, terms) } else { None };
    decision.is_some_and(|decision| match decision.standing {
        ConditionState::Pass | ConditionState::Waived => true,
        ConditionState::Pending => !decision.needs_person,
        ConditionState::Fail | ConditionState::Error => false,
    })
}

/// Withdraws the merges that wait for an environment and are older than one whose gate is open, and
/// the oldest of more than [`MOST_WAITING`].
fn withdraw_replaced(facts: &mut RepoFacts, environment: &str, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    let waiting = facts.open_requests();
    let waiting = waiting.filter(|(_, request)| is_waiting_in(request, environment) && is_merge(&request.origin));
    let mut waiting: Vec<(Timestamp, &String, &DeployRequest)> =
        waiting.map(|(id, request)| (request.at, id, request)).collect();
    if waiting.len() < 2 {
        return;
    }
    waiting.sort_by_key(|(at, id, _)| std::cmp::Reverse((*at, *id)));
    let is_open = |(_, id, request): &(Timestamp, &String, &DeployRequest)| {
        permit::evaluate(facts, id, request, terms).is_some_and(|decision| decision.standing.is_open())
    };
    let newest_open = waiting.iter().position(is_open).map_or(waiting.len(), |newest| newest + 1);
    let replaced: Vec<String> =
        waiting.iter().skip(newest_open.min(MOST_WAITING)).map(|(_, id, _)| (*id).clone()).collect();
    withdraw(facts, replaced, terms, out);
}

fn withdraw(facts: &mut RepoFacts, requests: Vec<String>, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    for id in requests {
        finish(facts, &id, RequestEnd::Withdrawn, &messages::newer_came(), terms, out);
    }
}

/// Returns phasebot's id of the request: the same push always yields the same request.
fn id(environment: &str, news: &News) -> String {
    let what = match &news.origin {
        Origin::Tag(name) => format!("tag {name}"),
        Origin::Merge(name) => format!("merge {name}"),
        Origin::Command(_) | Origin::Incident(_) | Origin::Label(_) => String::new(),
    };
    let digest = Sha256::digest(format!("{environment}\n{what}\n{}\n{}", news.sha, news.at));
    format!("pb-auto-{}", hex::encode(&digest[..8]))
}
