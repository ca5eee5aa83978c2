//! Checks after a storm: nothing was created twice, and everything was processed in order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use phasebot::{port::store::DeliveryFilter, store};
use phasebot_forge_sim::{Delivery, SimForge};
use serde_json::Value;

/// Checks all events that the forge delivered; returns the number of objects created by kind.
pub fn nothing_is_made_twice(sim: &SimForge) -> BTreeMap<String, usize> {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for delivery in sim.deliveries() {
        if let Some(what) = ours(&delivery) {
            *made.entry(what).or_default() += 1;
            *kinds.entry(delivery.event).or_default() += 1;
        }
    }
    made.retain(|_, times| *times > 1);
    assert!(made.is_empty(), "made more than once: {made:#?}");
    kinds
}

/// Returns a key for an object that the bot created; people would take objects with the same key
/// for duplicates.
fn ours(delivery: &Delivery) -> Option<String> {
    let payload = &delivery.payload;
    let by_bot = |of: &Value| of["login"] == "phasebot[bot]";
    let thing = match (delivery.event.as_str(), delivery.action.as_deref()) {
        ("label", Some("created")) => payload["label"]["name"].to_string(),
        ("issues", Some("opened")) if by_bot(&payload["issue"]["user"]) => payload["issue"]["title"].to_string(),
        ("issue_comment", Some("created")) if by_bot(&payload["comment"]["user"]) => {
            // A comment that is updated in place is the same object, whatever its present text.
            let body = payload["comment"]["body"].as_str().unwrap_or_default();
            let marker = body.lines().next().filter(|line| line.starts_with("<!-- phasebot:"));
            format!("#{} {}", payload["issue"]["number"], marker.unwrap_or(body))
        }
        ("check_run", Some("created")) => {
            format!("{} on {}", payload["check_run"]["name"], payload["check_run"]["head_sha"])
        }
        ("deployment", _) if by_bot(&payload["deployment"]["creator"]) => {
            format!("{} to {}", payload["deployment"]["payload"], payload["deployment"]["environment"])
        }
        _ => return None,
    };
    Some(format!("{} {} {thing}", payload["repository"]["full_name"], delivery.event))
}

/// Checks that each repository's deliveries were processed in order of arrival. An alert may arrive
/// before its repository is known; it then waits.
pub async fn in_order(url: &str) {
    let store = store::open(url).await.unwrap();
    let filter = DeliveryFilter { limit: 1_000_000, ..DeliveryFilter::default() };
    let mut rows = store.deliveries(&filter).await.unwrap();
    rows.sort_by_key(|row| row.seq);
    let mut last: BTreeMap<Option<u64>, Timestamp> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| row.target.is_none()) {
        let at = row.decided_at.unwrap();
        let before = last.insert(row.repo, at);
        assert!(before.is_none_or(|before| before <= at), "decided before one that came earlier: {row:?}");
    }
}
