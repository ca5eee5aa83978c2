//! Deployment history of an environment: all users of it agree with a naive replay, and nothing
//! else in `crates/core/src` reads the commit of a deployment.

use std::{fmt::Write as _, fs, path::Path};

use jiff::{SignedDuration, Timestamp};
use phasebot_core::{
    domain::{
        alert::AlertRules,
        decision::{Condition, ConditionState, GateName},
        fact::{
            RepoFacts,
            command::{CommandAction, CommandFacts, CommandId, Ending, Evidence, Source},
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind, RequestState},
        },
        id::Sha,
        needs::Answered,
        permission::Role,
        policy::Policy,
    },
    engine::advance,
    gate::{self, Subject, evaluate},
    ingest::{self, Us},
    phase,
    plan::DecisionContext,
};
use proptest::prelude::*;

use crate::scenario::{
    forge::repo,
    script::{History, read},
};

/// Commits `c1` to `c5` are merged to `main`, each by the pull request of the same number.
const COMMITS: u64 = 5;

const POLICY: &str = "\
| mode: act
| environments:
|   production: { production: true, deploy: { via: workflow_dispatch, workflow: deploy.yml } }
|   after: { after: [production] }
";

/// A deployment to production, with times in minutes after 08:00.
#[derive(Debug, Clone)]
struct Deployed {
    /// Commit in the forge's list.
    listed: u64,
    /// Commit that our workflow received, if a workflow deployed it.
    given: Option<u64>,
    made: u16,
    /// Distinct minutes in order, each with a state.
    statuses: Vec<(u16, &'static str)>,
}

impl Deployed {
    fn commit(&self) -> u64 {
        self.given.unwrap_or(self.listed)
    }
}

fn deployed() -> impl Strategy<Value = Deployed> {
    let state = prop::sample::select(vec!["in_progress", "success", "success", "success", "failure", "inactive"]);
    let statuses = prop::collection::btree_map(1_u16..60, state, 1..5);
    (1..=COMMITS, prop::option::of(1..=COMMITS), 0_u16..60, statuses).prop_map(|(listed, given, made, statuses)| {
        let statuses: Vec<_> = statuses.into_iter().map(|(after, state)| (made + after, state)).collect();
        Deployed { listed, given, made, statuses }
    })
}

/// Returns the deployment that runs at the end, by replaying every status with a stack.
fn replay(deployments: &[Deployed]) -> Option<&Deployed> {
    let order = |state: &str| ["in_progress", "success", "inactive", "failure"].iter().position(|s| *s == state);
    let mut all: Vec<(u16, usize, usize)> = Vec::new();
    for (index, deployment) in deployments.iter().enumerate() {
        let mut runs = false;
        for (at, state) in &deployment.statuses {
            // A repeated success status is not a new success.
            if *state != "success" || !runs {
                all.push((*at, order(state).unwrap(), index));
            }
            runs = match *state {
                "success" => true,
                "inactive" | "failure" => false,
                _ => runs,
            };
        }
    }
    all.sort_unstable();
    let mut stack: Vec<usize> = Vec::new();
    for (position, (at, kind, index)) in all.iter().enumerate() {
        match kind {
            1 => stack.push(*index),
            2 => {
                let soon = |(later, kind, _): &(u16, usize, usize)| *kind == 1 && *later <= at + 1;
                let replaced = all[position + 1..].iter().any(soon);
                if stack.last() == Some(index) && !replaced {
                    stack.clear();
                }
            }
            3 => stack.retain(|other| other != index),
            _ => {}
        }
    }
    stack.last().map(|index| &deployments[*index])
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", 8 + minute / 60, minute % 60)
}

fn end() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn steps(deployments: &[Deployed]) -> String {
    let mut lines = vec![(String::from("07:00"), "push main c0".to_owned())];
    for n in 1..=COMMITS {
        lines.push((format!("07:{n:02}"), format!("pull {n} opened by ann head topic{n}")));
        lines.push((format!("07:1{n}"), format!("pull {n} merged by ann as c{n}")));
        lines.push((format!("07:1{n}"), format!("push main c{n}")));
    }
    for (index, deployment) in deployments.iter().enumerate() {
        let (id, listed) = (index + 1, deployment.listed);
        let run = deployment.given.map_or_else(String::new, |_| format!(" run {}", 800 + id));
        lines.push((clock(deployment.made), format!("deploy {id} production of c{listed}{run}")));
        for (at, state) in &deployment.statuses {
            lines.push((clock(*at), format!("deploy {id} production of c{listed} {state}{run}")));
        }
    }
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    let mut text = POLICY.to_owned();
    for (at, what) in lines {
        writeln!(text, "{at} {what}").unwrap();
    }
    text
}

struct Played {
    facts: RepoFacts,
    policy: Policy,
    history: History,
}

fn sha(n: u64) -> Sha {
    format!("{:0<40}", hex::encode(format!("c{n}"))).parse().unwrap()
}

fn request(n: usize, deployment: &Deployed, started: Timestamp) -> (String, DeployRequest) {
    let at = started - SignedDuration::from_mins(1);
    let sha = deployment.given.map(sha);
    let mut request = DeployRequest::new("production", RequestKind::Deploy, Origin::Tag(n.to_string()), at, sha);
    request.started_at = Some(started);
    request.since = started;
    request.run = Some(800 + n as u64);
    request.state = RequestState::Ended { how: RequestEnd::Succeeded, why: String::new().into() };
    (format!("pb-test-{n}"), request)
}

fn play(deployments: &[Deployed], edit: impl Fn(usize, &mut DeployRequest)) -> Played {
    let history = read(&steps(deployments));
    let policy = crate::policy_of(history.policy.as_deref());
    let mut facts = RepoFacts::new(repo().key);
    let start: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    for (index, deployment) in deployments.iter().enumerate().filter(|(_, d)| d.given.is_some()) {
        let started = start + SignedDuration::from_mins(i64::from(deployment.made));
        let (id, mut request) = request(index + 1, deployment, started);
        edit(index, &mut request);
        facts.requests.insert(id, request);
    }
    for event in &history.events {
        ingest::observe(&mut facts, event, &policy, &Us { bot: None });
    }
    let terms = DecisionContext { policy: &policy, alerts: &AlertRules::default(), now: end(), writes_disabled: None };
    advance(&mut facts, &terms);
    Played { facts, policy, history }
}

impl Played {
    fn hold(&mut self, item: u64) {
        let id = CommandId { item, source: Source::Comment(item), index: 0 };
        let record = CommandFacts {
            at: end(),
            by: phasebot_core::domain::id::Account::login_only("bob"),
            line: "/hold".into(),
            verb: "hold".into(),
            evidence: Evidence { role: Some(Role::Write), teams: [].into(), asked_at: end() },
            ending: Ending::Done(String::new().into()),
            action: Some(CommandAction::Hold { name: "h1".into(), reason: "bad".into() }),
            reply: None,
            node: None,
        };
        self.facts.commands.insert(id, record);
    }

