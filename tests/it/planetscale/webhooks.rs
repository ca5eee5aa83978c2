//! PlanetScale's published example webhooks, and each of its states.

use std::{collections::BTreeSet, fs, path::Path};

use jiff::Timestamp;
use phasebot::{
    database::planetscale::PlanetScaleWebhook,
    domain::{
        alert::Says,
        schema::{SchemaChange, SchemaState},
    },
    port::alert::AlertSource,
};
use serde_json::Value;

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/planetscale").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn source() -> PlanetScaleWebhook {
    PlanetScaleWebhook::new("db", &["x".into()], Some(("myorg", "example_database")))
}

fn says(payload: &Value) -> Says {
    source().decode(payload.to_string().as_bytes(), Timestamp::UNIX_EPOCH).unwrap().says
}

fn change(payload: &Value) -> SchemaChange {
    match says(payload) {
        Says::SchemaChange(change) => *change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_published_examples_are_understood() {
    let examples = fixture("webhooks.json");
    let seen: Vec<(String, SchemaState, bool)> = examples["examples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|payload| {
            let change = change(payload);
            (payload["event"].as_str().unwrap().to_owned(), change.state, change.is_open)
        })
        .collect();
    let meant = [
        ("deploy_request.opened", SchemaState::Checking, true),
        ("deploy_request.queued", SchemaState::Queued, true),
        ("deploy_request.in_progress", SchemaState::Running, true),
        ("deploy_request.errored", SchemaState::Invalid, true),
        // Its deployment's own state still says `in_progress`.
        ("deploy_request.pending_cutover", SchemaState::Staged, true),
        ("deploy_request.schema_applied", SchemaState::Revertible, true),
        ("deploy_request.reverted", SchemaState::Reverting, true),
        ("deploy_request.closed", SchemaState::Reverted, false),
    ];
    assert_eq!(seen, meant.map(|(event, state, open)| (event.to_owned(), state, open)));
    let of =
        |event: &str| change(examples["examples"].as_array().unwrap().iter().find(|it| it["event"] == event).unwrap());
    let (queued, applied, closed) =
        (of("deploy_request.queued"), of("deploy_request.schema_applied"), of("deploy_request.closed"));
    assert_eq!(queued.content, closed.content, "the content stays the same from its comparison to its end");
    assert_eq!((queued.content.keeps, queued.content.drops), (0, 1));
    assert_eq!(applied.revertible_until, Some("2023-10-25T17:26:29.153Z".parse().unwrap()));
    let errored = of("deploy_request.errored");
    assert_eq!(errored.problems[0].code, "NO_UNIQUE_KEY");
    assert_eq!(errored.problems[0].table.as_deref(), Some("Persons"));
    assert!(of("deploy_request.opened").content.digest.is_empty());
}

/// Each state of PlanetScale's description has a meaning here, and no other one has.
#[test]
fn every_state_is_mapped() {
    let description = fixture("openapi-subset.json");
    let pointer = "/paths/~1organizations~1{organization}~1databases~1{database}~1deploy-requests~1{number}/get/\
                   responses/200/content/application~1json/schema/properties/deployment_state/enum";
    let states: Vec<&str> =
        description.pointer(pointer).unwrap().as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(states.len(), 20);
    let mut payload = fixture("webhooks.json")["examples"][0].clone();
    let mut meanings = BTreeSet::new();
    for state in states {
        payload["resource"]["deployment_state"] = state.into();
        let meant = change(&payload).state;
        assert_ne!(meant, SchemaState::Unknown, "{state}");
        meanings.insert(meant);
    }
    assert_eq!(meanings.len(), 16, "all but the unknown one");
    for strange in ["", "Ready", "complete ", "deploying"] {
        payload["resource"]["deployment_state"] = strange.into();
        assert_eq!(change(&payload).state, SchemaState::Unknown, "{strange:?}");
    }
    payload["resource"]["deployment_state"] = "ready".into();
    payload["resource"]["state"] = "merged".into();
    assert_eq!(change(&payload).state, SchemaState::Unknown);
}

#[test]
fn another_database_and_a_one_way_connection_tell_nothing() {
    let mut payload = fixture("webhooks.json")["examples"][1].clone();
    payload["database"] = "another".into();
    assert!(matches!(says(&payload), Says::Nothing(_)));
    payload["database"] = "example_database".into();
    payload["organization"] = "evil".into();
    assert!(matches!(says(&payload), Says::Nothing(_)));
    payload["organization"] = "myorg".into();
    let one_way = PlanetScaleWebhook::new("db", &["x".into()], None);
    let heard = one_way.decode(payload.to_string().as_bytes(), Timestamp::UNIX_EPOCH).unwrap();
    assert!(matches!(heard.says, Says::Nothing(_)));
    payload["resource"] = Value::Null;
    assert!(source().decode(payload.to_string().as_bytes(), Timestamp::UNIX_EPOCH).is_err());
}
