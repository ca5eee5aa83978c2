//! Lines about deploys that have not ended.

use crate::{
    deploy::messages::what,
    domain::{
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, RequestState},
        },
        policy::Policy,
        turn::Turn,
    },
    text::{
        headline::Headline,
        message::{moment, quoted},
    },
};

/// Returns lines about the open deploys to an environment (lower case), the oldest first.
pub(crate) fn requests_to(facts: &RepoFacts, environment: &str, policy: &Policy) -> Vec<String> {
    let open = facts.open_requests().map(|(_, request)| request);
    let mut open: Vec<_> = open.filter(|request| request.environment == environment && !request.dry_run).collect();
    open.sort_by_key(|request| request.at);
    open.into_iter().map(|request| line(request, policy)).collect()
}

fn line(request: &DeployRequest, policy: &Policy) -> String {
    let since = moment(request.since, &policy.commands.zone);
    let state = match &request.state {
        RequestState::Asked => "is looked up".to_owned(),
        RequestState::Waiting(why) if why.is_empty() => "waits".to_owned(),
        RequestState::Waiting(why) => format!("waits: {why}"),
        RequestState::Starting(_) => "starts".to_owned(),
        RequestState::Running | RequestState::Ended { .. } => "is under way".to_owned(),
    };
    format!("{} by {}, since {since}: {state}", what(request), quoted(&request.by.login))
}

/// Returns why a request by a label is not wanted any more.
pub(in crate::deploy) fn label_removed() -> Headline {
    Headline::new("the label that asked for it was removed", Turn::Nobody)
}
