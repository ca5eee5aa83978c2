//! Half a year of a second repository, as the events that a forge and a monitoring system would have
//! sent: what the charts of the web pages need, and a story of minutes cannot give.
//!
//! The same every time: its chance is a sequence of numbers.

mod present;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Weekday, tz::TimeZone};
use sha2::{Digest as _, Sha256};

use crate::domain::{
    alert::{Alert, Group, Message, Says},
    event::{
        Association, CheckSeen, CheckSource, CloseReason, CommitSeen, DeployState, DeployStatus, DeploymentSeen, Event,
        ItemChange, ItemSeen, NewCommits, PullSeen, PushSeen, RefName, RepoSeen, RunOutcome, Seen, StackSeen,
    },
    id::{AccountId, Actor, ItemId, RepoKey, Sha},
};

/// Days before the story that it begins.
const DAYS: i64 = 182;
/// Time before the end of which the merges are told one by one.
const QUIET: SignedDuration = SignedDuration::from_hours(72);
/// Issues, of which most become changes.
const ISSUES: u64 = 230;
/// One of so many deployments breaks something.
const BREAKS: u64 = 9;

/// What people ask for, in two halves.
const ASKED: [&str; 14] = [
    "Sort the pick list by aisle",
    "Print labels in two columns",
    "Scan a pallet with one shot",
    "Show stock by shelf",
    "Count a shelf again",
    "Split a delivery in two",
    "Book a return without its slip",
    "Warn before stock runs out",
    "Weigh a parcel at the belt",
    "Merge orders of one customer",
    "Lock a shelf for counting",
    "Show the way to the dock",
    "Reserve a gate for a truck",
    "Refuse a pallet that is too heavy",
];
const FOR_WHOM: [&str; 6] = ["", " for cold storage", " on handhelds", " for returns", " at night", " for heavy goods"];

/// Statuses of a deployment that is under way.
const STARTED: [(i64, DeployState); 1] = [(2, DeployState::InProgress)];

/// A sequence of numbers that looks like chance.
struct Chance(u64);

impl Chance {
    /// Returns a number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        // Knuth's multiplier; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    /// Returns minutes around a usual number: mostly fewer, now and then many more.
    fn minutes(&mut self, usual: u64) -> i64 {
        let spread = [1, 1, 2, 2, 3, 4, 6, 9, 14, 28];
        let times = spread[usize::try_from(self.below(10)).unwrap_or_default()];
        i64::try_from(usual * times / 4 + self.below(usual / 2 + 1)).unwrap_or(i64::MAX)
    }
}

/// A history under way.
pub(super) struct HalfYear {
    repo: RepoSeen,
    chance: Chance,
    start: Timestamp,
    end: Timestamp,
    events: Vec<Event>,
    /// Changes on the main branch that no deployment took yet: when they were tested.
    landed: Vec<(Timestamp, Sha)>,
    deployments: u64,
    suites: u64,
    /// The newest commit of the main branch.
    main: Sha,
}

/// Returns every event before `end`, in order of time.
pub(super) fn events(key: RepoKey, full_name: &str, end: Timestamp) -> Vec<Event> {
    let owner = full_name.split('/').next().unwrap_or_default();
    let repo = RepoSeen {
        key,
        full_name: full_name.to_owned(),
        default_branch: Some("main".to_owned()),
        owner: actor(owner).account(),
        private: Some(false),
        web_host: None,
    };
    let start = end - SignedDuration::from_hours(24 * DAYS);
    let mut year = HalfYear {
        repo,
        chance: Chance(7),
        start,
        end,
        events: Vec::new(),
        landed: Vec::new(),
        deployments: 0,
        suites: 0,
        main: sha("main", 0),
    };
    year.push(start, RefName::Branch("main".to_owned()), None, &sha("main", 0), 1, start);
    year.changes();
    year.releases();
    year.present();
    let mut events = year.events;
    events.retain(|event| event.at < end);
    events.sort_by_key(|event| event.at);
    events
}

impl HalfYear {
    /// Issues with their pull requests, until the merge and its checks. None of them merges at the very end.
    fn changes(&mut self) {
        let mut merges: Vec<(Timestamp, Sha)> = Vec::new();
        let spacing = SignedDuration::from_hours(24 * DAYS) / i32::try_from(ISSUES).unwrap_or(1);
        for number in 0..ISSUES {
            let wait = SignedDuration::from_mins(self.chance.minutes(240));
            let asked = at_work(self.start + spacing * i32::try_from(number).unwrap_or_default() + wait);
            let issue = 2 * number + 1;
            let opened = item(issue, false, &self.topic(), String::new(), asked);
            self.add(asked, Seen::Issue(Box::new(opened.clone())));
            // Some wait for good, and some are turned down.
            match self.chance.below(12) {
                0 => continue,
                1 => {
                    let at = asked + SignedDuration::from_mins(self.chance.minutes(3_000));
                    self.add(at, Seen::Issue(Box::new(closed(opened, at, Some(CloseReason::NotPlanned)))));
                    continue;
                }
                _ => {}
            }
            let begun = at_work(asked + SignedDuration::from_mins(self.chance.minutes(1_500)));
            let ready = at_work(begun + SignedDuration::from_mins(self.chance.minutes(1_400)));
            let merged = at_work(ready + SignedDuration::from_mins(self.chance.minutes(1_100)));
            let pull = self.open(&opened, begun, ready);
            if merged < self.end - QUIET {
                merges.push((merged, self.merge(opened, pull, merged)));
            }
        }
        merges.sort();
        for (at, merge) in merges {
            self.land(at, &merge);
            let tested = self.checks(&merge, at);
            self.landed.push((tested, merge));
        }
    }

