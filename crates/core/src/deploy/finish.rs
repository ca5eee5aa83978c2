//! End of a deploy, and the reply to whoever asked for it.

use crate::{
    context::{
        EvalContext,
        rights::{DEPLOYS, who_may},
    },
    deploy::{messages, schema::words::with_remains, set_state},
    domain::{
        effect::Effect,
        fact::{
            RepoFacts,
            command::Ending,
            deploy_request::{Origin, RequestEnd, RequestState},
        },
    },
    plan::{CommandEnding, DecisionContext, PartialPlan, PlannedEffect, SuccessReply},
    text::{headline::Headline, links::Links},
};

/// Ends a request, and the command that asked for it.
pub(super) fn finish(
    facts: &mut RepoFacts,
    id: &str,
    how: RequestEnd,
    why: &Headline,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    let why = &with_remains(facts, id, how, why, &terms.policy.commands.zone, terms.now);
    let origin = facts.requests.get(id).map(|request| (request.origin.clone(), request.by.login.clone()));
    let why = match &origin {
        Some((Origin::Command(_), by)) => why.statement(by),
        _ => why.statement_for(&who_may(terms.policy, "deploy", DEPLOYS)),
    };
    set_state(facts, id, RequestState::Ended { how, why: why.clone() }, terms, out);
    let command = match origin.map(|(origin, _)| origin) {
        Some(Origin::Command(command)) => command,
        Some(Origin::Incident(incident)) => {
            tell_on_incident(facts, id, &incident, how, &why.text, terms, out);
            return;
        }
        Some(Origin::Tag(_) | Origin::Merge(_) | Origin::Label(_)) | None => return,
    };
    let ending = match how {
        RequestEnd::Succeeded | RequestEnd::DryRunEnded => Ending::Done(why),
        RequestEnd::Failed => Ending::Failed(why),
        RequestEnd::Refused | RequestEnd::Withdrawn | RequestEnd::NotBegun => Ending::Refused(why),
    };
    let reply = if how == RequestEnd::DryRunEnded { SuccessReply::DryRun } else { SuccessReply::None };
    out.endings.push(CommandEnding { command, ending, reply });
}

/// Tells on the incident's issue how its rollback ended.
fn tell_on_incident(
    facts: &RepoFacts,
    id: &str,
    incident: &str,
    how: RequestEnd,
    why: &str,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let Some(item) = eval.issue_of(incident) else { return };
    let body = Links::of(facts).dress(&messages::automatic_rollback_ended(how, why));
    let effect = Effect::UpsertComment { item, marker: format!("undo-end:{id}"), body, sticky: false };
    out.effects.push(PlannedEffect { key: format!("undo-end/{id}"), replaces: false, effect });
}
