//! Services: the phase of an item, compared with its phase within each service alone.

use std::{collections::BTreeSet, fmt::Write as _};

use jiff::Timestamp;
use phasebot_core::{
    domain::{fact::RepoFacts, policy::Policy},
    ingest::{Us, observe},
    phase,
};
use proptest::prelude::*;

use crate::scenario::{forge::repo, script::read};

const WEB: &str = "  web: { paths: 'web/**', tags: 'web-v*', environments: 'web-*' }\n";
const API: &str = "  api: { paths: 'api/**', tags: 'api-v*', environments: 'api-*' }\n";
const REST: &str =
    "shared: Cargo.lock\nenvironments: { web-prod: { production: true }, api-prod: { production: true } }\n";

#[derive(Debug, Clone)]
enum Act {
    /// A pull request that touches files of these services is merged.
    Merge(bool, bool),
    /// One that touches a shared file.
    Shared,
    /// A version of a service is tagged at a commit.
    Tag(&'static str, prop::sample::Index),
    /// A commit is deployed for a service, and succeeds or fails.
    Deploy(&'static str, prop::sample::Index, bool),
}

fn service() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("web"), Just("api")]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (any::<bool>(), any::<bool>()).prop_map(|(web, api)| Act::Merge(web, api)),
        1 => Just(Act::Shared),
        2 => (service(), any::<prop::sample::Index>()).prop_map(|(name, at)| Act::Tag(name, at)),
        4 => (service(), any::<prop::sample::Index>(), prop::bool::weighted(0.8))
            .prop_map(|(name, at, succeeds)| Act::Deploy(name, at, succeeds)),
    ]
}

fn policy(services: &[&str]) -> Policy {
    crate::policy_of(Some(&format!("services:\n{}{REST}", services.concat())))
}

fn index(facts: &RepoFacts, pull: u64, policy: &Policy, now: Timestamp) -> Option<usize> {
    let derived = phase::derive(facts, pull, policy, now);
    derived.phase.and_then(|name| policy.phase_index(&name))
}

/// Returns the steps of a history, and for each pull request the services that it touches.
fn history(acts: &[Act]) -> (String, Vec<(u64, BTreeSet<&'static str>)>) {
    let mut steps = "08:00 push main b0\n".to_owned();
    let mut line = vec!["b0".to_owned()];
    let mut pulls: Vec<(u64, BTreeSet<&str>)> = Vec::new();
    for (minute, act) in acts.iter().enumerate() {
        let at = format!("{:02}:{:02}", 9 + minute / 60, minute % 60);
        let mut merge = |files: &str, touched: &[&'static str]| {
            let number = 10 + pulls.len() as u64;
            let commit = format!("m{number}");
            let _ = writeln!(steps, "{at} pull {number} opened by ann head topic-{number}");
            let _ = writeln!(steps, "{at} pull {number} merged by ann as {commit}");
            let _ = writeln!(steps, "{at} push main {commit} touches {files}");
            line.push(commit);
            pulls.push((number, touched.iter().copied().collect()));
        };
        match act {
            Act::Merge(true, true) => merge("web/a,api/a", &["web", "api"]),
            Act::Merge(true, false) => merge("web/b", &["web"]),
            Act::Merge(false, true) => merge("api/b,README.md", &["api"]),
            Act::Merge(false, false) => merge("README.md", &[]),
            Act::Shared => merge("Cargo.lock", &["web", "api"]),
            Act::Tag(name, which) => {
                let _ = writeln!(steps, "{at} tag {name}-v1.0.{minute} at {}", which.get(&line));
            }
            Act::Deploy(name, which, succeeds) => {
                let how = if *succeeds { "success" } else { "failure" };
                let _ = writeln!(steps, "{at} deploy {} {name}-prod of {} {how}", 100 + minute, which.get(&line));
            }
        }
    }
    (steps, pulls)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// An item has the phase of its least advanced service, and what belongs to no service is moved
    /// by none.
    #[test]
    fn an_item_has_the_phase_of_its_least_advanced_service(acts in prop::collection::vec(act(), 1..20)) {
        let (steps, pulls) = history(&acts);
        let acts = read(&steps);
        let both = policy(&[WEB, API]);
        let alone = [("web", policy(&[WEB])), ("api", policy(&[API]))];
        let mut facts = RepoFacts::new(repo().key);
        for event in &acts.events {
            observe(&mut facts, event, &both, &Us { bot: None });
        }
        let now = acts.end;
        let build = both.phase_index("build");
        for (pull, touched) in pulls {
            let shown = index(&facts, pull, &both, now);
            let each = alone.iter().filter(|(name, _)| touched.contains(name));
            let least = each.map(|(_, policy)| index(&facts, pull, policy, now)).min();
            prop_assert_eq!(shown, least.unwrap_or(build), "#{} touches {:?}\n{}", pull, touched, steps);
        }
    }
}
