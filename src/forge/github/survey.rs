//! Reads a repository's current state: pull requests with the issues that they close, issues, tags,
//! releases and deployments, at most 100 per call.
//!
//! Uses GraphQL where it saves calls (one node holds a pull request with its merge and its linked
//! issues), and REST for what GraphQL lacks (the production flag of a deployment).

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    domain::{
        event::{Event, RepoSeen, Seen},
        id::{Account, AccountId, ConnectionId, ForgeName, RepoKey},
        needs::{Answer, Answered, Need},
    },
    forge::github::{
        client::{Caller, Client},
        decode, graphql, mirror, path,
        survey_shape::{Deployed, Found, Issue, Listed, Pull, Released, Tag, deployment, issue, pull, release, tag},
        transport::Call,
    },
    port::forge::{ForgeError, SurveyPage, Target},
};

const REPOSITORY: &str = "databaseId nameWithOwner url owner { login ... on User { databaseId } ... on Organization { databaseId } } defaultBranchRef { name }";

const ITEM: &str = "number title body author { __typename login ... on User { databaseId } ... on Bot { databaseId } } authorAssociation createdAt updatedAt closedAt \
    state locked labels(first: 100) { nodes { name } }";

/// Parts of a survey, in reading order. Tags and deployments come after pull requests because they
/// only matter for changes that are known to be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Pulls,
    Issues,
    Tags,
    Releases,
    Deployments,
}

impl Part {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Pulls, "pulls"),
        (Self::Issues, "issues"),
        (Self::Tags, "tags"),
        (Self::Releases, "releases"),
        (Self::Deployments, "deployments"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(part, _)| *part == self).map_or("", |(_, name)| name)
    }

    fn next(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|(part, _)| *part == self)?;
        Self::ALL.get(at + 1).map(|(part, _)| *part)
    }
}

/// Reads one repository; skips what is older than `since`.
pub(super) struct Reader<'a> {
    pub(super) client: &'a Client,
    pub(super) forge: &'a ForgeName,
    pub(super) installation: ConnectionId,
    pub(super) full_name: &'a str,
    pub(super) since: Option<Timestamp>,
}

/// One page's events and answers, and the cursor of the next page of this part.
#[derive(Default)]
struct Read {
    seen: Vec<(Timestamp, Seen)>,
    answers: Vec<Answered>,
    cursor: Option<String>,
    expected: Option<u64>,
}

