//! Reviews and files of pull requests, and the pull requests that brought a commit.

use super::{
    super::{model::Pull, shape, state::State},
    Call, Reply, Route,
};

const READ: &[&str] = &["pull_requests:read"];

pub(super) const ROUTES: &[Route] = &[
    Route::new("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", READ, reviews),
    Route::new("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/files", READ, files),
    Route::new("GET", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls", READ, pulls_of),
];

/// Lists reviews, oldest first.
fn reviews(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let number = call.number("pull_number")?;
    state.pull(call.repo, number)?;
    let repo = state.repo(call.repo)?;
    let all = repo.reviews.values().filter(|review| review.pull == number);
    let all = all.map(|review| shape::listed_review(state, repo, review)).collect();
    Ok(Reply::page(&state.api, call, all))
}

/// Lists the files of a pull request, as it changed them since it left its target.
fn files(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let number = call.number("pull_number")?;
    let pull = state.pull(call.repo, number)?;
    let all = super::commits::files(state, state.repo(call.repo)?, &pull.base_sha, &pull.head_sha);
    Ok(Reply::page(&state.api, call, all))
}

/// Lists the pull requests of a commit: merged ones with this merge commit or head, and unmerged
/// ones with this head.
fn pulls_of(state: &mut State, call: &Call) -> Result<Reply, Reply> {
    let sha = super::commits::resolve(state, call, call.param("commit_sha"))?;
    let repo = state.repo(call.repo)?;
    let brings = |pull: &Pull| match &pull.merged {
        Some(merged) => merged.sha == sha || pull.head_sha == sha,
        None => pull.head_sha == sha,
    };
    let found = repo.items.values().filter_map(|item| Some((item, item.pull.as_ref()?)));
    let all = found.filter(|(_, pull)| brings(pull)).map(|(item, pull)| shape::pull(state, repo, item, pull));
    Ok(Reply::page(&state.api, call, all.collect()))
}
