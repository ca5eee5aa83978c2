//! Properties of every gate decision, whatever the facts.

use jiff::{SignedDuration, Timestamp};
use phasebot_core::{
    domain::{
        alert::{Alert, Group, Message, Says},
        decision::{Condition, ConditionState, Decision, GateName},
        event::{CheckSource, DeployState, DeployStatus, DeploymentSeen, Event, RefName, RunOutcome, Seen},
        fact::{
            RepoFacts,
            command::{CommandAction, CommandFacts, CommandId, Ending, Evidence, Source},
            commit::RunFact,
            deployment::DeploymentFacts,
        },
        id::{Account, AccountId, ForgeName, RepoKey, Sha},
        needs::{Answer, Answered, Authors, Need},
        permission::Role,
        policy::Policy,
        rule::ConditionName,
    },
    gate::{Subject, evaluate},
    ingest::{Us, observe},
    policy,
};
use proptest::prelude::*;

const POLICY: &str = "\
mode: act
freezes: [{ environment: all, from: \"2026-03-02T12:00\", until: \"2026-03-02T14:00\" }]
environments:
  staging: {}
  production:
    after: [staging]
    require:
      - checks: { named: [ci] }
      - ancestry
      - blockers: { label: stop }
      - alerts
      - deployed: { environment: staging, soak: 30m }
      - any: [window: { allow: ['Mon 09:00-17:00'] }, approval]
      - all: [reviews, window: { allow: ['Mon-Sun 00:00-24:00'] }]
";

fn start() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn account(id: u64, login: &str) -> Account {
    Account { id: Some(AccountId(id)), login: login.into() }
}

fn at(minutes: i64) -> Timestamp {
    start() + SignedDuration::from_mins(minutes)
}

fn sha() -> Sha {
    "c".repeat(40).parse().unwrap()
}

/// A fact that blocks a deployment, or might.
#[derive(Debug, Clone)]
enum Bad {
    CheckFails(i64),
    CheckRunsAgain(i64),
    Incident(i64),
    StagingFails(i64),
    StagingReplaced(i64),
    Lock(i64),
    Freeze(i64),
    Blocker(u64),
    Rewritten,
    Unasked(usize),
}

fn bad() -> impl Strategy<Value = Bad> {
    prop_oneof![
        (0..600_i64).prop_map(Bad::CheckFails),
        (0..600_i64).prop_map(Bad::CheckRunsAgain),
        (0..600_i64).prop_map(Bad::Incident),
        (0..600_i64).prop_map(Bad::StagingFails),
        (0..600_i64).prop_map(Bad::StagingReplaced),
        (0..600_i64).prop_map(Bad::Lock),
        (0..600_i64).prop_map(Bad::Freeze),
        (1..9_u64).prop_map(Bad::Blocker),
        Just(Bad::Rewritten),
        (0..8_usize).prop_map(Bad::Unasked),
    ]
}

fn command(facts: &mut RepoFacts, comment: u64, minutes: i64, action: CommandAction) {
    let id = CommandId { item: 1, source: Source::Comment(comment), index: 0 };
    let record = CommandFacts {
        at: at(minutes),
        by: account(2, "mia"),
        verb: String::new(),
        line: String::new(),
        evidence: Evidence {
            role: Some(Role::Maintain),
            teams: std::collections::BTreeMap::new(),
            asked_at: at(minutes),
        },
        ending: Ending::Done(String::new().into()),
        action: Some(action),
        reply: None,
        node: None,
    };
    facts.commands.insert(id, record);
}

fn answer(facts: &mut RepoFacts, need: Need, answer: Answer) {
    facts.answers.insert(need.clone(), Answered { need, answer, at: at(1000) });
}

fn run(facts: &mut RepoFacts, id: u64, minutes: i64, outcome: RunOutcome) {
    let completed = (outcome != RunOutcome::Running).then(|| (at(minutes), outcome));
    let run = RunFact {
        source_name: String::new(),
        completed,
        started_at: at(minutes),
        name: "ci".into(),
        source: CheckSource(1),
        suite: None,
        ours: false,
        url: String::new(),
    };
    facts.checks.entry(sha()).or_default().runs.insert(id, run);
}

fn deployment(facts: &mut RepoFacts, id: u64, sha: Sha, minutes: i64, state: DeployState) {
    let status = DeployStatus { at: at(minutes), id, state };
    let mut deployment = DeploymentFacts::new(&DeploymentSeen {
        from_fork: Some(false),
        transient: false,
        source: None,
        id,
        sha,
        reference: "main".into(),
        environment: "staging".into(),
        production: None,
        created_at: at(minutes),
        creator: None,
        run: None,
        status: None,
    });
    deployment.statuses.insert(status);
    facts.deployments.insert(id, deployment);
}

fn incident(facts: &mut RepoFacts, id: u64, minutes: i64) {
    let alert = Alert {
        fingerprint: "f".into(),
        firing: true,
        started_at: at(minutes),
        ended_at: None,
        labels: [("environment".into(), "production".into())].into(),
        annotations: [].into(),
        url: None,
        silence_url: None,
    };
    let group = Group {
        key: id.to_string(),
        title: None,
        text: None,
        url: None,
        labels: [].into(),
        alerts: vec![alert],
        left_out: 0,
        tells_end: true,
    };
    let message = Message { connection: "prod".into(), at: at(minutes), says: Says::Group(group) };
    let event = Event {
        name: "alertmanager".into(),
        connection: None,
        repo: None,
        sender: None,
        at: at(minutes),
        seen: Seen::Alert(Box::new(message)),
    };
    let policy = policy::load("p.yml", POLICY).unwrap();
    observe(facts, &event, &policy, &Us::default());
}

/// Facts with which the gate is open, on a Monday between nine and five.
fn well() -> RepoFacts {
    let mut facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 7 });
    facts.refs.entry(RefName::Branch("main".into())).or_default().moved(at(-60), Some(sha()));
    run(&mut facts, 1, -30, RunOutcome::Success);
    deployment(&mut facts, 1, sha(), -40, DeployState::Success);
    answer(&mut facts, Need::Checks { sha: sha() }, Answer::Kept);
    answer(&mut facts, Need::RequiredChecks { branch: "main".into() }, Answer::RequiredChecks([].into()));
    answer(&mut facts, Need::OpenIssues { label: Some("stop".into()), milestone: None }, Answer::OpenIssues([].into()));
    answer(&mut facts, Need::Authors { base: None, head: sha() }, Answer::Authors(Authors::default()));
    answer(&mut facts, Need::PullsOf { sha: sha() }, Answer::BroughtBy([(2, "main".to_owned())].into()));
    let review = phasebot_core::domain::fact::item::ReviewFact {
        verdict: phasebot_core::domain::event::Verdict::Approved,
        submitted_at: at(-50),
        reviewer: account(3, "bob"),
        association: phasebot_core::domain::event::Association::Owner,
        commit: Some(sha()),
    };
    let reviews = Answer::Reviews {
        head: sha(),
        author: Some(account(4, "ann")),
        merged_by: None,
        reviews: [(1, review)].into(),
    };
    answer(&mut facts, Need::Reviews { pull: 2 }, reviews);
    answer(&mut facts, Need::Writer { id: Some(AccountId(3)), login: "bob".into() }, Answer::Writer(true));
    answer(&mut facts, Need::Role { id: AccountId(2), login: "mia".into() }, Answer::Role(Role::Maintain));
    facts
}

