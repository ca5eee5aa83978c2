//! Checks which gates GitHub enforces, and which are advisory only.
//!
//! A gate's check on a tag's commit is advisory unless a tag ruleset requires it. An environment's
//! gate is advisory unless the environment has our deployment protection rule.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cli::doctor::{Finding, Verdict},
    domain::{
        policy::{Mode, Policy},
        rule::{ConditionRule, GateRule},
    },
    forge::github::{
        inspect::{Inspector, Installation, Repository},
        ruleset::Ruleset,
    },
    port::forge::ForgeError,
};

/// Name of the check run that a release's gate creates on its commit.
const CHECK: &str = "phasebot/release";

/// Client and subject of the checks.
pub(super) struct Place<'a> {
    pub(super) inspector: &'a Inspector,
    pub(super) app: u64,
    pub(super) installation: &'a Installation,
    pub(super) repo: &'a Repository,
}

/// Returns a finding for each gate of a repository.
pub(super) async fn check(place: &Place<'_>, policy: &Policy) -> Vec<Finding> {
    let environments = policy.environments.iter();
    let guarded = environments.filter(|(_, rule)| !rule.require.is_empty() || !rule.after.is_empty());
    let guarded: Vec<&String> = guarded.map(|(name, _)| name).collect();
    if policy.gates.is_empty() && guarded.is_empty() {
        return Vec::new();
    }
    let about = |finding: Finding| finding.about(&place.repo.full_name);
    if policy.mode != Mode::Act {
        let says = "gates are declared, and not applied: the mode is not act";
        return vec![about(Finding::new("gates", Verdict::Note, says).remedy("set mode: act in the policy file"))];
    }
    let mut found = Vec::new();
    if !policy.gates.is_empty() {
        match place.inspector.tag_rulesets(place.installation.id, place.repo).await {
            Ok(sets) => found.extend(policy.gates.iter().map(|(name, gate)| release(place, name, gate, &sets))),
            Err(error) => found.push(unknown("the gates of releases", &error)),
        }
    }
    for name in guarded {
        let seen = place.inspector.protects(place.installation.id, place.repo, name, place.app).await;
        found.push(match seen {
            Ok(seen) => environment(place, name, seen),
            Err(error) => unknown(&format!("environment {name}"), &error),
        });
    }
    found.extend(reporters(place, policy).await);
    found.into_iter().map(about).collect()
}

/// Returns findings for the named checks that anybody with write access could report, with the
/// gates and environments that use them.
async fn reporters(place: &Place<'_>, policy: &Policy) -> Vec<Finding> {
    let mut open: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let gates = policy.gates.iter().map(|(name, gate)| (name, &gate.require));
    let environments = policy.environments.iter().map(|(name, rule)| (name, &rule.require));
    for (name, require) in gates.chain(environments) {
        for rule in require {
            rule.walk(&mut |rule| {
                let ConditionRule::Checks { named, .. } = rule else { return };
                for check in named.iter().filter(|check| check.app.is_none()) {
                    open.entry(check.name.as_str()).or_default().insert(name);
                }
            });
        }
    }
    if open.is_empty() {
        return Vec::new();
    }
    let branch = &place.repo.default_branch;
    match place.inspector.required_checks(place.installation.id, place.repo, branch).await {
        // If the branch's rules bind a name to an App, that binding applies.
        Ok(required) => open.retain(|name, _| !required.iter().any(|rule| rule.name == *name && rule.source.is_some())),
        Err(error) => return vec![unknown(&format!("who reports the checks of {branch}"), &error)],
    }
    let line = |(name, places): (&str, BTreeSet<&str>)| {
        let places: Vec<&str> = places.into_iter().collect();
        let says =
            format!("anybody with write access could report the check {name}, which {} names", places.join(", "));
        let remedy = format!("bind it in the policy file: named: [{{ name: {name}, app: github-actions }}]");
        Finding::new("gates", Verdict::Note, says).remedy(remedy)
    };
    open.into_iter().map(line).collect()
}

fn release(place: &Place<'_>, name: &str, gate: &GateRule, rulesets: &[Ruleset]) -> Finding {
    // Publishing a draft creates its tag, so the same rule applies.
    let tags = gate.tag.as_ref().map_or("**", |tag| tag.as_str());
    let page = format!("{}/settings/rules", place.repo.html_url);
    let mut required =
        rulesets.iter().filter(|set| set.covers(tags)).filter_map(|set| Some((set, set.requires(CHECK)?)));
    let first = required.next();
    let finding = match first.into_iter().chain(required).max_by_key(|(_, app)| *app == Some(place.app)) {
        Some((set, Some(app))) if app == place.app => {
            let who = match set.bypassers() {
                Some(0) => "nobody may bypass it".to_owned(),
                Some(count) => format!("{count} may bypass it"),
                None => "who may bypass it is not shown to an App".to_owned(),
            };
            let says = format!("{name} is enforced by the ruleset {}: tags {tags} need {CHECK}; {who}", set.name);
            Finding::new("gates", Verdict::Ok, says)
        }
        Some((set, _)) => {
            let says = format!("{name}: the ruleset {} takes {CHECK} from others than this App", set.name);
            let remedy = format!("choose this App as the source of {CHECK} in the ruleset");
            Finding::new("gates", Verdict::Warn, says).remedy(remedy)
        }
        None => {
            let says = format!("{name} is advisory: no active ruleset holds back tags {tags} without {CHECK}");
            let remedy = format!(
                "New ruleset, New tag ruleset: Active, target {tags}, require the status check {CHECK} of this App"
            );
            Finding::new("gates", Verdict::Note, says).remedy(remedy)
        }
    };
    finding.link(page)
}

fn environment(place: &Place<'_>, name: &str, protected: Option<bool>) -> Finding {
    let finding = match protected {
        Some(true) => {
            let says = format!(
                "environment {name} is enforced by this App's protection rule; whether administrators may bypass it is not shown to an App"
            );
            Finding::new("gates", Verdict::Ok, says)
        }
        Some(false) => {
            let says = format!("environment {name} is advisory: a job can deploy to it without asking this App");
            let remedy =
                format!("{name}, Deployment protection rules: choose this App, and no bypass for administrators");
            Finding::new("gates", Verdict::Note, says).remedy(remedy)
        }
        None => {
            let says = format!("environment {name} is advisory: GitHub knows no environment of that name");
            let remedy = format!("New environment {name}, then choose this App among its protection rules");
            Finding::new("gates", Verdict::Note, says).remedy(remedy)
        }
    };
    finding.link(format!("{}/settings/environments", place.repo.html_url))
}

fn unknown(what: &str, error: &ForgeError) -> Finding {
    Finding::new("gates", Verdict::Note, format!("whether {what} can be passed by is unknown: {error}"))
        .remedy("let the App read what it asks for")
}
