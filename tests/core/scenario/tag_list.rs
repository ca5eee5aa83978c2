//! A push of more than three tags causes no webhook: conditions that depend on tags find them
//! within the hour.

use jiff::{SignedDuration, Timestamp};
use phasebot_core::domain::{needs::Need, policy::Mode};

use super::{
    forge::words::{start, words},
    script::Script,
    stage::{Stage, derived},
};

const STORY: &str = "08:00 push main b0\n09:00 pull 2 opened by bob head one\n10:00 pull 2 merged by alice as m1\n\
                     10:00 push main m1";

/// Plays the story.
fn shop(policy: Option<&str>) -> Stage {
    let mut stage = Stage::new(policy);
    stage.play(&Script::read(STORY));
    stage
}

/// Lets the time pass.
fn wait(stage: &mut Stage, hours: i64) {
    stage.until(Some(at(hours)));
    stage.decide();
}

fn at(hours: i64) -> Timestamp {
    start() + SignedDuration::from_hours(hours)
}

fn phase(stage: &Stage) -> Option<String> {
    derived(&stage.repository.items[&2]).phase
}

/// Pushes four tags, which causes no webhook.
fn push_tags(stage: &mut Stage) {
    for name in ["web-v1.0.0", "api-v1.0.0", "cli-v1.0.0", "docs-v1.0.0"] {
        let event = stage.forge.happen(stage.now, &words(&format!("tag {name} at m1 unseen")), "");
        assert_eq!(event, None);
    }
}

/// Returns the times at which the tags were listed.
fn listed(stage: &Stage) -> Vec<Timestamp> {
    stage.asked.iter().filter(|(_, need)| *need == Need::Tags).map(|(at, _)| *at).collect()
}

#[test]
fn tags_without_a_webhook_move_phases_within_the_hour() {
    for policy in [None, Some("mode: observe\n"), Some("mode: act\n")] {
        let mut shop = shop(policy);
        push_tags(&mut shop);
        assert_eq!(phase(&shop).as_deref(), Some("build"));
        wait(&mut shop, 11);
        assert_eq!(phase(&shop).as_deref(), Some("release"), "{policy:?}, listed at {:?}", listed(&shop));
    }
}

#[test]
fn tags_without_a_webhook_begin_automatic_deploys() {
    let policy = "mode: act\nphases:\n  - { name: build, when: [merged] }\n\
                  environments: { staging: { deploy: { via: deployment }, auto: { on: [tag] } } }\n";
    let mut shop = shop(Some(policy));
    push_tags(&mut shop);
    wait(&mut shop, 11);
    assert_eq!(shop.repository.facts.requests.len(), 1, "listed at {:?}", listed(&shop));
}

#[test]
fn tags_are_listed_once_an_hour_and_only_while_something_happens() {
    let mut busy = shop(None);
    wait(&mut busy, 24 * 7);
    let listings = listed(&busy);
    let pauses: Vec<SignedDuration> = listings.windows(2).map(|two| two[1].duration_since(two[0])).collect();
    assert!(pauses.iter().all(|pause| *pause >= SignedDuration::from_hours(1)), "{pauses:?}");
    assert!((6..=13).contains(&listings.len()), "{listings:?}");
    // Without conditions that depend on tags, nothing is listed.
    let mut plain = shop(Some("phases:\n  - { name: build, when: [merged] }\n"));
    wait(&mut plain, 24);
    assert_eq!((plain.policy.mode, listed(&plain).len()), (Mode::Label, 0));
}

#[test]
fn a_list_that_fails_loses_no_tag() {
    let mut shop = shop(None);
    shop.forge.set(&words("deny Tags"));
    wait(&mut shop, 12);
    shop.forge.set(&words("allow Tags"));
    push_tags(&mut shop);
    wait(&mut shop, 13);
    assert_eq!(phase(&shop).as_deref(), Some("release"), "listed at {:?}", listed(&shop));
}
