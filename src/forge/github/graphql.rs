//! GraphQL requests for what REST lacks: linked issues and branches, and the change that closed an
//! issue.

use std::collections::BTreeSet;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    domain::{
        effect::Reaction,
        id::{ItemId, Sha},
        needs::Closer,
    },
    forge::github::{
        auth::later,
        client::{Caller, Client},
        failure::harmless,
        transport::Call,
    },
    port::forge::{Applied, ForgeError, Target},
};

const LINKED_ISSUES: &str = "query($owner: String!, $name: String!, $number: Int!) { \
    repository(owner: $owner, name: $name) { nameWithOwner pullRequest(number: $number) { \
    closingIssuesReferences(first: 10) { nodes { number repository { nameWithOwner } } } } } }";

const LINKED_BRANCHES: &str = "query($owner: String!, $name: String!, $number: Int!) { \
    repository(owner: $owner, name: $name) { issue(number: $number) { \
    linkedBranches(first: 10) { nodes { ref { name } } } } } }";

const CLOSER: &str = "query($owner: String!, $name: String!, $number: Int!) { \
    repository(owner: $owner, name: $name) { nameWithOwner issue(number: $number) { \
    timelineItems(last: 10, itemTypes: [CLOSED_EVENT]) { nodes { ... on ClosedEvent { createdAt closer { __typename \
    ... on PullRequest { number repository { nameWithOwner } } \
    ... on Commit { oid repository { nameWithOwner } } } } } } } } }";

#[derive(Deserialize)]
struct Data<T> {
    repository: Option<T>,
}

#[derive(Deserialize)]
struct Nodes<T> {
    nodes: Option<Vec<Option<T>>>,
}

impl<T> Nodes<T> {
    fn all(self) -> impl Iterator<Item = T> {
        self.nodes.into_iter().flatten().flatten()
    }
}

/// Returns the issues of the same repository that a pull request closes, at most 10.
pub(super) async fn linked_issues(
    client: &Client,
    target: &Target,
    pull: ItemId,
) -> Result<BTreeSet<ItemId>, ForgeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Repository {
        name_with_owner: String,
        pull_request: Option<PullRequest>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct PullRequest {
        closing_issues_references: Option<Nodes<Issue>>,
    }
    #[derive(Deserialize)]
    struct Issue {
        number: ItemId,
        repository: Named,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        name_with_owner: String,
    }
    let found: Repository = ask(client, target, LINKED_ISSUES, pull).await?;
    let pull_request = found.pull_request.ok_or_else(|| gone("pull request", pull))?;
    let issues = pull_request.closing_issues_references.into_iter().flat_map(Nodes::all);
    Ok(issues
        .filter(|issue| issue.repository.name_with_owner.eq_ignore_ascii_case(&found.name_with_owner))
        .map(|issue| issue.number)
        .collect())
}