    /// The branch and the pull request of an issue.
    fn open(&mut self, issue: &ItemSeen, begun: Timestamp, ready: Timestamp) -> PullSeen {
        let head = sha("head", issue.number);
        let branch = format!("topic/{}", issue.number);
        self.push(begun, RefName::Branch(branch.clone()), None, &head, 1, begun);
        let pull = PullSeen {
            item: item(issue.number + 1, true, &issue.title, format!("Closes #{}", issue.number), ready),
            draft: false,
            head_ref: branch,
            head_sha: head,
            from_fork: false,
            base_ref: "main".to_owned(),
            merged_at: None,
            merge_sha: None,
            merged_by: None,
            pusher: None,
            stack: StackSeen::default(),
            queued: None,
        };
        self.add(ready, Seen::Pull(Box::new(pull.clone())));
        pull
    }

    /// The merge of a pull request, which closes its issue.
    fn merge(&mut self, issue: ItemSeen, pull: PullSeen, merged: Timestamp) -> Sha {
        let merge = sha("merge", issue.number);
        let done = PullSeen {
            item: closed(pull.item.clone(), merged, None),
            merged_at: Some(merged),
            merge_sha: Some(merge.clone()),
            merged_by: Some(actor("carol")),
            ..pull
        };
        self.add(merged, Seen::Pull(Box::new(done)));
        let at = merged + SignedDuration::from_secs(2);
        self.add(at, Seen::Issue(Box::new(closed(issue, at, Some(CloseReason::Completed)))));
        merge
    }

    /// A merge comes to the main branch.
    fn land(&mut self, at: Timestamp, merge: &Sha) {
        let before = std::mem::replace(&mut self.main, merge.clone());
        let pushed = at + SignedDuration::from_secs(1);
        self.push(pushed, RefName::Branch("main".to_owned()), Some(&before), merge, 1, at);
    }

    fn topic(&mut self) -> String {
        let topic = ASKED[usize::try_from(self.chance.below(14)).unwrap_or_default()];
        let whom = FOR_WHOM[usize::try_from(self.chance.below(6)).unwrap_or_default()];
        format!("{topic}{whom}")
    }

    fn checks(&mut self, commit: &Sha, at: Timestamp) -> Timestamp {
        let (index, mut done) = (self.suites, at);
        self.suites += 1;
        for (number, name) in (0_u64..).zip(["unit tests", "integration"]) {
            let took = SignedDuration::from_mins(4 + i64::try_from(self.chance.below(14)).unwrap_or_default());
            let ended = at + SignedDuration::from_secs(20) + took;
            let check = CheckSeen {
                id: 10 * index + number + 1,
                sha: commit.clone(),
                name: name.to_owned(),
                source: CheckSource(15_368),
                source_name: "github-actions".to_owned(),
                suite: Some(index + 1),
                started_at: at + SignedDuration::from_secs(20),
                completed: Some((ended, RunOutcome::Success)),
                ours: false,
                asked_again: false,
                url: String::new(),
            };
            self.add(ended, Seen::Check(check));
            done = done.max(ended);
        }
        done
    }

    /// A release on most working days at two, with all that was tested by then.
    fn releases(&mut self) {
        let (mut day, mut before, mut number) = (self.start, None::<Sha>, 0_u64);
        // The last changes wait for a release.
        while day < self.end - SignedDuration::from_hours(24 * 4) {
            day += SignedDuration::from_hours(24);
            let at = at_two(day);
            let ready = self.landed.iter().rev().find(|(tested, _)| *tested < at).map(|(_, commit)| commit.clone());
            let Some(commit) = ready.filter(|ready| Some(ready) != before.as_ref()) else { continue };
            if is_weekend(at) || self.chance.below(5) < 2 {
                continue;
            }
            number += 1;
            let tag = RefName::Tag(format!("v2.{number}.0"));
            self.push(at, tag, None, &commit, 0, at);
            self.deploy(&commit, "staging", at + SignedDuration::from_mins(6));
            let live = at + SignedDuration::from_mins(50 + i64::try_from(self.chance.below(30)).unwrap_or_default());
            self.deploy(&commit, "production", live);
            let broke = self.chance.below(BREAKS) == 0;
            if broke {
                let alarm =
                    live + SignedDuration::from_mins(9 + i64::try_from(self.chance.below(9)).unwrap_or_default());
                let repaired = alarm + SignedDuration::from_mins(12 + self.chance.minutes(30));
                self.alert(number, alarm, None);
                if let Some(back) = before.as_ref().filter(|_| self.chance.below(2) == 0) {
                    self.deploy(&back.clone(), "production", repaired - SignedDuration::from_mins(6));
                }
                self.alert(number, alarm, Some(repaired));
            }
            before = Some(commit);
        }
    }

