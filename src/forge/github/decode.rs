//! Decodes deliveries to [`Event`]s.
//!
//! No content of a well-formed payload is an error. An event that phasebot does not use, or that
//! lacks a necessary field, becomes [`Seen::Nothing`] with the reason.

mod admin;
mod check;
mod deploy;
mod git;
mod item;

use jiff::Timestamp;

pub(super) use crate::forge::github::decode::{
    check::{check_page, check_seen, status_outcome},
    item::{association, review_verdict},
};

use crate::{
    domain::{
        event::{Event, RepoSeen, RunOutcome, Seen},
        id::{Account, AccountId, Actor, ForgeName, RepoKey},
    },
    forge::github::payload::{Numbered, Payload, Repository, User, json},
    port::forge::Undecodable,
};

/// Decodes a delivery.
///
/// `our_app_id` identifies our own check runs. `received_at` is the event's time if the payload has
/// none.
///
/// # Errors
/// The body is not a JSON object.
pub fn decode(
    forge: &ForgeName,
    our_app_id: u64,
    event: &str,
    body: &[u8],
    received_at: Timestamp,
) -> Result<Event, Undecodable> {
    let json = json(body);
    let payload = Payload::parse(&json)?;
    let action: Option<String> = payload.get("action");
    let repository: Option<Repository> = payload.get("repository");
    let delivery = Delivery {
        forge,
        our_app_id,
        action: action.as_deref().unwrap_or_default(),
        repo: repository.as_ref().and_then(|repository| repo_seen(forge, repository)),
        pushed_at: repository.as_ref().and_then(|r| r.pushed_at.0),
        repo_updated_at: repository.as_ref().and_then(|r| r.updated_at.0),
        sender: payload.get("sender").and_then(actor),
        payload: &payload,
        received_at,
    };
    let (seen, at) = match understand(event, &delivery) {
        Ok(Understood { seen, at }) => (seen, at),
        Err(Useless::Because(reason)) => (Seen::Nothing { reason }, None),
        Err(Useless::Lacks(field)) => (Seen::Nothing { reason: format!("{event} payload without {field}") }, None),
    };
    Ok(Event {
        name: if delivery.action.is_empty() { event.to_owned() } else { format!("{event}.{}", delivery.action) },
        connection: payload.get("installation").and_then(|installation: Numbered| installation.id.0),
        repo: delivery.repo,
        sender: delivery.sender,
        at: at.unwrap_or(received_at),
        seen,
    })
}

/// Input of the decoders of all events.
struct Delivery<'a> {
    forge: &'a ForgeName,
    our_app_id: u64,
    /// Empty if the payload has no action.
    action: &'a str,
    repo: Option<RepoSeen>,
    pushed_at: Option<Timestamp>,
    repo_updated_at: Option<Timestamp>,
    sender: Option<Actor>,
    payload: &'a Payload<'a>,
    received_at: Timestamp,
}

impl Delivery<'_> {
    fn repo(&self) -> Result<&RepoSeen, Useless> {
        self.repo.as_ref().ok_or(Useless::Lacks("repository.id or repository.full_name"))
    }
}

/// An event's content, and its time if the payload has one.
struct Understood {
    seen: Seen,
    at: Option<Timestamp>,
}

/// Reasons why an event has no content for us.
enum Useless {
    /// A necessary field is missing or of the wrong type.
    Lacks(&'static str),
    /// Any other reason.
    Because(String),
}

impl Useless {
    fn because(reason: impl Into<String>) -> Self {
        Self::Because(reason.into())
    }
}

fn understand(event: &str, delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    match event {
        "issues" => item::issue(delivery),
        "issue_comment" => item::comment(delivery),
        "pull_request" => item::pull_request(delivery),
        "pull_request_review" => item::review(delivery),
        "push" => git::push(delivery),
        "create" => git::create_or_delete(delivery, true),
        "delete" => git::create_or_delete(delivery, false),
        "merge_group" => git::merge_group(delivery),
        "check_run" => check::check_run(delivery),
        "status" => check::status(delivery),
        "workflow_run" => check::workflow_run(delivery),
        "release" => deploy::release(delivery),
        "deployment" => deploy::deployment(delivery),
        "deployment_status" => deploy::deployment_status(delivery),
        "deployment_protection_rule" => deploy::protection(delivery),
        "installation" => admin::installation(delivery),
        "installation_repositories" => admin::installation_repositories(delivery),
        "github_app_authorization" => admin::authorization(delivery),
        "repository" => admin::repository(delivery),
        "label" => admin::label(delivery),
        "check_suite" => check::check_suite(delivery),
        "ping" => Err(Useless::because("ping")),
        _ => Err(Useless::because(format!("event `{event}` is not used"))),
    }
}

/// Names of the events that are understood.
pub const EVENTS: [&str; 21] = [
    "issues",
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "push",
    "create",
    "delete",
    "merge_group",
    "check_run",
    "status",
    "workflow_run",
    "release",
    "deployment",
    "deployment_status",
    "deployment_protection_rule",
    "installation",
    "installation_repositories",
    "repository",
    "label",
    "check_suite",
    "ping",
];

/// Returns the outcome of a workflow run that was read from the API.
pub(super) fn run_outcome(status: Option<&str>, conclusion: Option<&str>) -> RunOutcome {
    check::outcome(status, conclusion)
}

/// Returns a necessary field, or an error that names it.
fn needed<T>(value: Option<T>, field: &'static str) -> Result<T, Useless> {
    value.ok_or(Useless::Lacks(field))
}

fn actor(user: User) -> Option<Actor> {
    let login = user.login.0.filter(|login| !login.is_empty())?;
    let bot = user.kind.0.is_some_and(|kind| kind == "Bot") || login.ends_with("[bot]");
    // 0 is never an account id.
    Some(Actor { id: user.id.0.filter(|id| *id != 0).map(AccountId), login, bot })
}

fn repo_seen(forge: &ForgeName, repository: &Repository) -> Option<RepoSeen> {
    let owner = repository.owner.0.as_ref().and_then(|owner| owner.login.0.as_deref().or(owner.name.0.as_deref()));
    let full_name = repository.full_name.0.clone().filter(|name| is_full_name(name)).or_else(|| {
        let built = format!("{}/{}", owner?, repository.name.0.as_deref()?);
        is_full_name(&built).then_some(built)
    })?;
    Some(RepoSeen {
        key: RepoKey { forge: forge.clone(), id: repository.id.0? },
        default_branch: repository.default_branch.0.clone().filter(|branch| !branch.is_empty()),
        owner: Account {
            id: repository.owner.0.as_ref().and_then(|owner| owner.id.0).filter(|id| *id != 0).map(AccountId),
            login: owner.or_else(|| full_name.split('/').next()).unwrap_or_default().to_owned(),
        },
        private: repository.private.0,
        web_host: repository.html_url.0.as_deref().and_then(web_host),
        full_name,
    })
}

/// Returns the host of a page's address, with its port if it has one.
pub(super) fn web_host(url: &str) -> Option<String> {
    let url: http::Uri = url.parse().ok()?;
    url.authority().map(|authority| authority.as_str().to_ascii_lowercase())
}

/// Returns whether the text has the form `owner/name`. It becomes part of API paths, so nothing
/// else is accepted.
fn is_full_name(text: &str) -> bool {
    let part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    text.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}
