//! Notices that a release is published and runs in production.

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{
        event::DeployState, fact::deployment::DeploymentOrigin, id::Sha, notice::NoticeKind, rule::name_key, version,
    },
    notice::{Draft, is_production, words},
    text::{links::Links, message::quoted},
};

/// Returns the notice about the release whose commit a deployment brought to production.
pub(super) fn of_deployment(eval: &EvalContext<'_>, id: u64) -> Option<Draft> {
    let deployment = eval.facts.deployments.get(&id)?;
    let status = deployment.statuses.last().filter(|status| status.state == DeployState::Success)?;
    let environment = name_key(&deployment.environment);
    if deployment.origin() != DeploymentOrigin::Own || !deployment.has_history() || !is_production(eval, &environment) {
        return None;
    }
    let sha = eval.history(&environment).commit_of(id)?;
    let tags = eval.tags_on(sha);
    let tag = tags.into_iter().find(|tag| published_at(eval, tag).is_some())?;
    Some(draft(eval, tag, &environment, status.at))
}

/// Returns the notice about a release that is published while its commit runs in production.
pub(super) fn of_release(eval: &EvalContext<'_>, id: u64) -> Option<Draft> {
    let state = &eval.facts.releases.get(&id)?.state.value;
    let at = published_at(eval, &state.tag)?;
    let sha = eval.tag_commit(&state.tag)?;
    let environment = running_in(eval, sha)?;
    Some(draft(eval, &state.tag, &environment, at))
}

/// Returns when the final release of a tag was published.
fn published_at(eval: &EvalContext<'_>, tag: &str) -> Option<Timestamp> {
    let mut releases = eval.facts.releases_of(tag).filter(|state| !state.withdrawn && !state.prerelease);
    version::is_final(tag).then(|| releases.find_map(|state| state.published_at)).flatten()
}

/// Returns a production environment that runs a commit.
fn running_in(eval: &EvalContext<'_>, sha: &Sha) -> Option<String> {
    let ids = eval.facts.deployments.index().by_commit.of(sha);
    let mut names = ids.filter_map(|id| Some(name_key(&eval.facts.deployments.get(id)?.environment)));
    names.find(|name| {
        let runs = || eval.history(name).current().and_then(|run| run.commit) == Some(sha);
        is_production(eval, name) && runs()
    })
}

fn draft(eval: &EvalContext<'_>, tag: &str, environment: &str, at: Timestamp) -> Draft {
    let page = words::link("Release", Links::of(eval.facts).release_page(tag));
    Draft {
        thread: format!("release/{tag}"),
        kind: NoticeKind::Released,
        is_news: true,
        headline: format!("{} is released and runs in {}", quoted(tag), quoted(environment)),
        environment: Some(environment.to_owned()),
        lines: Vec::new(),
        links: page.into_iter().collect(),
        needs_person: false,
        at,
    }
}
