//! Messages about policy files.

use phasebot_core::{
    domain::policy::FILE,
    engine::{
        policy_report::{self, Verdict},
        preview::preview,
    },
    policy::check_over,
};

use super::Messages;
use crate::{
    policy_of,
    scenario::forge::{repo, words::start},
};

const NOW: &str = "
mode: act
commands: { permissions: { deploy: maintain } }
gates: { release: { on: { tag: 'v*' }, require: [checks: { named: [e2e] }, blockers: { label: release-blocker }] } }
environments: { staging: {}, production: { after: [staging], require: [approval: { count: 2, teams: [sre] }] } }
override: { never: [checks] }
";

pub fn messages() -> (&'static str, Messages) {
    let mut messages = Messages::default();
    let mut facts = crate::preview::facts((1..=3).map(|number| crate::preview::issue(number, true, &[])));
    let mut check = |text: &str| {
        let (report, proposed) = check_over(FILE, text, &[]);
        let now = policy_of(Some(NOW));
        let preview = proposed.map(|proposed| preview(&facts, |_| None, &now, &proposed, start(), || true));
        let Verdict { title, summary, .. } = policy_report::changed(&report, preview.as_ref());
        let verdict = if report.valid { "success" } else { "failure" };
        messages.add("Check run", &format!("phasebot/policy ({verdict}) {}", text.len()), &title, &summary);
    };
    check("mode: label\nphases: [{ name: plan, label: 'stage: planned' }, { name: code }, { name: build }]\n");
    check(
        &NOW.replace("blockers: { label: release-blocker }", "reviews")
            .replace("count: 2", "count: 1")
            .replace("deploy: maintain", "deploy: write"),
    );
    check(&NOW.replace("after: [staging], ", "after: [staging], unmerged: true, "));
    check(NOW);
    check("mode: atc\ngates: { relaese: { require: [chekcs] } }\n");
    facts.about.full_name = Some(phasebot_core::domain::fact::Newest::new(start(), repo().full_name));
    let (report, _) = check_over(FILE, "mode: atc\ngates: { release: { require: [chekcs] } }\n", &[]);
    let (title, body) = policy_report::broken(&facts, &report.to_string());
    messages.add("Issue", "new", &title, &body);
    ("What the policy's check and issue say", messages)
}