impl Reader<'_> {
    /// Reads one page. `at` is the position that the previous page returned; `None` starts the
    /// survey.
    pub(super) async fn page(&self, at: Option<&str>) -> Result<SurveyPage, ForgeError> {
        let (name, cursor) =
            at.unwrap_or("pulls").split_once(' ').map_or((at.unwrap_or("pulls"), None), |(n, c)| (n, Some(c)));
        let part = Part::ALL.iter().find(|(_, known)| *known == name).map(|(part, _)| *part);
        let part = part.ok_or_else(|| ForgeError::Permanent(format!("no survey goes on at {name:?}")))?;
        let (repo, read) = match part {
            Part::Pulls => self.pulls(cursor).await?,
            Part::Issues => self.issues(cursor).await?,
            Part::Tags => self.tags(cursor).await?,
            Part::Releases => self.releases(cursor).await?,
            Part::Deployments => self.deployments(cursor).await?,
        };
        let next = match &read.cursor {
            Some(cursor) => Some(format!("{} {cursor}", part.name())),
            None => part.next().map(|part| part.name().to_owned()),
        };
        let event = |(at, seen)| Event {
            name: format!("survey.{}", part.name()),
            connection: Some(self.installation),
            repo: Some(repo.clone()),
            sender: None,
            at,
            seen,
        };
        let events = read.seen.into_iter().map(event).collect();
        Ok(SurveyPage {
            repo: repo.clone(),
            part: part.name(),
            events,
            answers: read.answers,
            expected: read.expected,
            next,
        })
    }

    async fn pulls(&self, cursor: Option<&str>) -> Result<(RepoSeen, Read), ForgeError> {
        let query = format!(
            "query($owner: String!, $name: String!, $after: String) {{ repository(owner: $owner, name: $name) {{ \
             {REPOSITORY} things: pullRequests(first: 50, after: $after, orderBy: {{ field: UPDATED_AT, direction: DESC }}) {{ \
             totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {ITEM} isDraft headRefName headRefOid \
             isCrossRepository baseRefName mergedAt mergeCommit {{ oid }} mergedBy {{ __typename login ... on User {{ databaseId }} ... on Bot {{ databaseId }} }} \
             closingIssuesReferences(first: 10) {{ nodes {{ number repository {{ nameWithOwner }} }} }} }} }} }} }}"
        );
        let (repo, found): (_, Listed<Pull>) = self.ask(&query, json!({ "after": cursor })).await?;
        let now = self.client.now();
        let mut read = self.since_then(&found, |pull| pull.item.updated_at);
        for mut node in found.all().filter(|pull| self.is_new(pull.item.updated_at)) {
            let (number, at) = (node.item.number, node.item.updated_at);
            let linked = node.links(&repo.full_name);
            let answer = Answer::LinkedIssues(linked);
            read.answers.push(Answered { need: Need::LinkedIssues { pull: number }, answer, at: now });
            read.seen.push((at, Seen::Pull(Box::new(pull(node)))));
        }
        Ok((repo, read))
    }

    async fn issues(&self, cursor: Option<&str>) -> Result<(RepoSeen, Read), ForgeError> {
        let query = format!(
            "query($owner: String!, $name: String!, $after: String, $since: DateTime) {{ \
             repository(owner: $owner, name: $name) {{ {REPOSITORY} \
             things: issues(first: 100, after: $after, filterBy: {{ since: $since }}, \
             orderBy: {{ field: UPDATED_AT, direction: DESC }}) {{ totalCount pageInfo {{ hasNextPage endCursor }} \
             nodes {{ {ITEM} stateReason }} }} }} }}"
        );
        let variables = json!({ "after": cursor, "since": self.since.map(|at| at.to_string()) });
        let (repo, found): (_, Listed<Issue>) = self.ask(&query, variables).await?;
        let mut read = self.since_then(&found, |issue| issue.item.updated_at);
        let new = found.all().filter(|issue| self.is_new(issue.item.updated_at));
        read.seen = new.map(|node| (node.item.updated_at, Seen::Issue(Box::new(issue(node))))).collect();
        Ok((repo, read))
    }

    async fn tags(&self, cursor: Option<&str>) -> Result<(RepoSeen, Read), ForgeError> {
        let query = format!(
            "query($owner: String!, $name: String!, $after: String) {{ repository(owner: $owner, name: $name) {{ \
             {REPOSITORY} things: refs(refPrefix: \"refs/tags/\", first: 100, after: $after, \
             orderBy: {{ field: TAG_COMMIT_DATE, direction: DESC }}) {{ totalCount pageInfo {{ hasNextPage endCursor }} \
             nodes {{ name target {{ __typename oid ... on Commit {{ committedDate }} ... on Tag {{ tagger {{ date }} \
             target {{ __typename oid ... on Commit {{ committedDate }} }} }} }} }} }} }} }}"
        );
        let (repo, found): (_, Listed<Tag>) = self.ask(&query, json!({ "after": cursor })).await?;
        let mut read = self.since_then(&found, |tag| tag.at().unwrap_or(Timestamp::MAX));
        // A tag may also name something other than a commit; such a tag changes no phase.
        let tags = found.all().filter_map(|node| Some((node.at()?, tag(node)?)));
        read.seen =
            tags.filter(|(at, _)| self.is_new(*at)).map(|(at, push)| (at, Seen::Push(Box::new(push)))).collect();
        Ok((repo, read))
    }

    async fn releases(&self, cursor: Option<&str>) -> Result<(RepoSeen, Read), ForgeError> {
        let (found, next): (Vec<Released>, _) =
            self.list("GET /repos/{owner}/{repo}/releases", "/releases", cursor).await?;
        let mut read = Read { cursor: next, ..Read::default() };
        read.seen = found.into_iter().filter_map(release).filter(|(at, _)| self.is_new(*at)).collect();
        Ok((self.place().await?, read))
    }

    async fn deployments(&self, cursor: Option<&str>) -> Result<(RepoSeen, Read), ForgeError> {
        let (found, next): (Vec<Deployed>, _) =
            self.list("GET /repos/{owner}/{repo}/deployments", "/deployments", cursor).await?;
        let old = found.last().is_some_and(|last| !self.is_new(last.created_at));
        let is_own = |deployed: &Deployed| deployed.task.as_deref() != Some(mirror::TASK);
        let found: Vec<Deployed> = found.into_iter().filter(|d| self.is_new(d.created_at) && is_own(d)).collect();
        let mut read = Read { cursor: next.filter(|_| !old), ..Read::default() };
        let statuses = self.statuses(&found).await?;
        for node in found {
            let ended = statuses.get(&node.id).map(Vec::as_slice).unwrap_or_default();
            read.seen.extend(deployment(&node, ended));
        }
        Ok((self.place().await?, read))
    }

    /// Returns the statuses of several deployments by deployment id, with one call.
    async fn statuses(&self, of: &[Deployed]) -> Result<BTreeMap<u64, Vec<Found>>, ForgeError> {
        #[derive(Deserialize)]
        struct Answered {
            nodes: Vec<Option<Node>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Node {
            database_id: u64,
            statuses: Option<Listed<Found>>,
        }
        const QUERY: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Deployment { databaseId \
            statuses(first: 50) { nodes { state createdAt } } } } }";
        if of.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<&str> = of.iter().map(|deployed| deployed.node_id.as_str()).collect();
        let data = graphql::run(self.client, &self.target(), QUERY, json!({ "ids": ids }), true).await?;
        let answered: Answered = readable(data)?;
        let nodes = answered.nodes.into_iter().flatten();
        Ok(nodes.map(|node| (node.database_id, node.statuses.into_iter().flat_map(Listed::all).collect())).collect())
    }

    /// Reads the repository's metadata, for the parts that use REST.
    async fn place(&self) -> Result<RepoSeen, ForgeError> {
        let query = format!(
            "query($owner: String!, $name: String!) {{ repository(owner: $owner, name: $name) {{ {REPOSITORY} }} }}"
        );
        self.ask::<Value>(&query, json!({})).await.map(|(repo, _)| repo)
    }

    /// Runs a GraphQL query about the repository; the alias `things` in the query is the list to
    /// read.
    async fn ask<T: DeserializeOwned + Default>(
        &self,
        query: &str,
        variables: Value,
    ) -> Result<(RepoSeen, T), ForgeError> {
        #[derive(Deserialize)]
        struct Data<T> {
            repository: Option<Repository<T>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Repository<T> {
            database_id: u64,
            name_with_owner: String,
            #[serde(default)]
            url: String,
            owner: Named,
            default_branch_ref: Option<Branch>,
            things: Option<T>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Named {
            login: String,
            database_id: Option<u64>,
        }
        #[derive(Deserialize)]
        struct Branch {
            name: String,
        }
        let mut variables = variables;
        let (owner, name) = self.full_name.split_once('/').unwrap_or_default();
        variables["owner"] = owner.into();
        variables["name"] = name.into();
        let data = graphql::run(self.client, &self.target(), query, variables, true).await?;
        let data: Data<T> = readable(data)?;
        let gone = || ForgeError::NotFound(format!("there is no repository {}", self.full_name));
        let found = data.repository.ok_or_else(gone)?;
        let repo = RepoSeen {
            key: RepoKey { forge: self.forge.clone(), id: found.database_id },
            full_name: found.name_with_owner,
            default_branch: found.default_branch_ref.map(|branch| branch.name),
            owner: Account { id: found.owner.database_id.map(AccountId), login: found.owner.login },
            private: None,
            web_host: decode::web_host(&found.url),
        };
        Ok((repo, found.things.unwrap_or_default()))
    }

    /// Reads one page of a REST list; returns it with the number of the next page.
    async fn list<T: DeserializeOwned>(
        &self,
        route: &'static str,
        tail: &str,
        cursor: Option<&str>,
    ) -> Result<(Vec<T>, Option<String>), ForgeError> {
        const PER_PAGE: usize = 100;
        let page: u32 = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(1);
        let base = path::repository(self.full_name)?;
        let path = self.client.transport.root.rest(&format!("{base}{tail}?per_page={PER_PAGE}&page={page}"));
        let call = Call { route, method: Method::GET, path, body: None, read: true };
        let reply = self.client.call(&call, Caller::Installation(self.installation, 0)).await?;
        let found: Vec<T> = reply.json()?;
        let next = (found.len() >= PER_PAGE).then(|| (page + 1).to_string());
        Ok((found, next))
    }

    /// Returns the target of a query. The repository id is 0: it is unknown before the first
    /// answer.
    fn target(&self) -> Target {
        Target {
            installation: self.installation,
            repo: RepoKey { forge: self.forge.clone(), id: 0 },
            full_name: self.full_name.to_owned(),
        }
    }

    fn is_new(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since)
    }

    /// Builds a page's result; drops the cursor once the last item (lists are newest first) is
    /// older than `since`.
    fn since_then<T>(&self, found: &Listed<T>, at: impl Fn(&T) -> Timestamp) -> Read {
        let old = found.last().is_some_and(|last| !self.is_new(at(last)));
        Read { cursor: found.cursor().filter(|_| !old), expected: found.total_count, ..Read::default() }
    }
}

fn readable<T: DeserializeOwned>(data: Value) -> Result<T, ForgeError> {
    serde_json::from_value(data)
        .map_err(|error| ForgeError::Transient(format!("POST /graphql: the answer makes no sense: {error}")))
}
