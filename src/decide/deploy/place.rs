//! What an environment runs, ran, and may go back to.

use jiff::Timestamp;

use crate::{
    decide::{environment::Environment, look::Look, message::quoted},
    domain::{
        fact::{
            RepoFacts,
            deploy::{RequestEnd, RequestKind},
        },
        id::Sha,
        policy::Policy,
        rule::EnvironmentRule,
    },
};

/// One stretch of time in which an environment ran a commit.
pub(super) struct Ran {
    pub(super) sha: Sha,
    from: Timestamp,
    until: Option<Timestamp>,
}

/// What an environment ran, oldest first. Anybody's deployments count: what
/// runs does not depend on who put it there.
pub(super) fn history(look: &Look<'_>, environment: &str) -> Vec<Ran> {
    let found = look.environments().iter().find(|known| known.name == environment);
    let stretches = found.into_iter().flat_map(Environment::stretches);
    stretches.map(|(sha, from, until)| Ran { sha: sha.clone(), from, until }).collect()
}

/// The commit that an environment runs.
pub(super) fn runs(look: &Look<'_>, environment: &str) -> Option<Sha> {
    history(look, environment).pop().filter(|ran| ran.until.is_none()).map(|ran| ran.sha)
}

/// The commit to promote: that which runs in every environment before this one.
pub(in crate::decide) fn upstream(
    facts: &RepoFacts,
    policy: &Policy,
    rule: &EnvironmentRule,
    now: Timestamp,
) -> Result<Sha, String> {
    let look = Look::new(facts, policy, now);
    if rule.after.is_empty() {
        return Err("The policy names no environment before it (`after`).".to_owned());
    }
    let mut found: Option<(Sha, &String)> = None;
    for name in &rule.after {
        let Some(sha) = runs(&look, name) else {
            return Err(format!("Nothing runs in {}.", quoted(name)));
        };
        match &found {
            Some((known, other)) if *known != sha => {
                return Err(format!(
                    "{} runs {} and {} runs {}: name the commit with `/deploy`.",
                    quoted(other),
                    quoted(known.short()),
                    quoted(name),
                    quoted(sha.short()),
                ));
            }
            _ => found = Some((sha, name)),
        }
    }
    found.map(|(sha, _)| sha).ok_or_else(|| "Nothing runs before it.".to_owned())
}

/// The commits that a rollback may go back to, nearest first: those that ran
/// before what runs now, were not themselves left by a rollback, and saw no
/// incident while they ran. With what is left.
pub(in crate::decide) fn carried_back(
    facts: &RepoFacts,
    policy: &Policy,
    environment: &str,
    rule: &EnvironmentRule,
    now: Timestamp,
) -> (Option<Sha>, Vec<(Sha, bool)>) {
    let look = Look::new(facts, policy, now);
    let mut history = history(&look, environment);
    let Some(current) = history.pop() else { return (None, Vec::new()) };
    let left: Vec<&Sha> = facts
        .requests_for(environment)
        .filter(|(_, r)| {
            r.kind == RequestKind::Rollback && r.started_at.is_some() && r.end() != Some(RequestEnd::Failed)
        })
        .filter_map(|(_, r)| r.from.as_ref())
        .collect();
    let disturbances = look.disturbances();
    let times = disturbances.get(environment);
    let disturbed = |ran: &Ran| {
        times.into_iter().flatten().any(|(from, _)| *from >= ran.from && ran.until.is_none_or(|until| *from < until))
    };
    let mut back: Vec<(Sha, bool)> = Vec::new();
    for ran in history.iter().rev() {
        if ran.sha == current.sha || left.contains(&&ran.sha) || back.iter().any(|(known, _)| *known == ran.sha) {
            continue;
        }
        back.push((ran.sha.clone(), !disturbed(ran)));
        if back.len() >= usize::from(rule.rollback.last) {
            break;
        }
    }
    (Some(current.sha), back)
}
