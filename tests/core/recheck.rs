//! Rechecks before sending: which effects may still be sent after their rule, command or item is
//! gone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use phasebot_core::{
    domain::{
        alert::AlertRules,
        effect::{Effect, Reaction},
        event::DeployState,
        fact::{
            RepoFacts,
            command::{CommandFacts, CommandId, Ending, Evidence, Source},
            item::ItemFacts,
        },
    },
    engine::recheck::recheck_before_send,
    plan::{DecisionContext, Recheck},
};

use crate::{
    policy_of,
    scenario::forge::{repo, words::start},
};

const ACT: &str = "mode: act\ngates: { release: { on: { tag: 'v*' }, on_violation: issue, require: [checks] } }\n";

fn recheck(facts: &RepoFacts, effect: &Effect, policy: &str) -> Recheck {
    let policy = policy_of(Some(policy));
    let terms =
        DecisionContext { policy: &policy, alerts: &AlertRules::default(), now: start(), writes_disabled: None };
    recheck_before_send(facts, effect, &terms)
}

fn is_withheld(facts: &RepoFacts, effect: &Effect, policy: &str) -> bool {
    matches!(recheck(facts, effect, policy), Recheck::Withhold(_))
}

fn facts() -> RepoFacts {
    RepoFacts::new(repo().key)
}

fn id() -> CommandId {
    CommandId { item: 1, source: Source::Comment(5), index: 0 }
}

fn with_command(ending: Ending) -> RepoFacts {
    let mut facts = facts();
    let record = CommandFacts {
        at: Timestamp::UNIX_EPOCH,
        by: phasebot_core::domain::id::Account::login_only("mia"),
        verb: "milestone".to_owned(),
        line: String::new(),
        evidence: Evidence { role: None, teams: BTreeMap::new(), asked_at: Timestamp::UNIX_EPOCH },
        ending,
        action: None,
        reply: None,
        node: None,
    };
    facts.commands.insert(id(), record);
    facts
}

fn violation() -> Effect {
    let (marker, title, body) = ("violation:1".to_owned(), "A tag".to_owned(), String::new());
    Effect::OpenIssue { marker, title, body, labels: Vec::new(), gate: Some("release".to_owned()) }
}

fn label(item: u64) -> Effect {
    Effect::SetPhase { item, label: None, phase_labels: BTreeSet::new() }
}

#[test]
fn an_issue_about_a_tag_is_opened_while_its_gate_asks_for_it() {
    assert_eq!(recheck(&facts(), &violation(), ACT), Recheck::Send);
    for policy in ["mode: act\n", &ACT.replace("on_violation: issue, ", ""), &ACT.replace("mode: act", "mode: label")] {
        assert!(is_withheld(&facts(), &violation(), policy), "{policy}");
    }
}

#[test]
fn an_errand_is_run_while_its_command_waits() {
    let effect = Effect::SetMilestone { item: 1, milestone: None, command: id() };
    assert_eq!(recheck(&with_command(Ending::Pending), &effect, ACT), Recheck::Send);
    assert!(is_withheld(&with_command(Ending::Refused("late".into())), &effect, ACT));
    assert!(is_withheld(&facts(), &effect, ACT), "a command of which nothing is recorded asks for nothing");
}

#[test]
fn nothing_is_written_on_an_item_that_is_gone() {
    let mut facts = facts();
    assert_eq!(recheck(&facts, &label(3), ACT), Recheck::Send);
    facts.items.insert(3, ItemFacts { gone: Some(start()), ..ItemFacts::new(3, false) });
    assert!(is_withheld(&facts, &label(3), ACT));
}

#[test]
fn observing_nothing_is_sent_but_what_stops_a_run() {
    let observe = "mode: observe\n";
    let status =
        Effect::SetDeployment { deployment: 1, state: DeployState::Failure, description: String::new(), log: None };
    let react = Effect::React { item: 1, source: Source::Comment(1), node: None, reaction: Reaction::Taken };
    for effect in [violation(), label(3), status, react] {
        assert_eq!(recheck(&facts(), &effect, ACT), Recheck::Send, "{effect:?}");
        assert!(is_withheld(&facts(), &effect, observe), "{effect:?}");
    }
    assert_eq!(recheck(&facts(), &Effect::CancelRun { run: 7 }, observe), Recheck::Send);
}
