//! Repositories and installations that a person may see, asked with a user access token.

use super::{
    super::{shape, state::State},
    Call, Reply, Route,
};

pub(super) const ROUTES: &[Route] = &[
    Route::user("GET", "/user", user),
    Route::user("GET", "/user/installations", installations),
    Route::user("GET", "/user/installations/{installation_id}/repositories", repositories),
];

fn user(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    Ok(Reply::ok(shape::public_user(state, &call.person)))
}

/// Lists the installations of which the person may read a repository.
fn installations(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let theirs =
        |repos: &std::collections::BTreeSet<u64>| repos.iter().any(|repo| state.has_access(&call.person, *repo));
    let all: Vec<_> = state
        .installations
        .values()
        .filter(|installation| theirs(&installation.repos))
        .map(|installation| shape::installation(state, installation))
        .collect();
    Ok(Reply::page_of(&state.api, call, "installations", all))
}

fn repositories(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let id = call.number("installation_id")?;
    let of = state.installations.get(&id).ok_or_else(Reply::not_found)?;
    let theirs = of.repos.iter().filter(|repo| state.has_access(&call.person, **repo));
    let all: Vec<_> =
        theirs.filter_map(|repo| state.repos.get(repo)).map(|repo| shape::repository(state, repo)).collect();
    Ok(Reply::page_of(&state.api, call, "repositories", all))
}
