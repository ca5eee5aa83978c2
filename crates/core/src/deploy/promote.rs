//! Commit that a promotion deploys.

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{fact::RepoFacts, id::Sha, policy::Policy, rule::EnvironmentRule},
    text::message::{deployment_name, quoted},
};

/// Returns the commit to promote: the one that runs in every environment before this one. `Err`:
/// the reason why there is none, for people.
pub(crate) fn upstream(
    facts: &RepoFacts,
    policy: &Policy,
    rule: &EnvironmentRule,
    now: Timestamp,
) -> Result<Sha, String> {
    let eval = EvalContext::new(facts, policy, now);
    if rule.after.is_empty() {
        return Err("The policy names no environment before it (`after`).".to_owned());
    }
    let mut found: Option<(&Sha, &String)> = None;
    for name in &rule.after {
        let Some(run) = eval.history(name).current() else {
            let foreign = eval.history(name).foreign_since(Timestamp::MIN).next();
            let foreign = foreign.map(|(id, _)| {
                let name = deployment_name(id);
                format!(" What {name} brought is foreign: of a pull request's job, or at a commit of no branch here.")
            });
            return Err(format!("Nothing runs in {}.{}", quoted(name), foreign.unwrap_or_default()));
        };
        let Some(sha) = run.commit else {
            return Err(format!(
                "It is not known yet which commit {} put into {}. Say it again in a minute, or name the \
                 commit with `/deploy`.",
                deployment_name(run.deployment),
                quoted(name)
            ));
        };
        match found {
            Some((known, other)) if known != sha => {
                return Err(format!(
                    "{} runs {} and {} runs {}: name the commit with `/deploy`.",
                    quoted(other),
                    known.code(),
                    quoted(name),
                    sha.code(),
                ));
            }
            _ => found = Some((sha, name)),
        }
    }
    found.map(|(sha, _)| sha.clone()).ok_or_else(|| "Nothing runs before it.".to_owned())
}
