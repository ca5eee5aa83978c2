//! A push of more than three tags causes no webhook: conditions that depend on tags find them
//! within the hour.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use phasebot_core::{
    domain::{
        alert::AlertRules,
        fact::RepoFacts,
        id::Sha,
        needs::{Answer, Answered, Need},
        policy::{Mode, Policy},
    },
    engine,
    ingest::{self, Us},
    phase,
    plan::DecisionContext,
};

use super::{
    play::answer,
    world::{self, Acts, repo},
};

const STORY: &str = "08:00 push main b0\n09:00 pull 2 opened by bob head one\n10:00 pull 2 merged by alice as m1\n\
                     10:00 push main m1";

/// A repository with the tags that its forge lists.
struct Shop {
    acts: Acts,
    facts: RepoFacts,
    policy: Policy,
    tags: Result<BTreeMap<String, Sha>, String>,
    /// Times at which they were listed.
    listed: Vec<Timestamp>,
}

impl Shop {
    fn new(policy: Option<&str>) -> Self {
        let facts = RepoFacts::new(repo().key);
        let policy = crate::policy_of(policy);
        Self { acts: world::read(STORY), facts, policy, tags: Ok(BTreeMap::new()), listed: Vec::new() }
    }

    fn tell(&mut self) {
        for event in self.acts.events.clone() {
            ingest::observe(&mut self.facts, &event, &self.policy, &Us::default());
            self.settle(event.at);
        }
    }

    /// Answers the queries, and returns the time of the next evaluation.
    fn settle(&mut self, now: Timestamp) -> Option<Timestamp> {
        let items: BTreeSet<u64> = self.facts.items.keys().copied().collect();
        for _ in 0..8 {
            for need in engine::needs(&self.facts, &items, &self.policy, now) {
                let answer = if need == Need::Tags {
                    self.listed.push(now);
                    self.tags.clone().map_or_else(|why| Answer::Unavailable { why }, Answer::Tags)
                } else {
                    answer(&self.acts.world, &need)
                };
                ingest::learn(&mut self.facts, &Answered { need, answer, at: now }, &self.policy);
            }
        }
        let terms =
            DecisionContext { policy: &self.policy, alerts: &AlertRules::default(), now, writes_disabled: None };
        engine::advance(&mut self.facts, &terms).wake_at
    }

    /// Fires the timers until `end`.
    fn wait(&mut self, mut now: Timestamp, end: Timestamp) {
        while let Some(wake) = self.settle(now).filter(|wake| *wake <= end) {
            assert!(wake > now, "it would be looked at for ever");
            now = wake;
        }
    }

    fn phase(&self, now: Timestamp) -> Option<String> {
        phase::derive(&self.facts, 2, &self.policy, now).phase
    }

    /// Pushes four tags, which causes no webhook.
    fn push_tags(&mut self) {
        let sha = self.acts.world.sha("m1");
        let names = ["web-v1.0.0", "api-v1.0.0", "cli-v1.0.0", "docs-v1.0.0"];
        self.tags = Ok(names.map(|name| (name.to_owned(), sha.clone())).into());
    }
}

fn at(hours: i64) -> Timestamp {
    world::start() + SignedDuration::from_hours(hours)
}

#[test]
fn tags_without_a_webhook_move_phases_within_the_hour() {
    for policy in [None, Some("mode: observe\n"), Some("mode: act\n")] {
        let mut shop = Shop::new(policy);
        shop.tell();
        shop.push_tags();
        assert_eq!(shop.phase(at(10)).as_deref(), Some("build"));
        shop.wait(at(10), at(11));
        assert_eq!(shop.phase(at(11)).as_deref(), Some("release"), "{policy:?}, listed at {:?}", shop.listed);
    }
}

#[test]
fn tags_without_a_webhook_begin_automatic_deploys() {
    let policy = "mode: act\nphases:\n  - { name: build, when: [merged] }\n\
                  environments: { staging: { deploy: { via: deployment }, auto: { on: [tag] } } }\n";
    let mut shop = Shop::new(Some(policy));
    shop.tell();
    shop.push_tags();
    shop.wait(at(10), at(11));
    assert_eq!(shop.facts.requests.len(), 1, "listed at {:?}", shop.listed);
}

#[test]
fn tags_are_listed_once_an_hour_and_only_while_something_happens() {
    let mut shop = Shop::new(None);
    shop.tell();
    shop.wait(at(10), at(24 * 7));
    let pauses: Vec<SignedDuration> = shop.listed.windows(2).map(|two| two[1].duration_since(two[0])).collect();
    assert!(pauses.iter().all(|pause| *pause >= SignedDuration::from_hours(1)), "{pauses:?}");
    assert!((6..=13).contains(&shop.listed.len()), "{:?}", shop.listed);
    // Without conditions that depend on tags, nothing is listed.
    let mut shop = Shop::new(Some("phases:\n  - { name: build, when: [merged] }\n"));
    shop.tell();
    shop.wait(at(10), at(24));
    assert_eq!((shop.policy.mode, shop.listed.len()), (Mode::Label, 0));
}

#[test]
fn a_list_that_fails_loses_no_tag() {
    let mut shop = Shop::new(None);
    shop.tell();
    let before = std::mem::replace(&mut shop.tags, Err("502".into()));
    shop.wait(at(10), at(12));
    shop.tags = before;
    shop.push_tags();
    shop.wait(at(12), at(13));
    assert_eq!(shop.phase(at(13)).as_deref(), Some("release"), "listed at {:?}", shop.listed);
}