fn add(facts: &mut RepoFacts, index: u64, bad: &Bad) {
    let id = 100 + index;
    match bad {
        Bad::CheckFails(minutes) => run(facts, id, *minutes, RunOutcome::Failure),
        Bad::CheckRunsAgain(minutes) => run(facts, id, *minutes, RunOutcome::Running),
        Bad::Incident(minutes) => {
            incident(facts, id, *minutes);
        }
        Bad::StagingFails(minutes) => deployment(facts, id, sha(), *minutes, DeployState::Failure),
        Bad::StagingReplaced(minutes) => {
            deployment(facts, id, "d".repeat(40).parse().unwrap(), *minutes, DeployState::InProgress);
        }
        Bad::Lock(minutes) => {
            let action = CommandAction::Lock { environment: "production".into(), until: None, reason: None };
            command(facts, id, *minutes, action);
        }
        Bad::Freeze(minutes) => {
            let action = CommandAction::Freeze { environment: "all".into(), until: at(2000), reason: "x".into() };
            command(facts, id, *minutes, action);
        }
        Bad::Blocker(number) => {
            let need = Need::OpenIssues { label: Some("stop".into()), milestone: None };
            if facts.answers.contains_key(&need) {
                answer(facts, need, Answer::OpenIssues([*number].into()));
            }
        }
        Bad::Rewritten => {
            let main = facts.refs.entry(RefName::Branch("main".into())).or_default();
            main.moved(at(300), Some("e".repeat(40).parse().unwrap()));
        }
        Bad::Unasked(which) => {
            let key = facts.answers.keys().nth(*which).cloned();
            key.map(|key| facts.answers.remove(&key));
        }
    }
}

