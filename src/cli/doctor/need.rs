//! Permissions and events that a policy needs.

use crate::{
    domain::{
        policy::{Mode, Policy},
        rule::Via,
    },
    forge::github::app_permissions::{Access, Grants},
};

/// Returns what labels and comments need, and what this policy's other features need.
pub(super) fn needs(policy: &Policy) -> Grants {
    let mut wanted = Grants::base();
    if policy.mode != Mode::Act {
        return wanted;
    }
    // For the check run `phasebot/policy`, and those of gates and environments.
    wanted.add(&Grants::of(&[("checks", Access::Write)], &["check_suite"]));
    if policy.gates.values().any(|gate| gate.draft) {
        wanted.add(&Grants::of(&[("contents", Access::Write)], &[]));
    }
    // Answering a protection rule takes both, and so does a deployment whose runs may have to be
    // cancelled.
    let both = [("actions", Access::Write), ("deployments", Access::Write)];
    for environment in policy.environments.values() {
        if !environment.require.is_empty() || !environment.after.is_empty() {
            wanted.add(&Grants::of(&both, &["deployment_protection_rule"]));
        }
        match environment.deploy.as_ref().map(|deploy| &deploy.via) {
            Some(Via::Deployment) => wanted.add(&Grants::of(&both, &[])),
            Some(Via::Workflow { .. }) => wanted.add(&Grants::of(&both[..1], &[])),
            None => {}
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy;

    fn beyond(text: &str) -> String {
        let policy = policy::load("test.yml", text).unwrap();
        needs(&policy).beyond(&Grants::base()).to_string()
    }

    #[test]
    fn only_what_is_used_is_needed() {
        let gate = "gates: { release: { on: { draft: true }, require: [{ checks: { named: [ci] } }] } }";
        let environment = "environments: { production: { deploy: { via: deployment } } }";
        let gated = "environments: { production: { require: [{ approval: { count: 1 } }] } }";
        assert_eq!(beyond("version: 1"), "");
        assert_eq!(beyond(&format!("version: 1\n{gate}")), "", "mode label applies no gate");
        assert_eq!(beyond("version: 1\nmode: act"), "checks: write and the event check_suite");
        let drafts = "checks: write, contents: write and the event check_suite";
        assert_eq!(beyond(&format!("version: 1\nmode: act\n{gate}")), drafts);
        let all = "actions: write, checks: write, deployments: write";
        assert_eq!(
            beyond(&format!("version: 1\nmode: act\n{environment}")),
            format!("{all} and the event check_suite")
        );
        let wanted = format!("{all} and the events check_suite, deployment_protection_rule");
        assert_eq!(beyond(&format!("version: 1\nmode: act\n{gated}")), wanted);
    }
}
