//! Commit statuses that phasebot sets itself, on forges without check runs.

use jiff::{SignedDuration, Timestamp};
use phasebot_core::{
    domain::{
        decision::{ConditionState, GateName},
        event::{Event, RefName, RunOutcome, Seen, StatusSeen},
        fact::RepoFacts,
        id::{Actor, ForgeName, RepoKey, Sha},
        needs::{Answer, Answered, Need},
    },
    gate::{Subject, evaluate},
    ingest::{Us, learn, observe},
    policy,
};

const POLICY: &str = "mode: act\ngates: { release: { on: { tag: 'v*' }, require: [checks] } }\n";

fn start() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn sha() -> Sha {
    "c".repeat(40).parse().unwrap()
}

fn us() -> Us {
    Us { bot: Some(actor("phasebot[bot]", true)) }
}

fn actor(login: &str, bot: bool) -> Actor {
    Actor { id: None, login: login.into(), bot }
}

fn status(id: u64, context: &str, outcome: RunOutcome) -> StatusSeen {
    StatusSeen { id, sha: sha(), context: context.into(), outcome, at: start(), url: String::new(), ours: false }
}

fn set(facts: &mut RepoFacts, by: Actor, status: StatusSeen, us: &Us) {
    let event = Event {
        name: "status".into(),
        connection: None,
        repo: None,
        sender: Some(by),
        at: start(),
        seen: Seen::Status(status),
    };
    observe(facts, &event, &policy::load("p.yml", POLICY).unwrap(), us);
}

/// Facts of a commit on main, where nothing is required and `ci` has passed if `tested`.
fn facts(tested: bool) -> RepoFacts {
    let mut facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 7 });
    facts.refs.entry(RefName::Branch("main".into())).or_default().moved(start(), Some(sha()));
    let answers = [
        (Need::Checks { sha: sha() }, Answer::Kept),
        (Need::RequiredChecks { branch: "main".into() }, Answer::RequiredChecks([].into())),
    ];
    for (need, answer) in answers {
        facts.answers.insert(need.clone(), Answered { need, answer, at: start() });
    }
    if tested {
        set(&mut facts, actor("jenkins", false), status(1, "ci", RunOutcome::Success), &us());
    }
    facts
}

/// Returns the state of the gate's condition `checks`.
fn checks(facts: &RepoFacts) -> ConditionState {
    let policy = policy::load("p.yml", POLICY).unwrap();
    let subject = Subject::new(GateName::Release("release".into()), sha(), start());
    let decision = evaluate(facts, &policy, &subject, start() + SignedDuration::from_mins(5));
    decision.conditions.iter().find(|condition| condition.name == "checks").unwrap().standing
}

/// The gate's own status is pending while the gate is shut, and must not be what shuts it.
#[test]
fn our_own_status_keeps_no_gate_shut() {
    for outcome in [RunOutcome::Running, RunOutcome::Failure] {
        let mut facts = facts(true);
        set(&mut facts, us().bot.unwrap(), status(2, "phasebot/release", outcome), &us());
        assert_eq!(checks(&facts), ConditionState::Pass, "{outcome:?}");
    }
}

#[test]
fn our_own_status_is_no_check_that_passed() {
    let mut facts = facts(false);
    set(&mut facts, us().bot.unwrap(), status(2, "phasebot/release", RunOutcome::Success), &us());
    assert_ne!(checks(&facts), ConditionState::Pass);
}

/// Neither the name nor the account alone makes a status ours.
#[test]
fn a_status_of_somebody_else_under_our_name_counts() {
    let mut named = facts(true);
    set(&mut named, actor("mallory", false), status(2, "phasebot/release", RunOutcome::Failure), &us());
    assert_ne!(checks(&named), ConditionState::Pass);

    let mut other = facts(true);
    set(&mut other, us().bot.unwrap(), status(2, "deploy/preview", RunOutcome::Failure), &us());
    assert_ne!(checks(&other), ConditionState::Pass);
}

/// The adapter says in an answer which statuses are ours; a later event doesn't take that back.
#[test]
fn an_answer_tells_which_statuses_are_ours() {
    let mut facts = facts(true);
    let own = StatusSeen { ours: true, ..status(2, "phasebot/release", RunOutcome::Running) };
    let answer = Answer::Checks { runs: Vec::new(), statuses: vec![own] };
    let policy = policy::load("p.yml", POLICY).unwrap();
    learn(&mut facts, &Answered { need: Need::Checks { sha: sha() }, answer, at: start() }, &policy);
    assert_eq!(checks(&facts), ConditionState::Pass);
    set(&mut facts, actor("stagehand[bot]", true), status(2, "phasebot/release", RunOutcome::Running), &us());
    assert_eq!(checks(&facts), ConditionState::Pass);
}