fn decide(facts: &RepoFacts, policy: &Policy, minutes: i64) -> Decision {
    let subject = Subject::new(GateName::Deploy("production".into()), sha(), at(-20));
    evaluate(facts, policy, &subject, at(minutes))
}

/// Returns every condition without nested conditions, in order.
fn leaves(conditions: &[Condition]) -> Vec<&Condition> {
    conditions.iter().flat_map(|c| if c.parts.is_empty() { vec![c] } else { leaves(&c.parts) }).collect()
}

#[test]
fn what_is_well_passes() {
    let policy = policy::load("p.yml", POLICY).unwrap();
    let decision = decide(&well(), &policy, 90);
    assert_eq!(decision.standing, ConditionState::Pass, "{decision:#?}");
}

proptest! {
    /// Bad news never opens a gate: its state stays the same or gets worse. A closed gate may
    /// change between "fail", "error" and "pending", but stays closed.
    #[test]
    fn bad_news_never_opens_a_gate(news in prop::collection::vec(bad(), 0..6), more in bad(), minutes in 0..900_i64) {
        let policy = policy::load("p.yml", POLICY).unwrap();
        let mut facts = well();
        for (index, bad) in news.iter().enumerate() {
            add(&mut facts, index as u64, bad);
        }
        let before = decide(&facts, &policy, minutes);
        add(&mut facts, 50, &more);
        let after = decide(&facts, &policy, minutes);
        prop_assert!(before.standing.is_open() || !after.standing.is_open(), "{more:?} opened it: {after:#?}");
    }

    /// One failed condition is enough, whatever the others are.
    #[test]
    fn deny_beats_allow(news in prop::collection::vec(bad(), 0..6), minutes in 0..900_i64) {
        let policy = policy::load("p.yml", POLICY).unwrap();
        let mut facts = well();
        for (index, bad) in news.iter().enumerate() {
            add(&mut facts, index as u64, bad);
        }
        let decision = decide(&facts, &policy, minutes);
        let shut = decision.conditions.iter().any(|condition| !condition.standing.is_open());
        prop_assert_eq!(shut, !decision.standing.is_open());
        let frozen = (240..360).contains(&minutes);
        prop_assert!(!frozen || !decision.standing.is_open(), "the calendar's freeze wins");
    }

    /// A condition that an override names is waived or unchanged; nothing else changes.
    #[test]
    fn waiving_changes_only_what_is_named(
        news in prop::collection::vec(bad(), 0..6),
        which in 0..ConditionName::ALL.len(),
        minutes in 120..900_i64,
    ) {
        let policy = policy::load("p.yml", POLICY).unwrap();
        let condition = ConditionName::ALL[which];
        let name = condition.name();
        let mut facts = well();
        for (index, bad) in news.iter().enumerate() {
            add(&mut facts, index as u64, bad);
        }
        let before = decide(&facts, &policy, minutes);
        let action = CommandAction::Override {
            gate: GateName::Deploy("production".into()),
            sha: sha(),
            policy: policy.version.clone(),
            conditions: [condition].into(),
            reason: "because".into(),
            until: at(minutes + 1),
        };
        command(&mut facts, 999, minutes - 1, action);
        // The role of the sender was queried just then.
        answer(&mut facts, Need::Role { id: AccountId(2), login: "mia".into() }, Answer::Role(Role::Maintain));
        let after = decide(&facts, &policy, minutes);
        for (old, new) in leaves(&before.conditions).into_iter().zip(leaves(&after.conditions)) {
            if new.name == name && !old.standing.is_open() {
                prop_assert_eq!(new.standing, ConditionState::Waived);
                let words = "waived by `mia`: \u{201c}because\u{201d}";
                prop_assert!(new.sentence.starts_with(words), "{}", new.sentence);
            } else {
                prop_assert_eq!(new, old);
            }
        }
    }
}
