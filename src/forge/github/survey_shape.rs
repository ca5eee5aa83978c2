//! Shapes of GitHub's answers to a repository survey, and their conversion to domain types.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use crate::domain::{
    event::{
        Association, CloseReason, DeployState, DeployStatus, DeploymentSeen, ItemChange, ItemSeen, NewCommits,
        PullSeen, PushSeen, RefName, ReleaseSeen, Seen, StackSeen,
    },
    id::{AccountId, Actor, ItemId, Sha},
};

/// A page of a GraphQL connection.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: Deserialize<'de>")]
pub(super) struct Listed<T> {
    #[serde(default)]
    pub(super) total_count: Option<u64>,
    #[serde(default)]
    page_info: Option<PageInfo>,
    nodes: Option<Vec<Option<T>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { total_count: None, page_info: None, nodes: None }
    }
}

impl<T> Listed<T> {
    /// Returns the nodes. GitHub sends null for a node that the App may not read; these are
    /// skipped.
    pub(super) fn all(self) -> impl Iterator<Item = T> {
        self.nodes.into_iter().flatten().flatten()
    }

    /// Returns the last node.
    pub(super) fn last(&self) -> Option<&T> {
        self.nodes.iter().flatten().flatten().last()
    }

    /// Returns the cursor of the next page; `None` on the last page.
    pub(super) fn cursor(&self) -> Option<String> {
        self.page_info.as_ref().filter(|page| page.has_next_page)?.end_cursor.clone()
    }
}

/// Fields that issues and pull requests share.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    pub(super) number: ItemId,
    title: String,
    body: String,
    author: Option<Account>,
    author_association: Option<String>,
    created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    closed_at: Option<Timestamp>,
    state: String,
    locked: bool,
    labels: Option<Listed<Name>>,
}

#[derive(Debug, Deserialize)]
struct Account {
    #[serde(rename = "__typename")]
    kind: String,
    login: String,
    #[serde(rename = "databaseId")]
    id: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Name {
    name: String,
}

/// An issue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issue {
    #[serde(flatten)]
    pub(super) item: Item,
    state_reason: Option<String>,
}

/// A pull request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pull {
    #[serde(flatten)]
    pub(super) item: Item,
    is_draft: bool,
    head_ref_name: String,
    head_ref_oid: Sha,
    is_cross_repository: bool,
    base_ref_name: String,
    merged_at: Option<Timestamp>,
    merge_commit: Option<Oid>,
    merged_by: Option<Account>,
    closing_issues_references: Option<Listed<Linked>>,
}

#[derive(Debug, Deserialize)]
struct Oid {
    oid: Sha,
}

#[derive(Debug, Deserialize)]
struct Linked {
    number: ItemId,
    repository: FullName,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FullName {
    name_with_owner: String,
}

impl Pull {
    /// Returns the issues of the same repository that GitHub lists as closed by this pull request.
    pub(super) fn links(&mut self, full_name: &str) -> BTreeSet<ItemId> {
        let linked = self.closing_issues_references.take().into_iter().flat_map(Listed::all);
        let here = linked.filter(|issue| issue.repository.name_with_owner.eq_ignore_ascii_case(full_name));
        here.map(|issue| issue.number).collect()
    }
}

/// A tag.
#[derive(Debug, Deserialize)]
pub(super) struct Tag {
    name: String,
    target: Option<Object>,
}

/// Target of a tag: a commit, or a tag object with its own date and target.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    #[serde(rename = "__typename")]
    kind: String,
    oid: Sha,
    committed_date: Option<Timestamp>,
    tagger: Option<Tagger>,
    target: Option<Box<Object>>,
}

#[derive(Debug, Deserialize)]
struct Tagger {
    date: Option<Timestamp>,
}

impl Tag {
    /// Returns the tag's date: the tagger's date of an annotated tag, otherwise the commit's date.
    pub(super) fn at(&self) -> Option<Timestamp> {
        let object = self.target.as_ref()?;
        let tagged = object.tagger.as_ref().and_then(|tagger| tagger.date);
        tagged.or(object.committed_date).or(object.target.as_ref().and_then(|commit| commit.committed_date))
    }
}

/// A release, as REST returns it.
#[derive(Debug, Deserialize)]
pub(super) struct Released {
    id: u64,
    tag_name: String,
    target_commitish: String,
    draft: bool,
    prerelease: bool,
    created_at: Timestamp,
    published_at: Option<Timestamp>,
}

/// A deployment, as REST returns it.
#[derive(Debug, Deserialize)]
pub(super) struct Deployed {
    pub(super) id: u64,
    pub(super) node_id: String,
    sha: Sha,
    r#ref: String,
    environment: String,
    pub(super) task: Option<String>,
    production_environment: Option<bool>,
    transient_environment: Option<bool>,
    pub(super) created_at: Timestamp,
    creator: Option<Creator>,
}

