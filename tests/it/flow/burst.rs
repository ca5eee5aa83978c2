//! A burst of events within GitHub's published limits: nothing is rejected, nothing is sent while
//! the bot must wait, nothing is dropped.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use phasebot_forge_sim::Exchange;

use super::{Setup, World};

/// <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>
const CREATED_A_MINUTE: usize = 80;
const CREATED_AN_HOUR: usize = 500;
const POINTS_A_MINUTE: usize = 900;
const REQUESTS_AN_HOUR: usize = 5000;
const TOKENS: &str = "POST /app/installations/{installation_id}/access_tokens";

/// One in this many issues gets a question that only a comment can answer.
const QUESTIONS: usize = 5;
/// Number of events of one issue: it is opened, renamed, and its label returns as an event.
const EVENTS: usize = 3;

/// Returns the maximum sum of `weight` within any `span`.
fn peak(requests: &[Exchange], span: SignedDuration, weight: impl Fn(&Exchange) -> usize) -> usize {
    let (mut first, mut sum, mut peak) = (0, 0, 0);
    for request in requests {
        sum += weight(request);
        while requests[first].at + span <= request.at {
            sum -= weight(&requests[first]);
            first += 1;
        }
        peak = peak.max(sum);
    }
    peak
}

/// Returns whether a request creates content. GitHub defines this only by examples; requests with a
/// text of ours do.
fn creates(request: &Exchange) -> bool {
    request.method == "POST" && (request.route.ends_with("/comments") || request.route.ends_with("/issues"))
}

async fn burst(events: usize) {
    let world = World::with(Setup { enforce_limits: true, ..Setup::default() }).await;
    let bob = world.person("bob");
    let mut issues = Vec::new();
    for n in 0..events / EVENTS {
        let issue = bob.open_issue(&format!("Request {n}"), "", &[]).unwrap().made;
        bob.edit(issue, Some(&format!("Request {n}, please")), None).unwrap();
        if n % QUESTIONS == 0 {
            bob.comment(issue, "/status").unwrap();
        }
        issues.push(issue);
    }
    let mut hours = 0;
    loop {
        world.run(SignedDuration::from_hours(1)).await;
        hours += 1;
        let waiting: u64 = world.store.stats().await.unwrap().queued_effects.iter().sum();
        if waiting == 0 {
            break;
        }
        assert!(hours < 24, "{waiting} effects wait");
    }

    let requests = world.forge.requests();
    let refused = requests.iter().filter(|r| r.status.is_some_and(|s| [403, 429].contains(&s)));
    let refused: BTreeSet<String> = refused.map(|r| format!("{} {}", r.at, r.name())).collect();
    assert!(refused.is_empty(), "we never go over a limit: {refused:?}");
    let (minute, hour) = (SignedDuration::from_mins(1), SignedDuration::from_hours(1));
    let one = |counts: bool| usize::from(counts);
    assert!(peak(&requests, minute, |r| one(creates(r))) <= CREATED_A_MINUTE);
    assert!(peak(&requests, hour, |r| one(creates(r))) <= CREATED_AN_HOUR);
    assert!(peak(&requests, minute, |r| if r.is_write() { 5 } else { 1 }) <= POINTS_A_MINUTE);
    assert!(peak(&requests, hour, |_| 1) <= REQUESTS_AN_HOUR);
    assert!(peak(&requests, hour, |r| one(r.name() == TOKENS)) <= 1, "one token an hour");
    // Oldest first within the lane: issues get their labels in the order of their events.
    let labelled = requests.iter().filter(|r| r.name() == "POST /repos/{owner}/{repo}/issues/{issue_number}/labels");
    let numbers: Vec<(Timestamp, u64)> = labelled.map(|r| (r.at, number(r))).collect();
    assert!(numbers.is_sorted(), "labels went out of order");
    for (n, issue) in issues.into_iter().enumerate() {
        world.in_phase(issue, "plan");
        let answers = world.comments_of_ours(issue).len();
        assert_eq!(answers, usize::from(n % QUESTIONS == 0), "#{issue}");
    }
    world.check().await;
    println!("{events} events, {} requests, {hours} hours on the forge's clock", requests.len());
}

fn number(request: &Exchange) -> u64 {
    let number = request.params.iter().find(|(name, _)| name == "issue_number");
    number.and_then(|(_, value)| value.parse().ok()).unwrap()
}

#[tokio::test]
async fn a_burst_stays_within_the_published_limits() {
    burst(450).await;
}

#[tokio::test]
#[ignore = "takes minutes: scripts/storm limits runs it"]
async fn a_large_burst_stays_within_the_published_limits() {
    burst(5000).await;
}
