//! Services: the phase of an item, compared with its phase within each service alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use jiff::Timestamp;
use phasebot_core::{
    domain::{
        decision::GateName,
        event::{Event, Seen},
        fact::RepoFacts,
        id::Sha,
        policy::Policy,
    },
    gate::{self, Subject, carries::Carried},
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

/// A deployment of a history.
struct Deployed {
    /// Number of events before it.
    event: usize,
    service: &'static str,
    /// Its commit, as a place in the default branch: the first pull request's is 1.
    to: usize,
    succeeds: bool,
}

/// A history as steps of a scenario, with the truth about it.
struct History {
    steps: String,
    /// Pull requests in order, with the services that each touches.
    pulls: Vec<(u64, BTreeSet<&'static str>)>,
    deployed: Vec<Deployed>,
}

fn history(acts: &[Act]) -> History {
    let mut steps = "08:00 push main b0\n".to_owned();
    let mut line = vec!["b0".to_owned()];
    let mut pulls: Vec<(u64, BTreeSet<&str>)> = Vec::new();
    let mut deployed = Vec::new();
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
                let (event, to) = (steps.lines().count(), which.index(line.len()));
                let _ = writeln!(steps, "{at} deploy {} {name}-prod of {} {how}", 100 + minute, line[to]);
                deployed.push(Deployed { event, service: name, to, succeeds: *succeeds });
            }
        }
    }
    History { steps, pulls, deployed }
}

/// Returns the pull requests that an environment of a service alone runs.
fn running(facts: &RepoFacts, history: &History, policy: &Policy, now: Timestamp) -> BTreeSet<u64> {
    let runs = |pull: &u64| {
        let derived = phase::derive(facts, *pull, policy, now);
        matches!(derived.phase.as_deref(), Some("operate" | "monitor"))
    };
    history.pulls.iter().map(|(pull, _)| *pull).filter(runs).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// An item has the phase of its least advanced service, and what belongs to no service is moved
    /// by none.
    #[test]
    fn an_item_has_the_phase_of_its_least_advanced_service(acts in prop::collection::vec(act(), 1..20)) {
        let History { steps, pulls, .. } = history(&acts);
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

    /// What is listed for an environment of a service is what touches the service, and what the
    /// deployment then moves there; the rest is counted.
    #[test]
    fn what_is_listed_for_a_service_is_what_its_deployment_moves(acts in prop::collection::vec(act(), 1..24)) {
        let history = history(&acts);
        let steps = &history.steps;
        let events = read(steps).events;
        let both = policy(&[WEB, API]);
        let alone = BTreeMap::from([("web", policy(&[WEB])), ("api", policy(&[API]))]);
        let mut facts = RepoFacts::new(repo().key);
        let mut seen = 0;
        let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
        for Deployed { event, service, to, succeeds } in &history.deployed {
            let (deployment, alone) = (&events[*event], &alone[service]);
            for event in &events[seen..*event] {
                observe(&mut facts, event, &both, &Us { bot: None });
            }
            seen = *event;
            let Some(from) = runs.get(service).copied() else {
                if *succeeds {
                    runs.insert(service, *to);
                }
                continue;
            };
            let sha = deployed_commit(deployment);
            let subject = Subject::new(GateName::Deploy(format!("{service}-prod")), sha, deployment.at);
            let carried = gate::carried(&facts, &both, &subject, deployment.at);
            let between = |low: usize, high: usize| &history.pulls[low.min(high)..high];
            let brought = between(from, *to).iter().filter(|(_, touched)| touched.contains(service));
            let brought: BTreeSet<u64> = brought.map(|(pull, _)| *pull).collect();
            prop_assert_eq!(carried.pulls(), brought.clone(), "{} {}\n{}", service, to, steps);
            if let Carried::Changes(contents) = &carried {
                let all = between(from, *to).iter().chain(between(*to, from));
                let others = all.filter(|(_, touched)| !touched.contains(service)).count();
                prop_assert_eq!(contents.others, others, "{} {}\n{}", service, to, steps);
            }
            let before = running(&facts, &history, alone, deployment.at);
            observe(&mut facts, deployment, &both, &Us { bot: None });
            seen += 1;
            if *succeeds {
                runs.insert(service, *to);
                let after = running(&facts, &history, alone, deployment.at);
                prop_assert_eq!(&after - &before, brought, "{} {}\n{}", service, to, steps);
            }
        }
    }
}

/// Returns the commit of a deployment's event.
fn deployed_commit(event: &Event) -> Sha {
    let Seen::Deployment(deployment) = &event.seen else { panic!("{event:?}") };
    deployment.sha.clone()
}
