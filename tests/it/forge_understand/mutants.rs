//! Modified payloads: none is rejected, none causes a panic.

use std::time::Instant;

use phasebot::{
    domain::{event::Seen, id::ForgeName},
    forge::github::{decode::decode, route::route},
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{
    corpus,
    fixture::{OUR_APP, all, decode_as, received_at},
};

/// Position of a change: the keys and indices from the root.
type Path = Vec<Step>;

#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

/// Returns replacements for a value; `None` removes it.
fn changes(value: &Value) -> Vec<Option<Value>> {
    [
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(u64::MAX),
        json!(1.5),
        json!(""),
        json!("a_new_value"),
        json!("2026-13-45T99:99:99Z"),
        json!([]),
        json!([value]),
        json!({}),
        json!({ "value": value }),
    ]
    .into_iter()
    .map(Some)
    .chain([None])
    .filter(|change| change.as_ref() != Some(value))
    .collect()
}

/// Returns every position in a payload, below the root.
fn places(value: &Value, here: &mut Path, found: &mut Vec<Path>) {
    let mut visit = |step: Step, value: &Value| {
        here.push(step);
        found.push(here.clone());
        places(value, here, found);
        here.pop();
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| visit(Step::Key(key.clone()), value)),
        Value::Array(elements) => elements.iter().enumerate().for_each(|(i, value)| visit(Step::Index(i), value)),
        _ => {}
    }
}

fn at<'a>(payload: &'a mut Value, path: &[Step]) -> &'a mut Value {
    path.iter().fold(payload, |value, step| match step {
        Step::Key(key) => &mut value[key],
        Step::Index(index) => &mut value[*index],
    })
}

/// Decodes the payload with one position changed, and restores it.
fn mutate(event: &str, payload: &mut Value, path: &[Step], change: Option<Value>) {
    let (last, parents) = path.split_last().expect("below the root");
    let taken_away = change.is_none();
    let before = match (last, at(payload, parents), change) {
        (Step::Key(key), Value::Object(members), None) => members.remove(key).expect("it was there"),
        (Step::Index(index), Value::Array(elements), None) => elements.remove(*index),
        (step, parent, change) => {
            std::mem::replace(at(parent, std::slice::from_ref(step)), change.expect("else it is taken away"))
        }
    };
    let body = payload.to_string();
    assert!(route(body.as_bytes()).is_some(), "not routed: {event} {body}");
    let decoded = decode(&ForgeName::github(), OUR_APP, event, body.as_bytes(), received_at());
    assert!(decoded.is_ok(), "refused: {event} {body}");
    match (last, at(payload, parents)) {
        (Step::Index(index), Value::Array(elements)) if taken_away => elements.insert(*index, before),
        (step, parent) => *at(parent, std::slice::from_ref(step)) = before,
    }
}

#[test]
fn no_change_to_our_fixtures_is_refused() {
    let mut mutants = 0;
    for (event, mut payload) in all() {
        let mut paths = Vec::new();
        places(&payload, &mut Path::new(), &mut paths);
        for path in paths {
            for change in changes(at(&mut payload, &path)) {
                mutate(&event, &mut payload, &path, change);
                mutants += 1;
            }
        }
    }
    println!("{mutants} mutants of our fixtures");
    assert!(mutants >= 20_000, "only {mutants} mutants");
}

/// Number of random deep changes to one payload of the corpus; at its root, every position is
/// changed.
const DEEP_CHANGES: usize = 26;

#[test]
fn no_change_to_the_examples_is_refused() {
    let Some(payloads) = corpus::payloads("api.github.com") else { return };
    let started = Instant::now();
    let mut random = StdRng::seed_from_u64(20_261_122);
    let mut mutants = 0;
    for (event, mut payload) in payloads {
        let mut paths = Vec::new();
        places(&payload, &mut Path::new(), &mut paths);
        let (shallow, deep): (Vec<Path>, Vec<Path>) = paths.into_iter().partition(|path| path.len() == 1);
        let chosen: Vec<Path> = (0..DEEP_CHANGES).filter_map(|_| deep.choose(&mut random).cloned()).collect();
        for path in shallow.into_iter().chain(chosen) {
            let changes = changes(at(&mut payload, &path));
            for change in changes.sample(&mut random, 2) {
                mutate(&event, &mut payload, &path, change.clone());
                mutants += 1;
            }
        }
    }
    println!("{mutants} mutants of the examples in {:.1?}", started.elapsed());
    assert!(mutants >= 20_000, "only {mutants} mutants");
}

#[test]
fn an_unknown_field_changes_nothing() {
    for (event, mut payload) in all() {
        let before = decode_as(&event, payload.to_string().as_bytes());
        let mut paths = vec![Path::new()];
        places(&payload, &mut Path::new(), &mut paths);
        for path in paths {
            if let Value::Object(members) = at(&mut payload, &path) {
                members.insert("a_new_field".to_owned(), json!({"id": 1, "action": ["x"], "number": null}));
            }
        }
        assert_eq!(decode_as(&event, payload.to_string().as_bytes()), before);
    }
}

#[test]
fn a_lost_field_makes_nothing_up() {
    // Whatever is removed, an item is never taken for another one.
    for (event, mut payload) in all() {
        let before = decode_as(&event, payload.to_string().as_bytes());
        let mut paths = Vec::new();
        places(&payload, &mut Path::new(), &mut paths);
        for path in paths {
            let whole = payload.clone();
            *at(&mut payload, &path) = Value::Null;
            let after = decode_as(&event, payload.to_string().as_bytes());
            payload = whole;
            assert!(
                after.repo.is_none() || after.repo.map(|repo| repo.key) == before.repo.clone().map(|repo| repo.key)
            );
            assert!(after.connection.is_none() || after.connection == before.connection);
            if let (Some(before), Some(after)) = (number(&before.seen), number(&after.seen)) {
                assert_eq!(before, after, "{event}");
            }
        }
    }
}

/// Returns the number of the item that an event is about.
fn number(seen: &Seen) -> Option<u64> {
    Some(match seen {
        Seen::Issue(item) => item.number,
        Seen::Pull(pull) => pull.item.number,
        Seen::Review(review) => review.id,
        Seen::Comment(comment) => comment.id,
        Seen::Check(check) => check.id,
        Seen::Status(status) => status.id,
        Seen::Workflow(run) => run.id,
        Seen::Release(release) => release.id,
        Seen::Deployment(deployment) => deployment.id,
        _ => return None,
    })
}

#[test]
fn broken_bytes_do_no_harm() {
    let mut random = StdRng::seed_from_u64(7);
    for (event, payload) in all() {
        let body = payload.to_string().into_bytes();
        for _ in 0..200 {
            let mut broken = body.clone();
            for _ in 0..random.random_range(1..4) {
                let place = random.random_range(0..broken.len());
                broken[place] = random.random();
            }
            // Either answer is right, as long as both functions give the same and neither panics.
            let decoded = decode(&ForgeName::github(), OUR_APP, &event, &broken, received_at());
            assert_eq!(route(&broken).is_some(), decoded.is_ok());
        }
        let mut noise = vec![0; 2000];
        random.fill_bytes(&mut noise);
        assert!(decode(&ForgeName::github(), OUR_APP, &event, &noise, received_at()).is_err());
    }
}