    fn deploy(&mut self, commit: &Sha, environment: &str, at: Timestamp) {
        self.deploy_until(commit, environment, at, &[STARTED[0], (150, DeployState::Success)]);
    }

    /// A deployment with its statuses: each with the seconds until then.
    fn deploy_until(&mut self, commit: &Sha, environment: &str, at: Timestamp, steps: &[(i64, DeployState)]) {
        self.deployments += 1;
        for (seconds, state) in steps.iter().copied() {
            let when = at + SignedDuration::from_secs(seconds);
            let deployment = DeploymentSeen {
                id: self.deployments,
                sha: commit.clone(),
                reference: "main".to_owned(),
                environment: environment.to_owned(),
                production: Some(environment == "production"),
                created_at: at,
                creator: Some(actor("deployer")),
                run: None,
                from_fork: Some(false),
                source: None,
                transient: false,
                status: Some(DeployStatus {
                    at: when,
                    id: 10 * self.deployments + u64::from(state == DeployState::Success),
                    state,
                }),
            };
            self.add(when, Seen::Deployment(deployment));
        }
    }

    fn alert(&mut self, number: u64, began: Timestamp, ended: Option<Timestamp>) {
        let at = ended.unwrap_or(began);
        let alert = Alert {
            fingerprint: "belt".to_owned(),
            firing: ended.is_none(),
            started_at: began,
            ended_at: ended,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            url: None,
            silence_url: None,
        };
        let group = Group {
            key: format!("belt-{number}"),
            title: Some("Parcels pile up at the belt".to_owned()),
            text: None,
            url: None,
            labels: [("environment".to_owned(), "production".to_owned())].into(),
            alerts: vec![alert],
            left_out: 0,
            tells_end: true,
        };
        let message = Message { connection: "prod".to_owned(), at, says: Says::Group(group) };
        self.add(at, Seen::Alert(Box::new(message)));
    }

    fn push(&mut self, at: Timestamp, name: RefName, before: Option<&Sha>, after: &Sha, new: u32, first: Timestamp) {
        let commits =
            (new > 0).then(|| CommitSeen { sha: after.clone(), message: "A change".to_owned(), parents: None });
        let push = PushSeen {
            name,
            before: before.cloned().unwrap_or(Sha::FIRST),
            after: after.clone(),
            forced: false,
            commits: commits.into_iter().collect(),
            paths: BTreeMap::new(),
            new: NewCommits { count: new, first_at: (new > 0).then_some(first) },
            truncated: false,
            made_from: None,
            policy_file: Some(false),
            pusher: Some(actor("ada")),
        };
        self.add(at, Seen::Push(Box::new(push)));
    }

    fn add(&mut self, at: Timestamp, seen: Seen) {
        let (repo, sender) = (Some(self.repo.clone()), Some(actor("ada")));
        self.events.push(Event { name: "generated".to_owned(), connection: None, repo, sender, at, seen });
    }
}

fn actor(login: &str) -> Actor {
    let id = login.bytes().fold(100_u64, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte));
    Actor { id: Some(AccountId(id)), login: login.to_owned(), bot: false }
}

fn sha(what: &str, number: u64) -> Sha {
    hex::encode(&Sha256::digest(format!("{what} {number}"))[..20]).parse().unwrap_or(Sha::FIRST)
}

fn item(number: ItemId, is_pull: bool, title: &str, body: String, at: Timestamp) -> ItemSeen {
    let opened = ItemSeen::opened(number, is_pull, title.to_owned(), Some(actor("ada")), at);
    ItemSeen { body, association: Association::Member, ..opened }
}

fn closed(item: ItemSeen, at: Timestamp, reason: Option<CloseReason>) -> ItemSeen {
    ItemSeen {
        open: false,
        closed_at: Some(at),
        close_reason: reason,
        updated_at: at,
        change: ItemChange::Closed,
        ..item
    }
}

fn is_weekend(at: Timestamp) -> bool {
    matches!(at.to_zoned(TimeZone::UTC).weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Returns two in the afternoon of a time's day.
fn at_two(at: Timestamp) -> Timestamp {
    let day = at.to_zoned(TimeZone::UTC).date().at(14, 0, 0, 0);
    TimeZone::UTC.to_zoned(day).map_or(at, |at| at.timestamp())
}

/// Returns a time, or the next one at which people work.
fn at_work(mut at: Timestamp) -> Timestamp {
    let is_night = |at: Timestamp| !(8..18).contains(&at.to_zoned(TimeZone::UTC).hour());
    while is_weekend(at) || is_night(at) {
        at += SignedDuration::from_hours(7);
    }
    at
}
