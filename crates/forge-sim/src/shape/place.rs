//! Accounts, repositories, installations.

use serde_json::{Map, Value, json};

use super::{
    super::{
        model::{Installation, Repo},
        state::State,
    },
    node, time,
};

/// Returns the JSON of an account. An unknown account has id 0.
pub(crate) fn user(state: &State, login: &str) -> Value {
    let known = state.users.get(&login.to_ascii_lowercase());
    let (login, id, kind) = known.map_or((login, 0, "User"), |u| (u.login.as_str(), u.id, u.kind));
    let at = super::escape(login);
    let url = format!("{}/users/{at}", state.api);
    json!({
        "login": login,
        "id": id,
        "node_id": node("U_kgDO", id),
        "avatar_url": format!("{}/avatars/u/{id}", state.api),
        "gravatar_id": "",
        "url": url,
        "html_url": format!("{}/{at}", state.api),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": kind,
        "user_view_type": "public",
        "site_admin": false,
    })
}

/// Returns the JSON of an account on its public page.
pub(crate) fn public_user(state: &State, login: &str) -> Value {
    let mut shown = user(state, login);
    for empty in ["name", "company", "blog", "location", "email", "hireable", "bio"] {
        shown[empty] = Value::Null;
    }
    shown["blog"] = "".into();
    for none in ["public_repos", "public_gists", "followers", "following"] {
        shown[none] = 0.into();
    }
    for at in ["created_at", "updated_at"] {
        shown[at] = "2020-01-01T00:00:00Z".into();
    }
    shown
}

/// Returns the JSON of an organisation, as a payload includes it beside the repository.
pub(crate) fn organization(state: &State, login: &str) -> Value {
    let id = state.users.get(&login.to_ascii_lowercase()).map_or(0, |u| u.id);
    let url = format!("{}/orgs/{login}", state.api);
    json!({
        "login": login,
        "id": id,
        "node_id": node("O_kgDO", id),
        "url": url,
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events"),
        "hooks_url": format!("{url}/hooks"),
        "issues_url": format!("{url}/issues"),
        "members_url": format!("{url}/members{{/member}}"),
        "public_members_url": format!("{url}/public_members{{/member}}"),
        "avatar_url": format!("{}/avatars/u/{id}", state.api),
        "description": "",
    })
}

/// Fields with addresses below a repository's own, and their paths.
const UNDER: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// Returns the JSON of a repository.
pub(crate) fn repository(state: &State, repo: &Repo) -> Value {
    described(state, repo, &repo.owner, repo.id, false)
}

/// Returns the JSON of a repository, or of the fork of it that `owner` has with this `id`.
pub(super) fn described(state: &State, repo: &Repo, owner: &str, id: u64, fork: bool) -> Value {
    let name = &repo.name;
    let full = format!("{owner}/{name}");
    let (api, url) = (&state.api, format!("{}/repos/{full}", state.api));
    let open = repo.items.values().filter(|i| i.open && !i.gone).count();
    let mut out = Map::new();
    for (field, path) in UNDER {
        out.insert(field.into(), format!("{url}{path}").into());
    }
    let place = json!({
        "id": id,
        "node_id": node("R_kgDO", id),
        "name": name,
        "full_name": full,
        "private": repo.private,
        "owner": user(state, owner),
        "html_url": format!("{api}/{full}"),
        "description": null,
        "fork": fork,
        "created_at": time(repo.created_at),
        "updated_at": time(repo.pushed_at),
        "pushed_at": time(repo.pushed_at),
        "git_url": format!("git://127.0.0.1/{full}.git"),
        "ssh_url": format!("git@127.0.0.1:{full}.git"),
        "clone_url": format!("{api}/{full}.git"),
        "svn_url": format!("{api}/{full}"),
        "homepage": null,
        "size": 1,
    });
    let figures = json!({
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": null,
        "has_issues": true,
        "has_projects": false,
        "has_downloads": false,
        "has_wiki": false,
        "has_pages": false,
        "has_discussions": false,
        "forks_count": repo.forks.len(),
        "mirror_url": null,
        "archived": repo.archived,
        "disabled": false,
        "open_issues_count": open,
        "license": null,
        "allow_forking": true,
        "is_template": false,
        "web_commit_signoff_required": false,
        "topics": [],
        "visibility": if repo.private { "private" } else { "public" },
        "forks": repo.forks.len(),
        "open_issues": open,
        "watchers": 0,
        "default_branch": repo.default_branch,
        "network_count": repo.forks.len(),
        "subscribers_count": 0,
        "custom_properties": {},
    });
    for part in [place, figures] {
        if let Value::Object(fields) = part {
            out.extend(fields);
        }
    }
    Value::Object(out)
}

/// Returns the JSON of a repository in a push, where two of its times are numbers.
pub(crate) fn repository_of_push(state: &State, repo: &Repo) -> Value {
    let mut shown = repository(state, repo);
    shown["created_at"] = repo.created_at.as_second().into();
    shown["pushed_at"] = repo.pushed_at.as_second().into();
    shown["master_branch"] = repo.default_branch.clone().into();
    shown["stargazers"] = 0.into();
    shown
}

/// Returns the JSON of a repository in the events of an installation.
pub(crate) fn small_repository(repo: &Repo) -> Value {
    json!({
        "id": repo.id,
        "node_id": node("R_kgDO", repo.id),
        "name": repo.name,
        "full_name": repo.full_name(),
        "private": repo.private,
    })
}

/// Returns the JSON of the App, or of another App that creates check runs.
pub(crate) fn integration(state: &State, slug: &str) -> Value {
    let ours = slug == state.app.slug;
    let id = if ours { state.app.id } else { state.users.get(&format!("{slug}[bot]")).map_or(0, |u| u.id) };
    json!({
        "id": id,
        "slug": slug,
        "node_id": node("A_kwDO", id),
        "owner": user(state, if ours { &state.app.owner } else { slug }),
        "name": if ours { &state.app.name } else { slug },
        "description": "",
        "external_url": format!("{}/apps/{slug}", state.web),
        "html_url": format!("{}/apps/{slug}", state.web),
        "created_at": time(state.app.created_at),
        "updated_at": time(state.app.created_at),
        "permissions": state.app.permissions,
        "events": state.app.events,
    })
}

/// Returns the JSON of an installation of the App.
pub(crate) fn installation(state: &State, of: &Installation) -> Value {
    let owner = state.users.get(&of.owner.to_ascii_lowercase());
    json!({
        "id": of.id,
        "client_id": format!("Iv23{:016x}", state.app.id),
        "account": user(state, &of.owner),
        "repository_selection": "selected",
        "access_tokens_url": format!("{}/app/installations/{}/access_tokens", state.api, of.id),
        "repositories_url": format!("{}/installation/repositories", state.api),
        "html_url": format!("{}/settings/installations/{}", state.web, of.id),
        "app_id": state.app.id,
        "app_slug": state.app.slug,
        "target_id": owner.map_or(0, |u| u.id),
        "target_type": owner.map_or("User", |u| u.kind),
        "permissions": of.permissions,
        "events": of.events,
        "created_at": time(of.created_at),
        "updated_at": time(of.created_at),
        "single_file_name": null,
        "has_multiple_single_files": false,
        "single_file_paths": [],
        "suspended_by": null,
        "suspended_at": null,
    })
}