#[derive(Debug, Deserialize)]
struct Creator {
    id: Option<u64>,
    login: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A deployment status, as GraphQL returns it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Found {
    state: String,
    created_at: Timestamp,
}

/// Converts an account. Appends `[bot]` to a bot's login: REST and webhooks include it, GraphQL
/// does not.
fn actor(account: Account) -> Actor {
    let bot = account.kind == "Bot";
    let named = bot && !account.login.ends_with("[bot]");
    Actor {
        id: account.id.map(AccountId),
        login: if named { format!("{}[bot]", account.login) } else { account.login },
        bot,
    }
}

fn item(item: Item, is_pull: bool, reason: Option<&str>) -> ItemSeen {
    let open = item.state == "OPEN";
    ItemSeen {
        number: item.number,
        is_pull,
        title: item.title,
        body: item.body,
        author: item.author.map(actor),
        association: match item.author_association.as_deref() {
            Some("OWNER") => Association::Owner,
            Some("MEMBER") => Association::Member,
            Some("COLLABORATOR") => Association::Collaborator,
            _ => Association::Other,
        },
        created_at: item.created_at,
        updated_at: item.updated_at,
        open,
        closed_at: (!open).then(|| item.closed_at.unwrap_or(item.updated_at)),
        close_reason: (!open && !is_pull).then_some(match reason {
            Some("NOT_PLANNED") => CloseReason::NotPlanned,
            Some("DUPLICATE") => CloseReason::Duplicate,
            _ => CloseReason::Completed,
        }),
        labels: item.labels.map(|labels| labels.all().map(|label| label.name).collect()),
        locked: item.locked,
        change: ItemChange::Other,
    }
}

/// Converts an issue.
pub(super) fn issue(node: Issue) -> ItemSeen {
    item(node.item, false, node.state_reason.as_deref())
}

/// Converts a pull request.
pub(super) fn pull(node: Pull) -> PullSeen {
    PullSeen {
        item: item(node.item, true, None),
        draft: node.is_draft,
        head_ref: node.head_ref_name,
        head_sha: node.head_ref_oid,
        from_fork: node.is_cross_repository,
        base_ref: node.base_ref_name,
        merged_at: node.merged_at,
        merge_sha: node.merge_commit.filter(|_| node.merged_at.is_some()).map(|commit| commit.oid),
        merged_by: node.merged_by.map(actor),
        pusher: None,
        stack: StackSeen::Unsaid,
        queued: None,
    }
}

/// Converts a tag to the push that created it; `None` if the tag does not lead to a commit.
pub(super) fn tag(node: Tag) -> Option<PushSeen> {
    let mut object = node.target?;
    // A tag may name another tag.
    while let Some(target) = object.target.take() {
        object = *target;
    }
    (object.kind == "Commit").then(|| PushSeen {
        name: RefName::Tag(node.name),
        before: object.oid.zero(),
        after: object.oid,
        forced: false,
        commits: Vec::new(),
        paths: std::collections::BTreeMap::new(),
        new: NewCommits::default(),
        truncated: false,
        made_from: None,
        policy_file: None,
        pusher: None,
    })
}

/// Converts a release; returns it with the time of its publication, or of its creation for a draft.
/// `None` without a tag name.
pub(super) fn release(node: Released) -> Option<(Timestamp, Seen)> {
    let published_at = node.published_at.filter(|_| !node.draft);
    let at = published_at.unwrap_or(node.created_at);
    (!node.tag_name.is_empty()).then(|| {
        let seen = ReleaseSeen {
            id: node.id,
            tag: node.tag_name,
            target: node.target_commitish,
            draft: node.draft,
            prerelease: node.prerelease,
            published_at,
            withdrawn: false,
        };
        (at, Seen::Release(seen))
    })
}

/// Converts a deployment and its statuses to the events that GitHub would have delivered, with
/// their times.
pub(super) fn deployment(node: &Deployed, statuses: &[Found]) -> Vec<(Timestamp, Seen)> {
    let seen = |status: Option<DeployStatus>| {
        Seen::Deployment(DeploymentSeen {
            from_fork: None,
            transient: node.transient_environment == Some(true),
            source: None,
            id: node.id,
            sha: node.sha.clone(),
            reference: node.r#ref.clone(),
            environment: node.environment.clone(),
            production: node.production_environment,
            run: None,
            created_at: node.created_at,
            creator: node.creator.as_ref().map(|creator| Actor {
                id: creator.id.map(AccountId),
                login: creator.login.clone(),
                bot: creator.kind.as_deref() == Some("Bot"),
            }),
            status,
        })
    };
    let state = |found: &Found| match found.state.as_str() {
        "IN_PROGRESS" => DeployState::InProgress,
        "PENDING" | "QUEUED" | "WAITING" => DeployState::Waiting,
        "SUCCESS" => DeployState::Success,
        "FAILURE" | "ERROR" => DeployState::Failure,
        _ => DeployState::Inactive,
    };
    // GraphQL returns no id for a status; seeing the same status twice has no further effect.
    let status = |found: &Found| DeployStatus { at: found.created_at, id: 0, state: state(found) };
    let ended = statuses.iter().map(|found| (found.created_at, seen(Some(status(found)))));
    std::iter::once((node.created_at, seen(None))).chain(ended).collect()
}
