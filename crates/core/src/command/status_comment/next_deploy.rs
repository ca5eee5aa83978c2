//! Who deploys the item's change where it has to run next, or that it is deployed by itself.

use crate::{
    command::status_comment::StatusComment,
    commits::landing::Landing,
    context::rights::{DEPLOYS, WRITERS, who_may},
    deploy,
    domain::{
        fact::deploy_request::{DeployRequest, Origin},
        policy::{EnvironmentFilter, Mode, Pattern},
        rule::{AutoRule, Trigger},
        turn::{Act, Turn},
    },
    evidence::shipped::names_environment,
    text::message::{command_line, quoted},
};

/// Environments that come one after another before a change's target; a circle ends here.
const MOST_BEFORE: usize = 12;
/// Patterns of tags that an instruction names.
const MOST_PATTERNS: usize = 3;

impl StatusComment<'_, '_> {
    /// Returns who deploys the change where it has to run next.
    pub(super) fn deploys_next(&self, filter: &EnvironmentFilter, change: &str) -> Turn {
        let policy = self.eval.policy;
        let Some(target) = self.next_environment(filter) else {
            return Turn::people(WRITERS, format!("deploy {change}"));
        };
        let rule = policy.environments.get(&target).filter(|rule| rule.deploy.is_some() && policy.mode == Mode::Act);
        let Some(rule) = rule else {
            return Turn::people(WRITERS, format!("deploy {change} to {}", quoted(&target)));
        };
        if let Some(request) = self.automatic(&target) {
            return Turn::by_itself(format!("the {} starts when its gate is open", deploy::what(request)));
        }
        let landing = self.landed();
        if landing.is_some_and(|landing| self.is_deployed_by_itself(&rule.auto, &target, landing)) {
            return Turn::by_itself(format!("phasebot deploys {change} to {}", quoted(&target)));
        }
        if let Some(landing) = landing.filter(|_| rule.auto.on.contains(&Trigger::Tag))
            && self.eval.tagged(landing, &[], policy.scope_of_environment(&target)).is_empty()
        {
            let tag = tag_words(rule.auto.tags.as_deref());
            let then = format!("phasebot then deploys it to {}", quoted(&target));
            return Turn::people(WRITERS, format!("push {tag} that contains {change}; {then}"));
        }
        // On a pull request, the command means its commit.
        let is_pull = self.eval.facts.pull(self.derived.item).is_some();
        let reference = landing.filter(|_| !is_pull).map(|landing| format!("ref={}", landing.sha.short()));
        let words: Vec<&str> = ["deploy", &target].into_iter().chain(reference.as_deref()).collect();
        let act = Act::comment(command_line(&words)).and(format!(" to deploy {change}"));
        Turn::people(who_may(policy, "deploy", DEPLOYS), act)
    }

    /// Returns who tags the change, and what a tag starts.
    pub(super) fn tags_next(&self, change: &str) -> Turn {
        let policy = self.eval.policy;
        let starts = |name: &String| {
            let rule = policy.environments.get(name);
            rule.is_some_and(|rule| rule.deploy.is_some() && rule.auto.on.contains(&Trigger::Tag))
        };
        let started: Vec<String> = match policy.mode {
            Mode::Act => self.names().iter().filter(|name| starts(name)).map(|name| quoted(name)).collect(),
            Mode::Label | Mode::Observe => Vec::new(),
        };
        let then = match started.as_slice() {
            [] => String::new(),
            names => format!("; phasebot then deploys it to {}", names.join(" and ")),
        };
        Turn::people(WRITERS, format!("push a version tag that contains {change}{then}"))
    }

    /// Returns the environment where the change has to run next: one that comes first is first.
    fn next_environment(&self, filter: &EnvironmentFilter) -> Option<String> {
        let policy = self.eval.policy;
        let is_meant = |name: &String| {
            let production = policy.production(name);
            names_environment(filter, name) && filter.production.is_none_or(|wanted| production == Some(wanted))
        };
        let mut target = self.names().into_iter().rfind(is_meant)?;
        for _ in 0..MOST_BEFORE {
            let before = policy.environments.get(&target).and_then(|rule| {
                rule.after.iter().find(|name| {
                    let current = self.eval.history(name).current();
                    current.and_then(|run| run.commit).and_then(|sha| self.carries(sha)) != Some(true)
                })
            });
            let Some(before) = before else { break };
            target.clone_from(before);
        }
        Some(target)
    }

    /// Returns the open deploy of the change to an environment that no command asked for.
    fn automatic(&self, environment: &str) -> Option<&DeployRequest> {
        let open = self.eval.facts.open_requests().map(|(_, request)| request);
        let mut here = open.filter(|request| {
            request.environment == environment
                && !request.dry_run
                && matches!(request.origin, Origin::Tag(_) | Origin::Merge(_))
        });
        here.find(|request| request.sha.as_ref().and_then(|sha| self.carries(sha)) == Some(true))
    }

    /// Returns true if phasebot deploys what landed there without a command, and has not tried yet.
    fn is_deployed_by_itself(&self, auto: &AutoRule, environment: &str, landing: &Landing) -> bool {
        let (facts, policy) = (self.eval.facts, self.eval.policy);
        let is_default = landing.branch == facts.default_branch();
        let takes = policy.services.is_empty()
            && auto.on.contains(&Trigger::Merge)
            && auto.takes_branch(&landing.branch).unwrap_or(is_default);
        let mut tried = facts.requests.index().by_commit.of(&landing.sha).filter_map(|id| facts.requests.get(id));
        takes && !tried.any(|request| request.environment == environment && request.end().is_some())
    }
}

/// Returns words for the tags that start a deploy.
fn tag_words(patterns: Option<&[Pattern]>) -> String {
    let Some(patterns) = patterns else { return "a version tag".to_owned() };
    let names: Vec<String> = patterns.iter().take(MOST_PATTERNS).map(|pattern| quoted(pattern.as_str())).collect();
    format!("a version tag such as {}", names.join(" or "))
}
