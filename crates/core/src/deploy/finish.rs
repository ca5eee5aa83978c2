//! End of a deploy, and the reply to whoever asked for it.

use crate::{
    deploy::set_state,
    domain::fact::{
        RepoFacts,
        command::Ending,
        deploy_request::{Origin, RequestEnd, RequestState},
    },
    plan::{CommandEnding, DecisionContext, PartialPlan, SuccessReply},
};

/// Ends a request, and the command that asked for it.
pub(super) fn finish(
    facts: &mut RepoFacts,
    id: &str,
    how: RequestEnd,
    why: String,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    set_state(facts, id, RequestState::Ended { how, why: why.clone() }, terms, out);
    let Some(Origin::Command(command)) = facts.requests.get(id).map(|request| request.origin.clone()) else { return };
    let ending = match how {
        RequestEnd::Succeeded | RequestEnd::DryRunEnded => Ending::Done(why),
        RequestEnd::Failed => Ending::Failed(why),
        RequestEnd::Refused | RequestEnd::Withdrawn => Ending::Refused(why),
    };
    let reply = if how == RequestEnd::DryRunEnded { SuccessReply::DryRun } else { SuccessReply::None };
    out.endings.push(CommandEnding { command, ending, reply });
}
