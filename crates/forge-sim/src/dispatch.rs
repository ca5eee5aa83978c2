//! Processes one request: route, authentication, limits, handler, record.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    auth::check_jwt,
    exchange::Exchange,
    fault::FaultKind,
    git::hash,
    limits::{Exceeded, HOURLY, THE_APP},
    route::{Auth, Call, Reply, Route, find_route, unescape},
    state::State,
};

/// Maximum time for which a stale list may lack its newest element.
const LISTS_LAG: SignedDuration = SignedDuration::from_secs(8);

/// A request.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) authorization: String,
    pub(super) if_none_match: String,
    pub(super) user_agent: String,
    pub(super) body: Vec<u8>,
}

/// Result of a request.
pub(super) enum Outcome {
    Answer(Reply),
    /// The connection closes without an answer.
    Close,
    /// The client never gets an answer.
    Hang,
}

/// Answers a request and records the exchange.
pub(super) fn dispatch(state: &mut State, asked: &Asked) -> Outcome {
    let now = state.now();
    let path = by_name(state, &asked.path);
    let found = find_route(&asked.method, &path);
    let (route, params) = found.map_or((None, Vec::new()), |(route, params)| (Some(route), params));
    let template = route.map_or("", |r| r.template);
    let fault = state.faults.take(&asked.method, template, &asked.path);
    let body = serde_json::from_slice(&asked.body).ok();
    let mut call = Call {
        params,
        query: query_of(&asked.query),
        body: body.clone().unwrap_or_default(),
        repo: 0,
        installation: 0,
        person: String::new(),
        link: path,
        stale: (fault == Some(FaultKind::StaleList)).then(|| now.saturating_sub(LISTS_LAG).unwrap_or(now)),
    };

    let result = match (route, fault) {
        (Some(route), fault) if fault.is_none_or(FaultKind::applies) => carry_out(state, asked, route, &mut call, now),
        (None, None) => Err(Reply::not_found()),
        _ => Ok(Reply::no_content()),
    };
    let mut reply = result.unwrap_or_else(|error| error);
    if call.installation != 0 && asked.method == "GET" && reply.status == 200 {
        reply = conditional(state, asked, &call, reply, now);
    }
    let outcome = match fault {
        Some(FaultKind::Status502Before | FaultKind::Status502AfterApply) => Outcome::Answer(Reply::bad_gateway()),
        Some(FaultKind::ResetBefore | FaultKind::ResetAfterApply) => Outcome::Close,
        Some(FaultKind::Timeout) => Outcome::Hang,
        Some(FaultKind::RateLimit429 { retry_after }) => {
            let seconds = i64::try_from(retry_after.as_secs()).unwrap_or(i64::MAX);
            Outcome::Answer(Reply::secondary_limit(429, Some(seconds)))
        }
        Some(FaultKind::SecondaryLimit403) => Outcome::Answer(Reply::secondary_limit(403, None)),
        Some(FaultKind::Forbidden403) => Outcome::Answer(Reply::forbidden("Resource not accessible by integration")),
        Some(FaultKind::Refused { status, message }) => Outcome::Answer(Reply::error(status, message)),
        Some(FaultKind::TooLarge403) => Outcome::Answer(Reply::too_large()),
        Some(FaultKind::Accepted202) => Outcome::Answer(Reply::done_otherwise()),
        Some(FaultKind::NotFoundThenOk) => Outcome::Answer(Reply::not_found()),
        Some(FaultKind::StaleList) | None => Outcome::Answer(reply),
    };
    let as_app = route.is_some_and(|route| route.auth == Auth::App);
    let outcome = with_standing(state, &call, as_app, outcome);
    let shown = match &outcome {
        Outcome::Answer(reply) => Some(reply.clone()),
        Outcome::Close | Outcome::Hang => None,
    };
    state.exchanges.push(Exchange {
        at: now,
        method: asked.method.clone(),
        route: template.to_owned(),
        path: asked.path.clone(),
        params: call.params,
        query: call.query,
        installation: (call.installation != 0).then_some(call.installation),
        request: body,
        status: shown.as_ref().map(|r| r.status),
        response: shown.and_then(|r| r.body),
        fault,
    });
    outcome
}

fn carry_out(state: &mut State, asked: &Asked, route: &Route, call: &mut Call, now: Timestamp) -> Result<Reply, Reply> {
    if asked.user_agent.is_empty() {
        return Err(Reply::forbidden(
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
        ));
    }
    if !asked.body.is_empty() && call.body.is_null() {
        return Err(Reply::bad_request());
    }
    authenticate(state, asked, route, call)?;
    if route.auth == Auth::App {
        // The App's own hour: nothing but the hourly limit is counted for it.
        state.limits.spend(THE_APP, 1, now);
    }
    if call.installation != 0 {
        let write = asked.method != "GET" && route.template != "/graphql";
        state.limits.charge(call.installation, write, route.creates, now).map_err(|exceeded| match exceeded {
            Exceeded::Primary => Reply::primary_limit(call.installation),
            Exceeded::Secondary(wait) => Reply::secondary_limit(403, Some(wait)),
        })?;
    }
    locate(state, asked, route, call)?;
    allow(state, asked, route, call)?;
    (route.handle)(state, call)
}

