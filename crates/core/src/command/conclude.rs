//! Conclusion of a command that the forge had to carry out.

use jiff::Timestamp;

use crate::{
    command::{
        messages,
        reaction::Reaction,
        reply::{self, AnswerText},
    },
    domain::{
        effect::{Effect, ForgeResult},
        fact::{
            DocumentKey, RepoFacts,
            command::{CommandAction, CommandId, Ending},
        },
    },
    plan::{EffectOutcome, PlannedEffect, SuccessReply},
    text::headline::{Headline, rejected},
};

/// Result of concluding a command.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conclusion {
    /// Documents to store again.
    pub changed: Vec<DocumentKey>,
    /// Effects to queue.
    pub effects: Vec<PlannedEffect>,
    /// The item's status comment has to change.
    pub status_comment: bool,
}

/// Records the outcome of a command's effect and replies. A command that was concluded before stays
/// as it is.
pub fn conclude(facts: &mut RepoFacts, effect: &Effect, outcome: EffectOutcome<'_>, now: Timestamp) -> Conclusion {
    let Some(id) = effect.command() else { return Conclusion::default() };
    let by = facts.commands.get(&id).map(|command| command.by.login.clone()).unwrap_or_default();
    let ending = ending(effect, outcome, &by);
    let Some((line, node)) = end(facts, id, &ending) else { return Conclusion::default() };
    let mut effects: Vec<PlannedEffect> = Reaction::of(&ending)
        .and_then(|mood| reply::react(id.item, id.source, node.as_deref(), mood))
        .into_iter()
        .collect();
    if let Some(saying) = words(id, &line, &ending, outcome) {
        effects.extend(reply::say_later(facts, id, saying, now));
    }
    Conclusion {
        changed: vec![DocumentKey::Command(id)],
        effects,
        status_comment: crate::command::status_comment::is_wanted(facts, id.item),
    }
}

/// Ends a command that waited for something other than its own effect.
pub(crate) fn settle(
    facts: &mut RepoFacts,
    id: CommandId,
    ending: &Ending,
    reply: SuccessReply,
    now: Timestamp,
) -> Conclusion {
    let Some((line, node)) = end(facts, id, ending) else { return Conclusion::default() };
    let unasked = facts.commands.get(&id).is_some_and(|command| !command.evidence.gives_rights());
    let mut effects: Vec<PlannedEffect> = Reaction::of(ending)
        .and_then(|mood| reply::react(id.item, id.source, node.as_deref(), mood))
        .into_iter()
        .collect();
    // A rollback was announced; the announcement becomes its outcome.
    if let Some(note) = announced(facts, id) {
        let over = match ending {
            Ending::Done(words) => Some(format!("↩️ {}\n\nAnnounced as: {note}.", words.text)),
            Ending::Failed(words) => Some(format!("❌ {}\n\nAnnounced as: {note}.", words.text)),
            Ending::Refused(words) | Ending::Misread(words) => {
                Some(format!("👎 {}\n\nIt did not start. Announced as: {note}.", words.text))
            }
            Ending::Pending => None,
        };
        effects.extend(over.map(|words| reply::note_over(facts, id, &words)));
    }
    let saying = match (ending, reply) {
        (Ending::Done(text), SuccessReply::Answer) => Some(AnswerText::answer(id, &line, &text.text, unasked)),
        (Ending::Done(words), SuccessReply::DryRun) => Some(AnswerText::dry_run(id, &line, &words.text)),
        (Ending::Done(_), SuccessReply::None)
        | (Ending::Pending | Ending::Failed(_) | Ending::Refused(_) | Ending::Misread(_), _) => {
            AnswerText::of(id, &line, ending, unasked)
        }
    };
    if let Some(saying) = saying {
        effects.extend(reply::say_later(facts, id, saying, now));
    }
    Conclusion {
        changed: vec![DocumentKey::Command(id)],
        effects,
        status_comment: crate::command::status_comment::is_wanted(facts, id.item),
    }
}

