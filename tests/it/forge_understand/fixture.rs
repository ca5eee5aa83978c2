//! phasebot's own example payloads, and changes to them.

use std::{fs, path::PathBuf};

use jiff::Timestamp;
use phasebot::{
    domain::{
        event::{Event, RepoSeen, Seen},
        id::{Account, AccountId, Actor, ForgeName, RepoKey, Sha},
    },
    forge::github::decode::decode,
};
use serde_json::Value;

/// Id of the App in the tests.
pub const OUR_APP: u64 = 31337;

/// A payload from `tests/fixtures/github`.
#[derive(Clone)]
pub struct Fixture {
    event: String,
    payload: Value,
}

/// Reads the fixture in `NAME.json`; its event is the name up to the first dot.
pub fn fixture(name: &str) -> Fixture {
    let text = fs::read_to_string(folder().join(format!("{name}.json"))).expect("the fixture is there");
    Fixture {
        event: name.split('.').next().unwrap_or(name).to_owned(),
        payload: serde_json::from_str(&text).expect("the fixture is JSON"),
    }
}

/// Returns every fixture as (event, payload).
pub fn all() -> Vec<(String, Value)> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("the fixtures are there")
        .map(|entry| entry.expect("a fixture").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let names = names.iter().filter_map(|name| name.strip_suffix(".json"));
    names.map(fixture).map(|fixture| (fixture.event, fixture.payload)).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/github")
}

impl Fixture {
    /// Replaces the value at a JSON pointer; the object around it must exist.
    pub fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, key) = self.place(pointer);
        parent.insert(key, value.into());
        self
    }

    /// Removes the value at a JSON pointer, which must exist.
    pub fn without(mut self, pointer: &str) -> Self {
        let (parent, key) = self.place(pointer);
        assert!(parent.remove(&key).is_some(), "{pointer} is there");
        self
    }

    fn place(&mut self, pointer: &str) -> (&mut serde_json::Map<String, Value>, String) {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.payload.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
        (parent, key.to_owned())
    }

    /// Returns the body as it would be sent.
    pub fn body(&self) -> Vec<u8> {
        self.payload.to_string().into_bytes()
    }

    /// Returns the decoded event.
    pub fn event(&self) -> Event {
        decode_as(&self.event, &self.body())
    }

    /// Returns the decoded content of the event.
    pub fn seen(&self) -> Seen {
        self.event().seen
    }

    /// Returns the reason why the event has no content.
    pub fn reason(&self) -> String {
        match self.seen() {
            Seen::Nothing { reason } => reason,
            seen => panic!("something was seen: {seen:?}"),
        }
    }
}

/// Decodes a body that must be decodable.
pub fn decode_as(event: &str, body: &[u8]) -> Event {
    decode(&ForgeName::github(), OUR_APP, event, body, received_at()).expect("decodable")
}

/// Returns the time at which everything was received.
pub fn received_at() -> Timestamp {
    time("2026-12-24T18:00:00Z")
}

pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Returns a commit id of 40 equal digits.
pub fn sha(digit: &str) -> Sha {
    digit.repeat(40).parse().unwrap()
}

pub fn person(login: &str) -> Actor {
    Actor { id: number(login), login: login.to_owned(), bot: false }
}

pub fn bot(login: &str) -> Actor {
    Actor { id: number(login), login: login.to_owned(), bot: true }
}

/// Returns the id of an account in the fixtures.
pub fn number(login: &str) -> Option<AccountId> {
    let known = [
        ("alice", 510),
        ("bob", 307),
        ("acme", 406),
        ("github", 643),
        ("ci-runner[bot]", 1424),
        ("phasebot[bot]", 1363),
        ("jenkins-acme", 1205),
        ("github-merge-queue[bot]", 2319),
    ];
    known.iter().find(|(name, _)| *name == login).map(|(_, id)| AccountId(*id))
}

pub fn key(id: u64) -> RepoKey {
    RepoKey { forge: ForgeName::github(), id }
}

/// Returns the repository of the fixtures.
pub fn shop() -> RepoSeen {
    RepoSeen {
        key: key(4711),
        full_name: "acme/shop".to_owned(),
        default_branch: Some("main".to_owned()),
        owner: Account { id: number("acme"), login: "acme".to_owned() },
        private: Some(false),
        web_host: Some("github.com".into()),
    }
}
