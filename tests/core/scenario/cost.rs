//! The cost of an event depends on its changes and not on the repository's history: counted in
//! derived items and not in time.

use jiff::SignedDuration;
use phasebot_core::{
    domain::{
        event::{
            Association, CommitSeen, DeployState, DeployStatus, DeploymentSeen, Event, ItemChange, ItemSeen,
            NewCommits, PullSeen, PushSeen, RefName, Seen, StackSeen,
        },
        fact::RepoFacts,
        id::Sha,
        policy::Policy,
    },
    engine,
    ingest::{self, Observed, Us},
    phase,
};

use super::forge::{repo, words::start};

fn sha(n: u64) -> Sha {
    format!("{n:040x}").parse().unwrap()
}

fn push(name: RefName, before: Sha, after: Sha) -> Seen {
    let commits = vec![CommitSeen { sha: after.clone(), message: "x".into(), parents: None }];
    Seen::Push(Box::new(PushSeen {
        name,
        before,
        after,
        forced: false,
        commits,
        paths: std::collections::BTreeMap::new(),
        new: NewCommits::default(),
        truncated: false,
        made_from: None,
        policy_file: Some(false),
        pusher: None,
    }))
}

/// A repository that changes every hour.
struct Year {
    facts: RepoFacts,
    policy: Policy,
}

impl Year {
    fn see(&mut self, n: u64, seen: Seen) -> Observed {
        let at = start() + SignedDuration::from_hours(n.cast_signed());
        let event = Event { name: "x".into(), connection: Some(1), repo: Some(repo()), sender: None, at, seen };
        ingest::observe(&mut self.facts, &event, &self.policy, &Us { bot: None })
    }

    /// Hour `n`: merges a pull request.
    fn merge(&mut self, n: u64) {
        let at = start() + SignedDuration::from_hours(n.cast_signed());
        self.see(n, push(RefName::Branch("main".into()), sha(n + 999_999), sha(n + 1_000_000)));
        let item = ItemSeen {
            number: n,
            is_pull: true,
            title: "x".into(),
            body: String::new(),
            author: None,
            association: Association::Owner,
            created_at: at,
            updated_at: at,
            open: false,
            closed_at: Some(at),
            close_reason: None,
            labels: None,
            locked: false,
            change: ItemChange::Closed,
        };
        let pull = PullSeen {
            item,
            draft: false,
            head_ref: format!("b{n}"),
            head_sha: sha(n + 2_000_000),
            from_fork: true,
            base_ref: "main".into(),
            merged_at: Some(at),
            merge_sha: Some(sha(n + 1_000_000)),
            merged_by: None,
            pusher: None,
            stack: StackSeen::Unsaid,
            queued: None,
        };
        self.see(n, Seen::Pull(Box::new(pull)));
    }

    /// Deploys the commits of hour `n`.
    fn deploy(&mut self, n: u64, environment: &str, state: DeployState) -> Observed {
        let at = start() + SignedDuration::from_hours(n.cast_signed());
        let deployment = DeploymentSeen {
            from_fork: None,
            transient: false,
            source: None,
            id: n,
            sha: sha(n + 1_000_000),
            reference: "main".into(),
            environment: environment.into(),
            production: Some(environment == "production"),
            created_at: at,
            creator: None,
            run: None,
            status: Some(DeployStatus { at, id: n, state }),
        };
        self.see(n, Seen::Deployment(deployment))
    }

    fn tag(&mut self, n: u64) -> Observed {
        self.see(n, push(RefName::Tag(format!("v1.{n}.0")), Sha::FIRST, sha(n + 1_000_000)))
    }
}

fn year(merges: u64) -> Year {
    let policy = crate::policy_of(None);
    let mut year = Year { facts: RepoFacts::new(repo().key), policy };
    for n in 1..=merges {
        year.merge(n);
        year.tag(n);
        year.deploy(n, "production", DeployState::Success);
    }
    year
}

/// After any number of merges, a deployment and a tag derive only the items that they contain.
#[test]
fn a_deployment_and_a_tag_cost_what_they_bring() {
    for merges in [50, 800] {
        let mut year = year(merges);
        for n in 1..=3 {
            year.merge(merges + n);
        }
        let began = std::time::Instant::now();
        let tagged = year.tag(merges + 3);
        assert_eq!(tagged.items, (merges + 1..=merges + 3).collect(), "by a tag after {merges}");
        let under_way = year.deploy(merges + 3, "production", DeployState::InProgress);
        assert_eq!(under_way.items, tagged.items, "by a deployment that began after {merges}");
        let ran = year.deploy(merges + 3, "production", DeployState::Success);
        assert_eq!(ran.items, tagged.items, "by a deployment that ran after {merges}");
        let at = start() + SignedDuration::from_hours((merges + 3).cast_signed());
        let needs = engine::needs(&year.facts, &ran.items, &year.policy, at);
        let derived = phase::derive_all(&year.facts, &ran.items, &year.policy, at);
        assert_eq!(needs.len(), 4, "each one's linked issues, and once an hour the tags: {needs:?}");
        assert!(derived.iter().all(|d| d.phase.as_deref() == Some("operate")), "{derived:?}");
        println!("after {merges} merges: three events in {:?}", began.elapsed());
    }
}

/// The history of an old item does not grow with later deployments.
#[test]
fn an_old_item_remembers_no_later_deployment() {
    let year = year(200);
    let at = start() + SignedDuration::from_hours(300);
    let derived = phase::derive(&year.facts, 1, &year.policy, at);
    assert_eq!(derived.phase.as_deref(), Some("monitor"));
    assert!(derived.history.len() <= 8, "{:?}", derived.history);
    assert_eq!(derived.wake_at, None, "nothing is still to come");
}
