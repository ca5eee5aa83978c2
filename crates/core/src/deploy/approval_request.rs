//! Request for an approval: a comment of its own, because edits notify nobody. It is posted once for
//! each deploy that waits for an approval, and minimized when the wait is over.

use std::fmt::Write as _;

use crate::{
    context::EvalContext,
    deploy::{change, messages},
    domain::{
        decision::{Condition, Decision},
        effect::Effect,
        fact::{
            RepoFacts,
            deploy_request::{ApprovalRequest, DeployRequest, Origin},
        },
        id::ItemId,
        turn::{Act, Turn},
    },
    gate::{
        approve_command, approvers, condition_order,
        missing_approval::{self, Missing},
        sentence_of,
    },
    plan::{DecisionContext, PartialPlan, PlannedEffect},
    text::{
        headline,
        links::Links,
        message::{capitalized, quoted},
    },
};

fn marker(id: &str) -> String {
    format!("request:{id}")
}

/// Posts the comment if the decision waits for an approval and nobody was asked yet; minimizes it if
/// the decision no longer waits for one.
pub(super) fn update(
    facts: &mut RepoFacts,
    id: &str,
    decision: &Decision,
    terms: &DecisionContext<'_>,
    out: &mut PartialPlan,
) {
    let Some(request) = facts.requests.get(id) else { return };
    match &request.approval {
        Some(_) if !decision.conditions.iter().any(is_closed) => close(facts, id, out),
        Some(_) => {}
        None => {
            let Some(missing) = missing_approval::of_gate(decision) else { return };
            let Some(item) = item(facts, request, terms) else { return };
            let body = body(facts, request, decision, &missing, terms);
            let effect = Effect::UpsertComment { item, marker: marker(id), body, sticky: false };
            out.effects.push(PlannedEffect { key: format!("request/{id}"), replaces: false, effect });
            let asked = ApprovalRequest { item, at: terms.now, closed: false };
            change(facts, id, out, |request| request.approval = Some(asked));
        }
    }
}

/// Minimizes the comment.
pub(super) fn close(facts: &mut RepoFacts, id: &str, out: &mut PartialPlan) {
    let asked = facts.requests.get(id).and_then(|request| request.approval.as_ref());
    let Some(asked) = asked.filter(|asked| !asked.closed).cloned() else { return };
    let effect = Effect::FoldComment { item: asked.item, marker: marker(id), since: asked.at };
    out.effects.push(PlannedEffect { key: format!("request/{id}/fold"), replaces: false, effect });
    change(facts, id, out, |request| request.approval = Some(ApprovalRequest { closed: true, ..asked }));
}

/// Returns whether an approval is missing, or is not known: who was asked may still have to answer.
fn is_closed(condition: &Condition) -> bool {
    let is_open = condition.standing.is_open();
    !is_open && (condition.code.starts_with("approval_") || condition.parts.iter().any(is_closed))
}

/// Returns the item on which to ask: that of the command, the issue of the incident, or the pull
/// request that was merged.
fn item(facts: &RepoFacts, request: &DeployRequest, terms: &DecisionContext<'_>) -> Option<ItemId> {
    match &request.origin {
        Origin::Command(id) => Some(id.item),
        Origin::Label(pull) => Some(*pull),
        Origin::Incident(id) => {
            let eval = EvalContext::new(facts, terms.policy, terms.now);
            let troubles = eval.troubles_in(&request.environment);
            troubles.into_iter().find(|trouble| trouble.id == *id).map(|trouble| trouble.issue)
        }
        Origin::Tag(_) | Origin::Merge(_) => {
            facts.index.merged_as.get(request.sha.as_ref()?)?.iter().next_back().copied()
        }
    }
}

fn body(
    facts: &RepoFacts,
    request: &DeployRequest,
    decision: &Decision,
    missing: &Missing<'_>,
    terms: &DecisionContext<'_>,
) -> String {
    let links = Links::of(facts);
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let environment = request.environment.as_str();
    let owner = facts.about.owner.as_ref().map_or("", |owner| owner.value.login.as_str());
    let who = missing.words(&|one| {
        if !one.mention || one.teams.is_empty() {
            return approvers(one, |team| links.team(team));
        }
        let mentions: Vec<String> = one.teams.iter().map(|team| at_mention(team, owner)).collect();
        let number = if one.count == 1 { String::new() } else { format!(" ({} of you)", one.count) };
        format!("{}{number}", mentions.join(" "))
    });
    let command = approve_command(Some(environment));
    let asked = Turn::people(&who, Act::comment(command.clone()).and(" to approve"));
    let asked_for = match &request.origin {
        Origin::Command(_) => format!("asked for by {}", quoted(&request.by.login)),
        Origin::Tag(_) | Origin::Merge(_) | Origin::Incident(_) | Origin::Label(_) => messages::asker(request),
    };
    let state = format!("the {}, {asked_for}, needs an approval", messages::what(request));
    let mut text = format!("✋ {}\n\n{}\n", headline::line(&state, &asked), command.block());
    let others: Vec<String> = missing_approval::others(decision)
        .into_iter()
        .map(|condition| {
            format!("- {} {}", condition_order::symbol(condition), capitalized(&sentence_of(condition, &links)))
        })
        .collect();
    if others.is_empty() {
        text.push_str("\nEverything else passes.");
    } else {
        let _ = write!(text, "\nIt also waits for:\n\n{}", others.join("\n"));
    }
    let running = eval.history(environment).current().and_then(|run| run.commit);
    if let (Some(from), Some(to)) = (running, &request.sha) {
        let pulls: Vec<ItemId> = eval.pulls_between(from, to).into_iter().flatten().rev().collect();
        if !pulls.is_empty() {
            let _ = write!(text, "\n\nIt brings {}.", messages::pulls(facts, &pulls));
        }
        let compare = links.compare(from, to, "compare with what runs now");
        let _ = write!(text, "\n\n{compare} · ");
    } else {
        text.push_str("\n\n");
    }
    if let Some(to) = &request.sha {
        text.push_str(&links.checks(to, "gate"));
    }
    links.dress(text.trim_end())
}

/// Returns a mention of a team that the policy names, with or without its organisation.
fn at_mention(team: &str, owner: &str) -> String {
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_/".contains(c));
    let full = if team.contains('/') { team.to_owned() } else { format!("{owner}/{team}") };
    if is_plain(&full) && !full.starts_with('/') { format!("@{full}") } else { quoted(team) }
}
