//! Permissions of accounts, queried when they are needed.

use http::{Method, StatusCode};
use serde::Deserialize;

use crate::{
    domain::{
        id::{Account, AccountId, ItemId, Sha},
        needs::PullHead,
        permission::Role,
    },
    forge::github::{
        client::{Caller, Client},
        path,
        repo::Repo,
        transport::Call,
    },
    port::forge::{ForgeError, Target},
};

/// Returns an account's role in a repository.
///
/// GitHub's `permission` has only four levels (maintain appears as write, triage as read).
/// `role_name` is finer, but holds a custom role's own name; the account's `permissions` say what a
/// custom role allows.
pub(super) async fn role(client: &Client, target: &Target, account: &Account) -> Result<Role, ForgeError> {
    Ok(permission(client, target, account).await?.map(Answer::role).unwrap_or_default())
}

/// Returns whether an account has write access. `permission` has only four levels (maintain appears
/// as write, triage as read); custom roles inherit one of them.
pub(super) async fn writes(client: &Client, target: &Target, account: &Account) -> Result<bool, ForgeError> {
    let answer = permission(client, target, account).await?;
    Ok(answer.is_some_and(|answer| {
        matches!(answer.permission.as_deref(), Some("admin" | "write"))
            || matches!(answer.role_name.as_deref(), Some("admin" | "maintain" | "write"))
    }))
}

/// Returns GitHub's answer about an account's permission; `None` if there is no such account.
///
/// GitHub is asked by login. If the answer is about another account, the login has changed hands,
/// and the request is repeated with the account's present login.
async fn permission(client: &Client, target: &Target, account: &Account) -> Result<Option<Answer>, ForgeError> {
    let id = number(account)?;
    let is_theirs = |answer: &Answer| answer.user.as_ref().is_some_and(|user| user.id == Some(id.0));
    if let Some(answer) = permission_of(client, target, &account.login).await?.filter(is_theirs) {
        return Ok(Some(answer));
    }
    match login_of(client, target, id).await? {
        Some(login) => Ok(permission_of(client, target, &login).await?.filter(is_theirs)),
        None => Ok(None),
    }
}

async fn permission_of(client: &Client, target: &Target, login: &str) -> Result<Option<Answer>, ForgeError> {
    let route = "GET /repos/{owner}/{repo}/collaborators/{username}/permission";
    let tail = format!("/collaborators/{}/permission", path::segment(login)?);
    match Repo::new(client, target)?.get(route, &tail).await {
        Ok(reply) => Ok(Some(reply.json()?)),
        // There is no such account.
        Err(failure) => match failure.error {
            ForgeError::NotFound(_) => Ok(None),
            other => Err(other),
        },
    }
}

