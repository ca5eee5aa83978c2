//! A notice in which the program crashes just before and just after it is sent: a target that can't
//! recognise a repeated message never gets it twice.

use std::time::Duration;

use futures_util::future::join_all;
use phasebot::app::crash::NOTICE_POINTS;
use phasebot_forge_sim::{NewCommit, NewDeployment};

use super::world::World;
use crate::notices::{SECRET, receiver::Receiver};

const REPOSITORY: &str = "acme/shop";

/// Settings of the target `ops` of a kind.
fn variables(kind: &str, url: &str) -> Vec<(String, String)> {
    let special: &[(&str, String)] = match kind {
        "slack" => &[
            ("TOKEN", "xoxb-a-secret-token".to_owned()),
            ("CHANNEL", "C0123".to_owned()),
            ("API_URL", format!("{url}/api")),
        ],
        "matrix" => {
            &[("TOKEN", "syt_a_secret_token".to_owned()), ("CHANNEL", "!r:e".to_owned()), ("API_URL", url.to_owned())]
        }
        "webhook" => &[("URL", format!("{url}/hook")), ("SECRETS", SECRET.to_owned())],
        _ => &[("URL", format!("{url}/{kind}"))],
    };
    let usual = [("KIND", kind.to_owned()), ("REPOSITORIES", REPOSITORY.to_owned())];
    let all = usual.iter().chain(special);
    all.map(|(key, value)| (format!("PHASEBOT_NOTICES__OPS__{key}"), value.clone())).collect()
}

/// Lets a deployment fail while the program crashes at `point`; returns the number of requests and of
/// different messages.
async fn dies_while_notifying(kind: &'static str, point: &'static str) -> (usize, usize) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.program.variables = variables(kind, &receiver.url);
    let (person, _) = world.repository(REPOSITORY);
    world.orderly.insert(person.repo());
    let files = vec![(".github/phasebot.yml".to_owned(), Some("notices: [{ to: ops }]\n".to_owned()))];
    person.push("main", &[NewCommit { message: "A policy".to_owned(), files }]).unwrap();
    world.start(None).await;
    world.quiet().await;
    drop(world.running.take());
    world.start(Some(point)).await;
    let new = NewDeployment {
        reference: "main".to_owned(),
        environment: "production".to_owned(),
        ..NewDeployment::default()
    };
    let deployment = person.deployment(&new).unwrap().made;
    person.deployment_status(deployment, "failure").unwrap();
    let begun = std::time::Instant::now();
    while world.starts < 3 {
        assert!(begun.elapsed() < Duration::from_mins(2), "{kind}: {point} was never passed");
        world.post(4).await;
        world.revive().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.quiet().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = receiver.asked();
    let id = |asked: &crate::notices::receiver::Asked| match asked.headers.get("webhook-id") {
        Some(id) => id.to_str().unwrap().to_owned(),
        None => asked.line.clone(),
    };
    let messages: std::collections::BTreeSet<String> = asked.iter().map(id).collect();
    (asked.len(), messages.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_not_posted_twice_by_a_crash() {
    let [marked, sent] = NOTICE_POINTS;
    // Kind, point, requests, messages. Of a message that may be lost the webhook and Matrix get a second
    // copy, which they recognise; the others get none.
    let cases = [
        ("slack", marked, 0, 0),
        ("slack", sent, 1, 1),
        ("teams", sent, 1, 1),
        ("discord", sent, 1, 1),
        ("mattermost", sent, 1, 1),
        ("webhook", marked, 1, 1),
        ("webhook", sent, 2, 1),
        ("matrix", sent, 2, 1),
    ];
    let all = cases.map(|(kind, point, requests, messages)| {
        tokio::spawn(async move {
            let found = dies_while_notifying(kind, point).await;
            assert_eq!(found, (requests, messages), "{kind} at {point}");
        })
    });
    join_all(all).await.into_iter().for_each(Result::unwrap);
}
