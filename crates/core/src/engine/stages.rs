//! The stages of a decision about the repository as a whole, in their order.

use crate::{
    command::{conclude, diff, wait},
    context::EvalContext,
    deploy,
    domain::{
        effect::Effect,
        fact::{DocumentKey, RepoFacts},
    },
    gate, incident,
    insight::retro,
    notice,
    plan::{CommandEnding, DecisionContext, EffectOutcome, PartialPlan},
};

/// Brings everything that is not an item's phase up to facts, policy and time.
/// Doing it again changes nothing.
pub fn advance(facts: &mut RepoFacts, terms: &DecisionContext<'_>) -> PartialPlan {
    let mut advanced = incident::advance(facts, terms);
    // What a deploy comes to stands in its gate's check run.
    deploy::advance(facts, terms, &mut advanced);
    diff::answer_all(facts, terms, &mut advanced);
    answer_commands(facts, terms, &mut advanced);
    gate::advance(facts, terms, &mut advanced);
    notice::note_waits(facts, terms, &mut advanced);
    let tags_due_at = EvalContext::new(facts, terms.policy, terms.now).tags_due_at();
    advanced.wake(tags_due_at.filter(|at| *at > terms.now));
    advanced.wake(wait::next_try(facts));
    advanced
}

/// Notes how an effect ended that something here waits for. One that was noted
/// before is left as it is: a crash may bring it again.
pub fn ended(
    facts: &mut RepoFacts,
    effect: &Effect,
    key: &str,
    outcome: EffectOutcome<'_>,
    terms: &DecisionContext<'_>,
) -> PartialPlan {
    let mut advanced = incident::ended(facts, effect, outcome, terms);
    deploy::ended(facts, effect, key, outcome, terms, &mut advanced);
    retro::ended(facts, effect, outcome, &mut advanced);
    answer_commands(facts, terms, &mut advanced);
    advanced
}

/// Notes the end of commands that waited for a deploy, and answers them.
fn answer_commands(facts: &mut RepoFacts, terms: &DecisionContext<'_>, out: &mut PartialPlan) {
    for CommandEnding { command, ending, reply } in std::mem::take(&mut out.endings) {
        let settled = conclude::settle(facts, command, &ending, reply, terms.now);
        if settled.changed.is_empty() {
            continue;
        }
        out.changed.insert(DocumentKey::Command(command));
        out.items.insert(command.item);
        out.effects.extend(settled.effects);
    }
}