/// Returns the words by which a comment of ours announced what a command was about to do.
fn announced(facts: &RepoFacts, id: CommandId) -> Option<String> {
    let action = facts.commands.get(&id).and_then(|command| command.action.as_ref());
    let Some(CommandAction::Deploy { request }) = action else { return None };
    let request = facts.requests.get(request).filter(|request| !request.note.is_empty() && !request.dry_run)?;
    Some(request.note.trim_end_matches('.').to_owned())
}

/// Ends a command that is under way; returns its line and its review's global id. `None`: it is not
/// under way.
fn end(facts: &mut RepoFacts, id: CommandId, ending: &Ending) -> Option<(String, Option<String>)> {
    facts.commands.get(&id).filter(|command| command.ending == Ending::Pending)?;
    facts.commands.update(&id, |command| {
        command.ending = ending.clone();
        (command.line.clone(), command.node.clone())
    })
}

/// Returns the reply in words. Most endings need none; checks that someone else has to re-run do.
fn words(id: CommandId, line: &str, ending: &Ending, outcome: EffectOutcome<'_>) -> Option<AnswerText> {
    match (ending, outcome) {
        (Ending::Done(words), EffectOutcome::Done { result: Some(ForgeResult::Reran { others, .. }), .. })
            if !others.is_empty() =>
        {
            Some(AnswerText::done(id, line, &words.text))
        }
        _ => AnswerText::of(id, line, ending, false),
    }
}

fn ending(effect: &Effect, outcome: EffectOutcome<'_>, by: &str) -> Ending {
    let refused = |why: Headline| Ending::Refused(why.statement(by));
    let result = match outcome {
        EffectOutcome::Failed(why) => return Ending::Failed(rejected(why).statement(by)),
        EffectOutcome::Withheld(why) => return refused(messages::withheld(why)),
        EffectOutcome::Done { result, .. } => result,
    };
    match result {
        Some(ForgeResult::HeadMoved { known, found }) => refused(messages::head_moved(known, found)),
        Some(ForgeResult::Reran { workflows, others }) if workflows.is_empty() => {
            refused(messages::nothing_to_rerun(others))
        }
        Some(ForgeResult::Reran { workflows, others }) if others.is_empty() => {
            Ending::Done(messages::reran(workflows).into())
        }
        Some(ForgeResult::Reran { workflows, others }) => {
            Ending::Done(messages::reran_some(workflows, others).statement(by))
        }
        Some(ForgeResult::NotAssignable(logins)) => refused(messages::not_assignable(logins)),
        Some(ForgeResult::NoMilestone { known }) => {
            let name = match effect {
                Effect::SetMilestone { milestone: Some(name), .. } => name.as_str(),
                Effect::SetPhase { .. }
                | Effect::UpsertComment { .. }
                | Effect::React { .. }
                | Effect::FoldComment { .. }
                | Effect::Assign { .. }
                | Effect::SetMilestone { .. }
                | Effect::RerunFailed { .. }
                | Effect::OpenIssue { .. }
                | Effect::EditIssue { .. }
                | Effect::SetIssueState { .. }
                | Effect::SetLabels { .. }
                | Effect::UpsertIssue { .. }
                | Effect::Report { .. }
                | Effect::CreateDeployment { .. }
                | Effect::SetDeployment { .. }
                | Effect::TearDown { .. }
                | Effect::MirrorDeployment { .. }
                | Effect::Dispatch { .. }
                | Effect::CancelRun { .. }
                | Effect::AnswerProtection { .. }
                | Effect::PublishRelease { .. }
                | Effect::SetReleaseNotes { .. }
                | Effect::ActOnSchema { .. } => "",
            };
            refused(messages::no_milestone(name, known))
        }
        Some(ForgeResult::NameMoved { found }) => refused(messages::tag_would_move(found.as_ref())),
        Some(ForgeResult::NotStarted(why)) => refused(messages::not_started(why)),
        // Deploys report these results themselves.
        Some(
            ForgeResult::Deployed { .. }
            | ForgeResult::Started { .. }
            | ForgeResult::SchemaActed(_)
            | ForgeResult::NotFound,
        )
        | None => Ending::Done(String::new().into()),
    }
}
