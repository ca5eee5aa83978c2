//! What GraphQL shows of every item and repository.

use serde_json::{Value, json};

use super::super::{
    model::{Item, Repo},
    shape,
};

/// Shows a repository.
pub(super) fn named(repo: &Repo) -> Value {
    json!({
        "id": shape::node("R_kgDO", repo.id),
        "databaseId": repo.id,
        "name": repo.name,
        "nameWithOwner": repo.full_name(),
        "isArchived": repo.archived,
        "owner": { "login": repo.owner },
        "defaultBranchRef": { "name": repo.default_branch },
    })
}

/// Shows an issue or pull request.
pub(super) fn basics(repo: &Repo, item: &Item) -> Value {
    json!({
        "number": item.number,
        "databaseId": item.id,
        "title": item.title,
        "state": if item.open { "OPEN" } else { "CLOSED" },
        "repository": named(repo),
    })
}