    fn condition(&mut self, gate: &str, commit: u64, name: &str) -> Condition {
        let subject = Subject::new(GateName::Deploy(gate.to_owned()), sha(commit), end());
        for need in gate::needs(&self.facts, &self.policy, &subject, end()) {
            let Some(answer) = self.history.forge.answer(&need, end()) else { continue };
            ingest::learn(&mut self.facts, &Answered { need, answer, at: end() }, &self.policy);
        }
        let decision = evaluate(&self.facts, &self.policy, &subject, end());
        decision.conditions.into_iter().find(|condition| condition.name == name).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The gates `deployed` and `hold` and the phases of items agree with the replay, whatever the
    /// deployments report and whoever created them.
    #[test]
    fn everything_that_asks_agrees(deployments in prop::collection::vec(deployed(), 1..6)) {
        let top = replay(&deployments);
        let runs = top.map(Deployed::commit);
        // If a workflow deployed, later deployments that were only recorded prove nothing.
        let is_evident = top.is_none_or(|top| top.given.is_some()) || deployments.iter().all(|d| d.given.is_none());
        let mut played = play(&deployments, |_, _| {});
        for n in 1..=COMMITS {
            let item = phase::derive(&played.facts, n, &played.policy, end());
            let operates = matches!(item.phase.as_deref(), Some("operate" | "monitor"));
            prop_assert_eq!(operates, runs.is_some_and(|runs| runs >= n), "#{}: {:?}", n, item);
        }
        for n in 1..=COMMITS {
            let deployed = played.condition("after", n, "deployed");
            if runs == Some(n) {
                // Except while the same commit has failed since, or another deployment is in
                // progress.
                let excused = ["deployed_failed", "deployed_running", "deployed_replacing"];
                let passes = deployed.standing == ConditionState::Pass;
                prop_assert!(passes || excused.contains(&deployed.code.as_str()), "c{}: {:?}", n, deployed);
            } else {
                prop_assert_ne!(deployed.standing, ConditionState::Pass, "c{}: {:?}", n, &deployed);
            }
        }
        for n in 1..=COMMITS {
            let mut held = play(&deployments, |_, _| {});
            held.hold(n);
            let hold = held.condition("production", COMMITS, "hold");
            let there = runs.is_some_and(|runs| runs >= n);
            let passes = hold.standing == ConditionState::Pass;
            prop_assert!(passes == there || (!passes && !is_evident), "#{}: {:?}", n, hold);
        }
    }

    /// If one of our dispatches has no run yet, another workflow's deployment may belong to it, so
    /// nothing passes because of that deployment.
    #[test]
    fn what_is_not_known_opens_nothing(
        mut deployments in prop::collection::vec(deployed(), 0..5),
        (listed, given) in (1..=COMMITS, 1..=COMMITS),
    ) {
        let statuses = vec![(238, "in_progress"), (239, "success")];
        deployments.push(Deployed { listed, given: Some(given), made: 237, statuses });
        let last = deployments.len() - 1;
        let open = |index: usize, request: &mut DeployRequest| {
            if index == last {
                request.run = None;
                request.state = RequestState::Running;
            }
        };
        for n in 1..=COMMITS {
            let mut played = play(&deployments, open);
            played.hold(n);
            let deployed = played.condition("after", n, "deployed");
            prop_assert_ne!(deployed.standing, ConditionState::Pass, "c{}: {:?}", n, deployed);
            let hold = played.condition("production", COMMITS, "hold");
            prop_assert_ne!(hold.standing, ConditionState::Pass, "#{}: {:?}", n, hold);
        }
    }
}

/// Only the history reads the commit of a deployment.
#[test]
fn nothing_else_reads_the_commit_of_a_deployment() {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // The domain defines the facts themselves.
                if !path.ends_with("src/domain") {
                    walk(&path, found);
                }
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let asks = ["listed_commit", ".commit()"].iter().any(|word| text.contains(word));
            if asks && !path.ends_with("environment/history.rs") && !path.ends_with("environment/foreign.rs") {
                found.push(path.display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.is_empty(), "use `Look::history` instead: {found:?}");
}
