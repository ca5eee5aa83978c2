//! What the forge made of a command that it had to carry out.

use jiff::Timestamp;

use super::{
    reply::{self, Saying, Wish},
    run::Mood,
    say,
};
use crate::domain::{
    effect::{Effect, Told},
    fact::{
        DocumentKey, RepoFacts,
        command::{CommandId, Ending},
    },
};

/// What follows from an errand's outcome.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conclusion {
    /// Documents to store again.
    pub changed: Vec<DocumentKey>,
    /// What to do.
    pub wishes: Vec<Wish>,
    /// The item's status comment says otherwise now.
    pub board: bool,
}

/// Notes how an errand went and says so. An errand that was concluded before
/// is left as it is.
pub fn conclude(
    facts: &mut RepoFacts,
    effect: &Effect,
    outcome: Result<Option<&Told>, &str>,
    now: Timestamp,
) -> Conclusion {
    let Some(id) = effect.command() else { return Conclusion::default() };
    let Some(command) = facts.commands.get_mut(&id).filter(|command| command.ending == Ending::Pending) else {
        return Conclusion::default();
    };
    let ending = ending(effect, outcome);
    command.ending = ending.clone();
    let (line, node) = (command.line.clone(), command.node.clone());
    let mut wishes: Vec<Wish> =
        Mood::of(&ending).and_then(|mood| reply::react(id.source, node.as_deref(), mood)).into_iter().collect();
    if let Some(saying) = words(id, &line, &ending, outcome) {
        wishes.extend(reply::say_later(facts, id, saying, now));
    }
    Conclusion { changed: vec![DocumentKey::Command(id)], wishes, board: super::board::is_wanted(facts, id.item) }
}

/// Most endings speak for themselves; checks that someone else has to run do not.
fn words(id: CommandId, line: &str, ending: &Ending, outcome: Result<Option<&Told>, &str>) -> Option<Saying> {
    match (ending, outcome) {
        (Ending::Done(words), Ok(Some(Told::Reran { others, .. }))) if !others.is_empty() => {
            Some(Saying::done(id, line, words))
        }
        _ => Saying::of(id, line, ending, false),
    }
}

fn ending(effect: &Effect, outcome: Result<Option<&Told>, &str>) -> Ending {
    match outcome {
        Err(why) => Ending::Refused(say::failed(why)),
        Ok(Some(Told::HeadMoved { known, found })) => Ending::Refused(say::head_moved(known, found)),
        Ok(Some(Told::Reran { workflows, others })) if workflows.is_empty() => {
            Ending::Refused(say::nothing_to_rerun(others))
        }
        Ok(Some(Told::Reran { workflows, others })) => Ending::Done(say::reran(workflows, others)),
        Ok(Some(Told::NotAssignable(logins))) => Ending::Refused(say::not_assignable(logins)),
        Ok(Some(Told::NoMilestone { known })) => {
            let name = match effect {
                Effect::SetMilestone { milestone: Some(name), .. } => name.as_str(),
                _ => "",
            };
            Ending::Refused(say::no_milestone(name, known))
        }
        Ok(None) => Ending::Done(String::new()),
    }
}