/// Returns an account's present login; `None` if the account was deleted.
async fn login_of(client: &Client, target: &Target, id: AccountId) -> Result<Option<String>, ForgeError> {
    #[derive(Deserialize)]
    struct Found {
        login: String,
    }
    let call = Call {
        route: "GET /user/{account_id}",
        method: Method::GET,
        path: client.transport.root.rest(&format!("/user/{}", id.0)),
        body: None,
        read: true,
    };
    match client.call(&call, Caller::Installation(target.installation, target.repo.id)).await {
        Ok(reply) => Ok(Some(reply.json::<Found>()?.login)),
        Err(failure) if failure.status == Some(StatusCode::NOT_FOUND) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

fn number(account: &Account) -> Result<AccountId, ForgeError> {
    let unknown = || ForgeError::Permanent(format!("it is not recorded which account {} was", account.login));
    account.id.ok_or_else(unknown)
}

#[derive(Deserialize)]
struct Answer {
    permission: Option<String>,
    role_name: Option<String>,
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    id: Option<u64>,
    permissions: Option<Permissions>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Permissions {
    admin: bool,
    maintain: bool,
    push: bool,
    triage: bool,
    pull: bool,
}

impl Answer {
    fn role(self) -> Role {
        if let Some(role) = self.role_name.as_deref().and_then(Role::from_name) {
            return role;
        }
        match self.user.and_then(|user| user.permissions) {
            Some(Permissions { admin: true, .. }) => Role::Admin,
            Some(Permissions { maintain: true, .. }) => Role::Maintain,
            Some(Permissions { push: true, .. }) => Role::Write,
            Some(Permissions { triage: true, .. }) => Role::Triage,
            Some(Permissions { pull: true, .. }) => Role::Read,
            Some(_) => Role::None,
            None => self.permission.as_deref().and_then(Role::from_name).unwrap_or_default(),
        }
    }
}

/// Returns whether an account is an active member of a team of the repository's owner. Requires the
/// App's permission to read the organisation's members.
pub(super) async fn is_member(
    client: &Client,
    target: &Target,
    team: &str,
    account: &Account,
) -> Result<bool, ForgeError> {
    #[derive(Deserialize)]
    struct Membership {
        state: String,
    }
    let owner = target.full_name.split('/').next().unwrap_or_default();
    let (org, slug) = team.split_once('/').unwrap_or((owner, team));
    if !org.eq_ignore_ascii_case(owner) {
        return Err(ForgeError::Permanent(format!("the team {team} is not of {owner}, which owns the repository")));
    }
    // The answer does not name the account, so the login must be the present one.
    let Some(login) = login_of(client, target, number(account)?).await? else { return Ok(false) };
    let tail =
        format!("/orgs/{}/teams/{}/memberships/{}", path::segment(org)?, path::segment(slug)?, path::segment(&login)?);
    let call = Call {
        route: "GET /orgs/{org}/teams/{team_slug}/memberships/{username}",
        method: Method::GET,
        path: client.transport.root.rest(&tail),
        body: None,
        read: true,
    };
    match client.call(&call, Caller::Installation(target.installation, target.repo.id)).await {
        Ok(reply) => Ok(reply.json::<Membership>()?.state == "active"),
        Err(failure) if failure.status == Some(StatusCode::NOT_FOUND) => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

/// Returns the head of a pull request. A missing head repository was deleted, so it is not the
/// target repository, which exists.
pub(super) async fn head(repo: &mut Repo<'_>, pull: ItemId) -> Result<PullHead, ForgeError> {
    #[derive(Deserialize)]
    struct Pull {
        head: End,
        base: End,
    }
    #[derive(Deserialize)]
    struct End {
        sha: Sha,
        repo: Option<Numbered>,
    }
    #[derive(Deserialize)]
    struct Numbered {
        id: u64,
    }
    let reply = repo.get("GET /repos/{owner}/{repo}/pulls/{pull_number}", &format!("/pulls/{pull}")).await?;
    let Pull { head, base } = reply.json()?;
    let id = |end: &End| end.repo.as_ref().map(|repo| repo.id);
    let from_fork = id(&head).is_none() || id(&head) != id(&base);
    Ok(PullHead { sha: head.sha, from_fork })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(json: &str) -> Role {
        serde_json::from_str::<Answer>(json).unwrap().role()
    }

    #[test]
    fn fine_roles_and_custom_ones() {
        assert_eq!(role(r#"{"permission":"read","role_name":"triage"}"#), Role::Triage);
        assert_eq!(role(r#"{"permission":"write","role_name":"maintain"}"#), Role::Maintain);
        assert_eq!(role(r#"{"permission":"none","role_name":"none"}"#), Role::None);
        let custom = r#"{"permission":"write","role_name":"releaser",
            "user":{"permissions":{"admin":false,"maintain":true,"push":true,"triage":true,"pull":true}}}"#;
        assert_eq!(role(custom), Role::Maintain);
        // An old server sends no more than this.
        assert_eq!(role(r#"{"permission":"admin"}"#), Role::Admin);
        assert_eq!(role(r#"{"permission":"write","role_name":"releaser"}"#), Role::Write);
        assert_eq!(role(r#"{"permission":"owner"}"#), Role::None, "what is not known grants nothing");
        assert_eq!(role("{}"), Role::None);
    }
}
