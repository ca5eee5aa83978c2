//! Whatever body GitHub may sign: it is understood or refused, and what it
//! says twice it says once. Input: an event's name, a line break, a body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phasebot::{domain::{fact::RepoFacts, id::{ForgeName, RepoKey}}, forge::github::{decode::decode, route::route}, ingest::{observe, Us}, phase::derive, policy};

fuzz_target!(|input: &[u8]| {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (event, body) = (String::from_utf8_lossy(&input[..at]), input.get(at + 1..).unwrap_or_default());
    let now = jiff::Timestamp::UNIX_EPOCH;
    let routed = route(body);
    let decoded = decode(&ForgeName::github(), 4711, &event, body, now);
    assert_eq!(routed.is_some(), decoded.is_ok(), "what can be routed can be decoded");
    let Ok(event) = decoded else { return };
    let Some(seen) = &event.repo else { return };
    let policy = policy::built_in();
    let mut facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: seen.key.id });
    let observed = observe(&mut facts, &event, &policy, &Us::default());
    let before = facts.clone();
    observe(&mut facts, &event, &policy, &Us::default());
    assert_eq!(facts, before, "the same event twice");
    for item in observed.items {
        derive(&facts, item, &policy, now);
    }
});
