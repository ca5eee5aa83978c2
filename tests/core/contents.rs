//! Contents of a deployment, compared with the commit graph itself and with what the deployment
//! then moves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use jiff::Timestamp;
use phasebot_core::{
    domain::{alert::AlertRules, decision::GateName, event::Event, fact::RepoFacts, id::Sha, policy::Policy},
    engine,
    gate::{self, Subject, carries::Carried},
    ingest::{Us, observe},
    phase,
    plan::DecisionContext,
};
use proptest::prelude::*;

use crate::scenario::{forge::repo, script::read};

/// Something that happens to the repository.
#[derive(Debug, Clone)]
enum Act {
    /// A pull request is squashed into the default branch.
    Merge,
    /// A pull request that reverts an earlier one is merged.
    Revert(prop::sample::Index),
    /// Commits are pushed without a pull request.
    Push(usize),
    /// A commit of the default branch is deployed: the newest, or an earlier one.
    Deploy(prop::sample::Index),
    DeployNewest,
}

fn act(reverts: bool) -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Merge),
        u32::from(reverts) * 2 => any::<prop::sample::Index>().prop_map(Act::Revert),
        1 => (1..4_usize).prop_map(Act::Push),
        1 => any::<prop::sample::Index>().prop_map(Act::Deploy),
        3 => Just(Act::DeployNewest),
    ]
}

/// A history as steps of a scenario, with the truth about it.
#[derive(Default)]
struct Model {
    steps: String,
    minute: u32,
    /// Commits of the default branch in order.
    line: Vec<String>,
    /// Those of them that ended a push.
    tips: Vec<usize>,
    /// Merge commit of each pull request.
    merges: BTreeMap<u64, String>,
    /// Pull requests by the one that reverts them.
    reverts: BTreeMap<u64, u64>,
}

impl Model {
    fn step(&mut self, words: &str) {
        self.minute += 1;
        let (hour, minute) = (8 + self.minute / 60, self.minute % 60);
        let _ = writeln!(self.steps, "{hour:02}:{minute:02} {words}");
    }

    fn merge(&mut self, body: &str, message: &str) -> u64 {
        let number = 10 + self.merges.len() as u64;
        let commit = format!("m{number}");
        self.step(&format!("pull {number} opened by ann head topic-{number} body \"{body}\""));
        self.step(&format!("pull {number} merged by ann as {commit}"));
        self.step(&format!("push main {commit} \"{message} (#{number})\""));
        self.line.push(commit.clone());
        self.tips.push(self.line.len() - 1);
        self.merges.insert(number, commit);
        number
    }

    /// Returns the pull requests of a stretch of the default branch, without those that are taken
    /// back within it.
    fn brought(&self, from: usize, to: usize) -> BTreeSet<u64> {
        let within = &self.line[(from + 1).min(to + 1)..=to];
        let here = |number: &u64| within.contains(&self.merges[number]);
        let is_undone = |number: u64| self.is_undone(number, &here);
        self.merges.keys().copied().filter(|number| here(number) && !is_undone(*number)).collect()
    }

    fn is_undone(&self, number: u64, here: &dyn Fn(&u64) -> bool) -> bool {
        let mut by = self.reverts.iter().filter(|(by, of)| **of == number && here(by));
        by.any(|(by, _)| !self.is_undone(*by, here))
    }
}

fn policy() -> Policy {
    crate::policy_of(Some("mode: act\nenvironments: { production: {} }\n"))
}

fn learn(facts: &mut RepoFacts, events: &[Event], policy: &Policy) {
    let us = Us { bot: None };
    for event in events {
        observe(facts, event, policy, &us);
    }
}

fn shown(facts: &RepoFacts, pull: u64, policy: &Policy, now: Timestamp) -> bool {
    matches!(phase::derive(facts, pull, policy, now).phase.as_deref(), Some("operate" | "monitor"))
}

