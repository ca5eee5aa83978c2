//! Commit that a promotion deploys.

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{
        fact::RepoFacts,
        id::Sha,
        policy::Policy,
        rule::EnvironmentRule,
        turn::{Act, Turn},
    },
    text::{
        headline::Headline,
        message::{command_line, deployment_name, quoted},
    },
};

/// Returns the commit to promote: the one that runs in every environment before this one. `Err`:
/// the reason why there is none, for people.
pub(crate) fn upstream(
    facts: &RepoFacts,
    policy: &Policy,
    rule: &EnvironmentRule,
    now: Timestamp,
) -> Result<Sha, Headline> {
    let eval = EvalContext::new(facts, policy, now);
    if rule.after.is_empty() {
        let state = "the policy names no environment before it (`after`)";
        return Err(Headline::new(state, Turn::asker("name the commit with `/deploy ENV ref=REF`")));
    }
    let mut found: Option<(&Sha, &String)> = None;
    for name in &rule.after {
        let Some(run) = eval.history(name).current() else {
            let foreign = eval.history(name).foreign_since(Timestamp::MIN).next();
            let foreign = foreign.map(|(id, _)| {
                let name = deployment_name(id);
                format!("What {name} brought is foreign: of a pull request's job, or at a commit of no branch here.")
            });
            let turn = Turn::asker(Act::comment(command_line(&["deploy", name])).and(" first"));
            let state = format!("nothing runs in {}", quoted(name));
            return Err(Headline::new(state, turn).with(foreign.unwrap_or_default()));
        };
        let Some(sha) = run.commit else {
            let made = deployment_name(run.deployment);
            return Err(Headline::new(
                format!("it is not known yet which commit {made} put into {}", quoted(name)),
                Turn::asker("repeat the command in a minute, or name the commit with `/deploy ENV ref=REF`"),
            ));
        };
        match found {
            Some((known, other)) if known != sha => {
                return Err(Headline::new(
                    format!("{} runs {} and {} runs {}", quoted(other), known.code(), quoted(name), sha.code()),
                    Turn::asker("name the commit with `/deploy ENV ref=REF`"),
                ));
            }
            _ => found = Some((sha, name)),
        }
    }
    found
        .map(|(sha, _)| sha.clone())
        .ok_or_else(|| Headline::new("nothing runs before it", Turn::asker("deploy there first")))
}