/// Returns the branches that GitHub lists as linked to an issue, at most 10.
pub(super) async fn linked_branches(
    client: &Client,
    target: &Target,
    issue: ItemId,
) -> Result<BTreeSet<String>, ForgeError> {
    #[derive(Deserialize)]
    struct Repository {
        issue: Option<Issue>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Issue {
        linked_branches: Option<Nodes<Linked>>,
    }
    #[derive(Deserialize)]
    struct Linked {
        /// `None` after the branch was deleted.
        r#ref: Option<Ref>,
    }
    #[derive(Deserialize)]
    struct Ref {
        name: String,
    }
    let found: Repository = ask(client, target, LINKED_BRANCHES, issue).await?;
    let found = found.issue.ok_or_else(|| gone("issue", issue))?;
    let linked = found.linked_branches.into_iter().flat_map(Nodes::all);
    Ok(linked.filter_map(|linked| linked.r#ref).map(|branch| branch.name).collect())
}

/// Returns the change that closed an issue at `at`, if it belongs to the same repository. Reads
/// only the last 10 times that the issue was closed.
pub(super) async fn closer(
    client: &Client,
    target: &Target,
    issue: ItemId,
    at: Timestamp,
) -> Result<Option<Closer>, ForgeError> {
    /// Allowed difference between the times in the timeline and in the issue.
    const SLACK: SignedDuration = SignedDuration::from_secs(10);
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Repository {
        name_with_owner: String,
        issue: Option<Issue>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Issue {
        timeline_items: Option<Nodes<Closed>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Closed {
        created_at: Timestamp,
        closer: Option<Change>,
    }
    /// A pull request or a commit; for a project, only the type is requested.
    #[derive(Deserialize)]
    struct Change {
        #[serde(rename = "__typename")]
        kind: String,
        number: Option<ItemId>,
        oid: Option<Sha>,
        repository: Option<Named>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        name_with_owner: String,
    }
    let found: Repository = ask(client, target, CLOSER, issue).await?;
    let own = found.name_with_owner;
    let closings = found.issue.ok_or_else(|| gone("issue", issue))?.timeline_items;
    let closing = closings
        .into_iter()
        .flat_map(Nodes::all)
        .filter(|closed| closed.created_at.duration_since(at).abs() <= SLACK)
        .min_by_key(|closed| closed.created_at.duration_since(at).abs());
    let change = closing.and_then(|closed| closed.closer).filter(|change| {
        change.repository.as_ref().is_some_and(|repo| repo.name_with_owner.eq_ignore_ascii_case(&own))
    });
    Ok(change.and_then(|change| match change.kind.as_str() {
        "PullRequest" => change.number.map(Closer::Pull),
        "Commit" => change.oid.map(Closer::Commit),
        _ => None,
    }))
}

fn gone(what: &str, number: ItemId) -> ForgeError {
    ForgeError::NotFound(format!("GraphQL: no {what} #{number}"))
}

const ADD_REACTION: &str = "mutation($subject: ID!, $content: ReactionContent!) { \
    addReaction(input: { subjectId: $subject, content: $content }) { reaction { content } } }";

const MINIMIZE: &str = "mutation($subject: ID!, $classifier: ReportedContentClassifiers!) { \
    minimizeComment(input: { subjectId: $subject, classifier: $classifier }) { \
    minimizedComment { isMinimized } } }";

/// Adds a reaction to the object with this global id.
pub(super) async fn react(
    client: &Client,
    target: &Target,
    node: &str,
    reaction: Reaction,
) -> Result<Applied, ForgeError> {
    let content = match reaction {
        Reaction::Taken => "EYES",
        Reaction::Done => "ROCKET",
        Reaction::Refused => "THUMBS_DOWN",
        Reaction::Puzzled => "CONFUSED",
    };
    let variables = json!({ "subject": node, "content": content });
    run(client, target, ADD_REACTION, variables, false).await.map(|_| Applied::default())
}

/// Minimizes a comment as outdated.
pub(super) async fn minimize(client: &Client, target: &Target, node: &str) -> Result<(), ForgeError> {
    let variables = json!({ "subject": node, "classifier": "OUTDATED" });
    run(client, target, MINIMIZE, variables, false).await.map(drop)
}

async fn ask<T: DeserializeOwned>(
    client: &Client,
    target: &Target,
    query: &str,
    number: ItemId,
) -> Result<T, ForgeError> {
    let Some((owner, name)) = target.full_name.split_once('/') else {
        return Err(ForgeError::Permanent(format!("{:?} is not an owner/name", target.full_name)));
    };
    let data = run(client, target, query, json!({ "owner": owner, "name": name, "number": number }), true).await?;
    let data: Data<T> = serde_json::from_value(data)
        .map_err(|error| ForgeError::Transient(format!("POST /graphql: the answer makes no sense: {error}")))?;
    data.repository.ok_or_else(|| ForgeError::NotFound("GraphQL: no such repository".to_owned()))
}

/// Runs one operation and returns its data. `read`: the operation changes nothing.
pub(super) async fn run(
    client: &Client,
    target: &Target,
    query: &str,
    variables: Value,
    read: bool,
) -> Result<Value, ForgeError> {
    let call = Call {
        route: "POST /graphql",
        method: Method::POST,
        path: client.transport.root.graphql(),
        body: Some(json!({ "query": query, "variables": variables })),
        read,
    };
    let caller = Caller::Installation(target.installation, target.repo.id);
    let reply = client.call(&call, caller).await?;
    let answer: Value = reply.json()?;
    if let Some(error) = answer.get("errors").and_then(Value::as_array).and_then(|errors| errors.first()) {
        return Err(refusal(error, client));
    }
    Ok(answer.get("data").cloned().unwrap_or_default())
}

/// Converts a GraphQL error. GraphQL answers 200 and reports errors in the body. An error without a
/// type is a fault of GitHub; a field that an old server does not know has a code instead.
fn refusal(error: &Value, client: &Client) -> ForgeError {
    let kind = error.get("type").or_else(|| error.pointer("/extensions/code")).and_then(Value::as_str);
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let text = format!("POST /graphql: {}", harmless(message));
    match kind {
        Some("NOT_FOUND") => ForgeError::NotFound(text),
        Some("RATE_LIMITED" | "RATE_LIMIT") => {
            ForgeError::RateLimited { until: later(client.now(), SignedDuration::from_secs(60)) }
        }
        Some(_) => ForgeError::Permanent(text),
        None => ForgeError::Transient(text),
    }
}