/// Authenticates the request, and sets the installation that sent it.
fn authenticate(state: &State, asked: &Asked, route: &Route, call: &mut Call) -> Result<(), Reply> {
    if route.auth == Auth::Open {
        return Ok(());
    }
    let (scheme, secret) = asked.authorization.split_once(' ').unwrap_or_default();
    if secret.is_empty() {
        return Err(Reply::unauthorized("Requires authentication"));
    }
    let now = state.auth_clock.now();
    if route.auth == Auth::App {
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Reply::unauthorized("A JSON web token could not be decoded"));
        }
        return check_jwt(secret, &state.app.key, state.app.id, now).map_err(Reply::unauthorized);
    }
    // A person may read a repository with a token of their own.
    let is_repository = asked.method == "GET" && route.template == "/repos/{owner}/{repo}";
    if route.auth == Auth::User || (is_repository && secret.starts_with("ghu_")) {
        let person = state.person_of(secret).ok_or_else(|| Reply::unauthorized("Bad credentials"))?;
        person.clone_into(&mut call.person);
        return Ok(());
    }
    let token = state.tokens.get(secret).filter(|t| t.expires_at > now);
    call.installation = token.ok_or_else(|| Reply::unauthorized("Bad credentials"))?.installation;
    Ok(())
}

/// Finds the repository in the path. A repository that the token cannot access is not found, as on
/// GitHub.
fn locate(state: &State, asked: &Asked, route: &Route, call: &mut Call) -> Result<(), Reply> {
    if !route.template.starts_with("/repos/{owner}/{repo}") {
        return Ok(());
    }
    let name = format!("{}/{}", call.param("owner"), call.param("repo")).to_lowercase();
    let present = state.names.get(&name).copied();
    let repo = present.or_else(|| state.old_names.get(&name).copied()).ok_or_else(Reply::not_found)?;
    if !call.person.is_empty() {
        // What both the person and the App can see.
        if state.installation_of(repo).is_none() || !state.may_read(&call.person, repo) {
            return Err(Reply::not_found());
        }
    } else if route.auth == Auth::Installation {
        let token = asked.authorization.split_once(' ').and_then(|(_, secret)| state.tokens.get(secret));
        let mine = state.installations.get(&call.installation).is_some_and(|i| i.repos.contains(&repo));
        let narrowed = token.and_then(|t| t.only.as_ref()).is_some_and(|only| !only.contains(&repo));
        if !mine || narrowed {
            return Err(Reply::not_found());
        }
    }
    // The part of the path behind `/repos/owner/name`.
    let rest = asked.path.splitn(5, '/').nth(4).map_or_else(String::new, |rest| format!("/{rest}"));
    let numbered = if asked.path.starts_with("/repositories/") {
        asked.path.clone()
    } else {
        format!("/repositories/{repo}{rest}")
    };
    if present.is_none() {
        let query = if asked.query.is_empty() { String::new() } else { format!("?{}", asked.query) };
        return Err(Reply::moved(&asked.method, &format!("{}{numbered}{query}", state.api)));
    }
    call.repo = repo;
    call.link = numbered;
    Ok(())
}

/// Checks that the App has the permission, and that the repository is writable.
fn allow(state: &State, asked: &Asked, route: &Route, call: &Call) -> Result<(), Reply> {
    let granted = state.installations.get(&call.installation).map_or(&state.app.permissions, |i| &i.permissions);
    let held = |wanted: &&str| {
        let (name, level) = wanted.split_once(':').unwrap_or((wanted, "read"));
        granted.get(name).is_some_and(|have| have == "write" || have == level)
    };
    if !route.permissions.is_empty() && !route.permissions.iter().any(held) {
        return Err(Reply::forbidden("Resource not accessible by integration"));
    }
    let archived = state.repos.get(&call.repo).is_some_and(|r| r.archived);
    if archived && asked.method != "GET" {
        return Err(Reply::forbidden("Repository was archived so is read-only."));
    }
    Ok(())
}

/// Answers 304 if the client already has this answer; such a request is free of the hourly limit.
fn conditional(state: &mut State, asked: &Asked, call: &Call, mut reply: Reply, now: Timestamp) -> Reply {
    let text = reply.body.as_ref().map(Value::to_string).unwrap_or_default();
    let tag = format!("W/\"{}\"", hash(&[&text]));
    if asked.if_none_match.split(',').any(|known| known.trim() == tag) {
        state.limits.refund(call.installation, now);
        reply = Reply { status: 304, body: None, headers: Vec::new() };
    }
    reply.headers.push(("etag", tag));
    reply
}

fn with_standing(state: &mut State, call: &Call, as_app: bool, outcome: Outcome) -> Outcome {
    let Outcome::Answer(mut reply) = outcome else { return outcome };
    if call.installation != 0 || as_app {
        let who = if as_app { THE_APP } else { call.installation };
        let standing = state.limits.standing(who, state.clock.now());
        reply.headers.extend([
            ("x-ratelimit-limit", HOURLY.to_string()),
            ("x-ratelimit-remaining", standing.remaining.to_string()),
            ("x-ratelimit-used", standing.used.to_string()),
            ("x-ratelimit-reset", standing.reset.as_second().to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ]);
    }
    Outcome::Answer(reply)
}

/// Rewrites `/repositories/{id}/…` to `/repos/{owner}/{name}/…`. GitHub serves both, and redirects
/// and links to the former.
fn by_name(state: &State, path: &str) -> String {
    let named = || {
        let rest = path.strip_prefix("/repositories/")?;
        let (id, rest) = rest.split_once('/').map_or((rest, String::new()), |(id, rest)| (id, format!("/{rest}")));
        let repo = state.repos.get(&id.parse().ok()?)?;
        Some(format!("/repos/{}{rest}", repo.full_name()))
    };
    named().unwrap_or_else(|| path.to_owned())
}

fn query_of(query: &str) -> Vec<(String, String)> {
    let plain = |text: &str| unescape(&text.replace('+', " "));
    let pairs = query.split('&').filter(|p| !p.is_empty());
    pairs.map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(n, v)| (plain(n), plain(v))).collect()
}
