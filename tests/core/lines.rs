//! No commit outside the listed branches runs in a closed environment, whatever the forks, names
//! and orders.

use std::{cell::RefCell, collections::BTreeSet, fmt::Write as _, rc::Rc};

use phasebot_core::domain::{effect::Effect, id::Sha};
use proptest::prelude::*;

use crate::scenario::{probed, stage::Moment};

const POLICY: &str = "\
| mode: act
| branches: [\"release/*\"]
| gates: { release: { on: { draft: true }, publish: true, require: [hold] } }
| environments:
|   dev: { unmerged: true, deploy: { via: deployment } }
|   staging: { deploy: { via: deployment }, auto: { on: [tag, merge] } }
|   production: { after: [dev], deploy: { via: workflow_dispatch, workflow: deploy.yml } }
roles bob=write
07:00 push main a0
07:01 issue 1 opened by ann
07:02 push release/1 a0
07:03 push topic t0 from a0
07:04 pull 2 opened by bob head topic
07:05 pull 3 opened by eve head main fork
07:06 pull 4 opened by eve head theirs base topic fork at a0
07:07 push main a1
";

/// First letter of commits on listed branches.
const LISTED: char = 'a';

/// An action of people, including strangers.
#[derive(Debug, Clone)]
struct Step(String, Option<String>);

fn commit() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a0", "a1", "t0", "h3"])
}

fn place() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["dev", "staging", "production", "Production"])
}

fn step() -> impl Strategy<Value = Step> {
    let says = |what: String| Step("comment on 1 by bob".to_owned(), Some(what));
    let name = prop::sample::select(vec!["main", "topic", "release/1", "v1.0.0", "6130000", "7430000", "6833000"]);
    let whose = prop::sample::select(vec!["", " of-repo fork", " of-repo here", " ref refs/pull/3/merge"]);
    let state = prop::sample::select(vec!["success", "waiting", "failure", "inactive"]);
    prop_oneof![
        (place(), name).prop_map(move |(place, name)| says(format!("/deploy {place} ref={name}"))),
        place().prop_map(move |place| says(format!("/promote {place}"))),
        place().prop_map(move |place| says(format!("/rollback {place}"))),
        (place(), 2..=4_u64)
            .prop_map(|(place, pull)| { Step(format!("comment on {pull} by bob"), Some(format!("/deploy {place}"))) }),
        (1..40_u64, place(), commit(), state, whose).prop_map(|(id, place, commit, state, whose)| Step(
            format!("deploy {id} {place} of {commit} {state}{whose}"),
            None
        )),
        (700..710_u64, place(), commit())
            .prop_map(|(run, place, commit)| Step(format!("protect {place} run {run} of {commit}"), None)),
        (commit(), prop::sample::select(vec!["v1.0.0", "v1.1.0", "main", "release/1"]))
            .prop_map(|(commit, tag)| Step(format!("tag {tag} at {commit}"), None)),
        (10..14_u64, commit())
            .prop_map(|(id, commit)| Step(format!("release {id} created v2.{id}.0 of {commit}"), None)),
        Just(Step("review 3 approved by bob".to_owned(), None)),
        Just(Step("review 4 approved by mallory".to_owned(), None)),
        Just(Step("push release/1 a2".to_owned(), None)),
        Just(Step("push topic t1".to_owned(), None)),
        Just(Step("pull 3 closed by eve".to_owned(), None)),
        Just(Step("send".to_owned(), None)),
    ]
}

fn story(steps: &[Step]) -> String {
    let mut text = POLICY.to_owned();
    let mut pushed = BTreeSet::new();
    for (minute, Step(what, says)) in steps.iter().enumerate() {
        let at = format!("{:02}:{:02}", 8 + minute / 60, minute % 60);
        if what == "send" {
            // Queued effects are checked again before they are sent.
            writeln!(text, "{at} tick\nsend").unwrap();
            continue;
        }
        if what.starts_with("push") && !pushed.insert(what) {
            continue;
        }
        writeln!(text, "{at} {what}").unwrap();
        if let Some(says) = says {
            writeln!(text, ": {says}").unwrap();
        }
    }
    writeln!(text, "{:02}:{:02} tick", 8 + steps.len() / 60, steps.len() % 60).unwrap();
    text
}

/// Returns the first letters of a commit's name, as written in the steps.
fn written(sha: &Sha) -> String {
    let bytes = hex::decode(&sha.to_string()[..4]).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Returns the closed gates that an effect would pass, each with the commit.
fn lets_go(moment: &Moment<'_>, effect: &Effect) -> Vec<(String, String)> {
    let closed = |name: &str| !name.eq_ignore_ascii_case("dev");
    match effect {
        Effect::CreateDeployment { environment, sha, .. } | Effect::Dispatch { environment, sha, .. } => {
            closed(environment).then(|| (environment.clone(), written(sha))).into_iter().collect()
        }
        Effect::PublishRelease { tag, sha, .. } => vec![(tag.clone(), written(sha))],
        Effect::AnswerProtection { run, environment, approve: Some(true), .. } if closed(environment) => {
            let job = moment.facts.waiting_jobs.get(&(*run, environment.to_ascii_lowercase()));
            let sha = job.and_then(|job| job.sha.as_ref()).map(written);
            vec![(environment.clone(), sha.unwrap_or_default())]
        }
        _ => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_commit_outside_the_listed_lines_goes_to_a_closed_environment(steps in prop::collection::vec(step(), 1..24)) {
        let seen: Rc<RefCell<Vec<(String, String)>>> = Rc::default();
        let found = seen.clone();
        let probe = move |moment: &Moment<'_>| {
            for effect in &moment.queued {
                found.borrow_mut().extend(lets_go(moment, effect));
            }
        };
        probed(&story(&steps), Box::new(probe));
        for (place, commit) in seen.borrow().iter() {
            prop_assert!(commit.starts_with(LISTED), "{} to {}:\n{}", commit, place, story(&steps));
        }
    }
}

/// Ensures that the property is not vacuous: commits of listed branches do pass.
#[test]
fn commits_of_listed_lines_go() {
    let story = format!(
        "{POLICY}08:00 comment on 1 by bob\n: /deploy staging ref=main\n08:01 protect production run 700 of a1\n08:02 tick\n"
    );
    let seen: Rc<RefCell<Vec<(String, String)>>> = Rc::default();
    let found = seen.clone();
    let probe = move |moment: &Moment<'_>| {
        for effect in &moment.queued {
            found.borrow_mut().extend(lets_go(moment, effect));
        }
    };
    probed(&story, Box::new(probe));
    let seen = seen.borrow();
    assert!(seen.iter().any(|(place, commit)| place == "staging" && commit.starts_with(LISTED)), "{seen:?}");
}
