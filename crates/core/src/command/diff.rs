//! `/diff`: lists what a deploy would carry. It is answered once the commits are known.

use jiff::{SignedDuration, Timestamp};

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, Value, may, must},
        messages,
        run::{CommandResult, Invocation},
    },
    commits::branches::OnLine,
    context::EvalContext,
    domain::{
        decision::GateName,
        fact::{
            DocumentKey, RepoFacts,
            command::{CommandAction, CommandFacts, CommandId, Ending},
        },
        id::Sha,
        needs::{Answer, Need, ResolvedRefKind},
        permission::Role,
    },
    gate::{Subject, carries::Carried, target},
    plan::{CommandEnding, DecisionContext, PartialPlan, SuccessReply},
    text::headline::Headline,
};

/// Longest wait for what GitHub is asked.
const ANSWER_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// Time until an unanswered question is asked again.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

pub(super) static ROW: Row = Row {
    name: "diff",
    forms: &[&[must("ENV", Kind::Word), may("ref", Kind::Key(Value::Ref))]],
    least: Role::Read,
    place: Place::Anywhere,
    forks: true,
    help: "Lists what a deploy would carry: pull requests, authors, issues",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let environment = match turn.environment(given.text("ENV")) {
        Ok(environment) => environment,
        Err(why) => return CommandResult::Misread(why),
    };
    let mut open = turn.facts.commands.index().diffs.iter().filter_map(|id| turn.facts.commands.get(id));
    let is_asking = |other: &CommandFacts| other.by.same_as(&turn.request.by) == Some(true);
    if !turn.standing.evidence().gives_rights() && open.any(is_asking) {
        return CommandResult::Refused(Headline::untold());
    }
    let (reference, sha) = match meant(turn, given) {
        Ok(found) => found,
        Err(why) => return CommandResult::Refused(why),
    };
    turn.action = Some(CommandAction::Diff { environment, reference, sha, since: turn.now });
    CommandResult::Later
}

/// Returns what a `/deploy` from here would deploy: a name, or the commit. An empty name is the
/// default branch.
fn meant(turn: &Invocation<'_>, given: &Given) -> Result<(String, Option<Sha>), Headline> {
    if let Some(name) = given.optional("ref") {
        return Ok((name.to_owned(), None));
    }
    let number = turn.id.item;
    if !turn.item().is_some_and(|item| item.is_pull) {
        return Ok((String::new(), None));
    }
    if let Some(merge) = turn.facts.pull(number).and_then(|pull| pull.merged.as_ref()) {
        return Ok((String::new(), Some(merge.sha.clone())));
    }
    if turn.item().is_some_and(|item| item.closed(turn.now).is_some()) {
        return Err(messages::closed_unmerged());
    }
    match turn.request.commit(turn.facts) {
        Some(head) => Ok((String::new(), Some(head.clone()))),
        None => Err(messages::head_unknown(None)),
    }
}

/// A pending `/diff`.
struct Question<'a> {
    id: CommandId,
    environment: &'a str,
    reference: &'a str,
    sha: Option<&'a Sha>,
    since: Timestamp,
    by: &'a str,
}

fn pending(facts: &RepoFacts) -> impl Iterator<Item = Question<'_>> {
    let known = facts.commands.index().diffs.iter().filter_map(|id| Some((*id, facts.commands.get(id)?)));
    known.filter_map(|(id, command)| match &command.action {
        Some(CommandAction::Diff { environment, reference, sha, since }) => {
            Some(Question { id, environment, reference, sha: sha.as_ref(), since: *since, by: &command.by.login })
        }
        _ => None,
    })
}

/// Commit that a `/diff` is about.
enum Target {
    Known(Sha),
    Asked,
    No(Headline),
}

impl Question<'_> {
    fn need(&self, facts: &RepoFacts) -> Need {
        target::need_of(facts, &format!("diff {}", super::reply::name(self.id)), self.reference)
    }

    fn target(&self, eval: &EvalContext<'_>) -> Target {
        if let Some(sha) = self.sha {
            return Target::Known(sha.clone());
        }
        let facts = eval.facts;
        if self.reference.is_empty() {
            let branch = facts.default_branch();
            return match (eval.branch_head(branch), facts.answers.get(&Need::BranchHead { branch: branch.to_owned() }))
            {
                (Some((sha, _)), _) => Target::Known(sha),
                (None, Some(known)) => Target::No(messages::ref_unknown(branch, &known.answer)),
                (None, None) => Target::Asked,
            };
        }
        let need = self.need(facts);
        match (eval.lasting(&need), facts.answers.get(&need)) {
            (Some(Answer::Named(Some(named))), _) => {
                // Forges find a fork's commits under every repository's name.
                let is_ours = named.kind != ResolvedRefKind::Loose
                    || facts.pulls_with_head(&named.sha).next().is_some()
                    || matches!(eval.on_line(&named.sha), OnLine::Yes { .. });
                if is_ours { Target::Known(named.sha.clone()) } else { Target::No(messages::not_here(self.reference)) }
            }
            (_, Some(known)) => Target::No(messages::ref_unknown(self.reference, &known.answer)),
            (_, None) => Target::Asked,
        }
    }

    /// Returns the answer; `None` while the forge is being asked.
    fn answer(&self, eval: &EvalContext<'_>) -> Option<Ending> {
        let over = eval.now.duration_since(self.since) >= ANSWER_WITHIN;
        let sha = match self.target(eval) {
            Target::Known(sha) => sha,
            Target::No(why) => return Some(Ending::Refused(why.statement(self.by))),
            Target::Asked if over => {
                return Some(Ending::Refused(messages::ref_unanswered(self.reference).statement(self.by)));
            }
            Target::Asked => return None,
        };
        let subject = Subject::new(GateName::Deploy(self.environment.to_owned()), sha.clone(), self.since);
        let carried = eval.carried(&subject);
        if matches!(carried, Carried::Unknown { asked: true, .. }) && !over {
            return None;
        }
        Some(Ending::Done(carried.list(eval, &sha).into()))
    }
}

/// Asks for what the pending `/diff`s need.
pub(crate) fn want_all(eval: &EvalContext<'_>) {
    for question in pending(eval.facts) {
        question.answer(eval);
    }
}

/// Answers every pending `/diff` for which enough is known.
pub(crate) fn answer_all(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    if terms.writes_disabled.is_some() {
        return;
    }
    let mut answered: Vec<(CommandId, Ending, Need)> = Vec::new();
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    for question in pending(facts) {
        match question.answer(&eval) {
            Some(ending) => answered.push((question.id, ending, question.need(facts))),
            None => out.wake(terms.now.checked_add(AGAIN).ok()),
        }
    }
    drop(eval);
    for (id, ending, need) in answered {
        facts.commands.update(&id, |command| command.action = None);
        out.changed.insert(DocumentKey::Command(id));
        if facts.answers.remove(&need).is_some() {
            out.changed.insert(DocumentKey::Answer(need));
        }
        out.endings.push(CommandEnding { command: id, ending, reply: SuccessReply::Answer });
    }
}