fn check(acts: &[Act], with_phases: bool) {
    let mut model = Model::default();
    model.step("push main b0");
    model.line.push("b0".into());
    model.tips.push(0);
    let mut deployed: Vec<(usize, usize)> = Vec::new();
    let mut runs: Option<usize> = None;
    for act in acts {
        let deploy = match act {
            Act::Merge => {
                model.merge("", "Work");
                continue;
            }
            Act::Revert(which) => {
                // Git has nothing to commit for a revert of what is taken back already.
                let known = model.merges.keys().copied();
                let known: Vec<u64> = known.filter(|number| !model.is_undone(*number, &|_| true)).collect();
                if known.is_empty() {
                    continue;
                }
                let of = *which.get(&known);
                let message = format!("This reverts commit SHA{}.", model.merges[&of]);
                let by = model.merge(&format!("Reverts acme/shop#{of}"), &message);
                model.reverts.insert(by, of);
                continue;
            }
            Act::Push(count) => {
                let names: Vec<String> = (0..*count).map(|n| format!("d{}x{n}", model.line.len())).collect();
                model.step(&format!("push main {}", names.join(" ")));
                model.line.extend(names);
                model.tips.push(model.line.len() - 1);
                continue;
            }
            Act::Deploy(which) => *which.get(&model.tips),
            Act::DeployNewest => model.line.len() - 1,
        };
        let commit = model.line[deploy].clone();
        let id = 100 + deployed.len();
        let before = model.steps.lines().count();
        model.step(&format!("deploy {id} production of {commit} success"));
        if let Some(from) = runs {
            deployed.push((before, from));
        } else {
            deployed.push((before, usize::MAX));
        }
        runs = Some(deploy);
    }
    let events = read(&model.steps).events;
    let policy = policy();
    let mut facts = RepoFacts::new(repo().key);
    let mut seen = 0;
    for (event, from) in deployed {
        learn(&mut facts, &events[seen..event], &policy);
        let deployment = &events[event];
        let now = deployment.at;
        let line = model.steps.lines().nth(event).unwrap_or_default();
        let name = line.split(" of ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        let to = model.line.iter().position(|commit| commit == name).unwrap();
        let sha: Sha = format!("{:0<40}", hex::encode(name)).parse().unwrap();
        let subject = Subject::new(GateName::Deploy("production".into()), sha, now);
        let carried = gate::carried(&facts, &policy, &subject, now);
        let shown_before: BTreeSet<u64> =
            model.merges.keys().copied().filter(|pull| shown(&facts, *pull, &policy, now)).collect();
        learn(&mut facts, &events[event..=event], &policy);
        seen = event + 1;
        if from == usize::MAX {
            assert_eq!(carried, Carried::First, "{}", model.steps);
            continue;
        }
        assert_eq!(carried.pulls(), model.brought(from, to), "deployment of {name}\n{}", model.steps);
        let Carried::Changes(contents) = &carried else { panic!("{carried:?}") };
        let removed: BTreeSet<u64> = contents.removes.iter().filter_map(|change| change.pull).collect();
        let gone = model.merges.iter().filter(|(_, merge)| model.line[(to + 1).min(from + 1)..=from].contains(merge));
        assert_eq!(removed, gone.map(|(number, _)| *number).collect(), "taken away by {name}\n{}", model.steps);
        if with_phases {
            let moved = model.merges.keys().copied().filter(|pull| shown(&facts, *pull, &policy, now));
            let moved: BTreeSet<u64> = moved.filter(|pull| !shown_before.contains(pull)).collect();
            assert_eq!(moved, carried.pulls(), "moved by {name}\n{}", model.steps);
        }
    }
}

/// The notes of draft releases are compared with what these carry only after something changed on
/// which that rests.
#[test]
fn an_event_that_changes_no_contents_compares_no_notes() {
    let policy = crate::policy_of(Some("mode: act\ngates: { release: { on: { draft: true }, notes: true } }\n"));
    let history = read(
        "08:00 push main c1\n08:01 release 4 created v1.0.0\n08:02 issue 1 opened by ann\n\
                        08:03 check ci success on c1\n08:04 pull 2 opened by ann\n08:05 pull 2 merged by ann as m2\n",
    );
    let mut facts = RepoFacts::new(repo().key);
    let mut compared = Vec::new();
    for event in &history.events {
        learn(&mut facts, std::slice::from_ref(event), &policy);
        compared.push(facts.index.notes_compared.is_some());
        let alerts = AlertRules::default();
        let terms = DecisionContext { policy: &policy, alerts: &alerts, now: event.at, writes_disabled: None };
        engine::advance(&mut facts, &terms);
        assert_eq!(facts.index.notes_compared.as_ref(), Some(&policy.version));
    }
    assert_eq!(compared, [false, false, true, true, true, false]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// The list is what the commit graph says, with reverts and rollbacks.
    #[test]
    fn the_list_is_what_the_commits_say(acts in prop::collection::vec(act(true), 1..24)) {
        check(&acts, false);
    }

    /// The pull requests of the list are those that the deployment then moves to `operate`.
    #[test]
    fn what_is_listed_is_what_the_deployment_then_moves(acts in prop::collection::vec(act(false), 1..24)) {
        check(&acts, true);
    }
}
