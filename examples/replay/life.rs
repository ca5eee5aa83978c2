//! The life of one repository as events: an issue, its pull request, the merge,
//! two checks; each tenth change is tagged and deployed to two environments.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use phasebot_core::domain::{
    event::{
        Association, CheckSeen, CheckSource, CommitSeen, DeployState, DeployStatus, DeploymentSeen, Event, ItemChange,
        ItemSeen, NewCommits, PullSeen, PushSeen, RefName, RepoSeen, RunOutcome, Seen, StackSeen,
    },
    id::{AccountId, Actor, ForgeName, RepoKey, Sha},
};

/// Time from one change to the next.
const PACE: SignedDuration = SignedDuration::from_mins(4);
/// Changes in one release.
const RELEASE: u64 = 10;

/// The repository.
pub fn repo() -> RepoSeen {
    RepoSeen {
        key: RepoKey { forge: ForgeName("github".to_owned()), id: 1 },
        full_name: "ann/shop".into(),
        default_branch: Some("main".into()),
        owner: ann().account(),
        private: None,
        web_host: None,
    }
}

/// Events in the order in which a forge sends them.
#[derive(Default)]
pub struct Life {
    /// Changes so far.
    changes: u64,
    /// Deployments so far.
    deployments: u64,
}

impl Life {
    /// Every event of the next change, its release included, with its kind.
    pub fn change(&mut self) -> Vec<(&'static str, Event)> {
        let n = self.changes;
        self.changes += 1;
        let begin = Timestamp::UNIX_EPOCH + PACE * i32::try_from(n).unwrap_or(i32::MAX);
        let at = |seconds: i64| begin + SignedDuration::from_secs(seconds);
        let (issue, pull) = (2 * n + 1, 2 * n + 2);
        let (head, merge, before) = (sha(2, n), sha(1, n), if n == 0 { sha(0, 0) } else { sha(1, n - 1) });
        let branch = || RefName::Branch(format!("change-{n}"));
        let opened = item(issue, false, at(0), ItemChange::Opened);
        let closed = ItemSeen {
            open: false,
            closed_at: Some(at(62)),
            updated_at: at(62),
            change: ItemChange::Closed,
            ..opened.clone()
        };
        let pull = PullSeen {
            item: item(pull, true, at(20), ItemChange::Opened),
            draft: false,
            head_ref: format!("change-{n}"),
            head_sha: head.clone(),
            from_fork: false,
            base_ref: "main".into(),
            merged_at: None,
            merge_sha: None,
            merged_by: None,
            pusher: None,
            stack: StackSeen::Unsaid,
            queued: None,
        };
        let mut merged = PullSeen { merged_at: Some(at(60)), merge_sha: Some(merge.clone()), ..pull.clone() };
        merged.item = ItemSeen {
            open: false,
            closed_at: Some(at(60)),
            updated_at: at(60),
            change: ItemChange::Closed,
            ..merged.item
        };
        let main = || RefName::Branch("main".into());
        let mut all = vec![
            ("issue", event(at(0), Seen::Issue(Box::new(opened)))),
            ("push", event(at(10), push(branch(), &zero(), &head, vec![head.clone()]))),
            ("pull request", event(at(20), Seen::Pull(Box::new(pull)))),
            ("merge", event(at(60), Seen::Pull(Box::new(merged)))),
            ("push to main", event(at(61), push(main(), &before, &merge, vec![head, merge.clone()]))),
            ("issue", event(at(62), Seen::Issue(Box::new(closed)))),
        ];
        for (index, name) in (0_i64..).zip(["build", "test"]) {
            let check = CheckSeen {
                id: 10 * n + index.unsigned_abs() + 1,
                sha: merge.clone(),
                name: name.into(),
                source: CheckSource(15_368),
                source_name: "github-actions".into(),
                suite: Some(n + 1),
                started_at: at(70),
                completed: Some((at(100 + index), RunOutcome::Success)),
                ours: false,
                asked_again: false,
                url: String::new(),
            };
            all.push(("check run", event(at(100 + index), Seen::Check(check))));
        }
        if self.changes.is_multiple_of(RELEASE) {
            let tag = RefName::Tag(format!("v1.{}.0", self.changes / RELEASE));
            all.push(("tag", event(at(110), push(tag, &zero(), &merge, Vec::new()))));
            for (index, environment) in (0_i64..).zip(["staging", "production"]) {
                self.deploy(&merge, environment, at(120 + 30 * index), &mut all);
            }
        }
        all
    }

    fn deploy(&mut self, sha: &Sha, environment: &str, at: Timestamp, all: &mut Vec<(&'static str, Event)>) {
        self.deployments += 1;
        let steps = [None, Some((1, DeployState::InProgress)), Some((9, DeployState::Success))];
        for step in steps {
            let after = step.map_or(0, |(seconds, _)| seconds);
            let when = at + SignedDuration::from_secs(after);
            let id = 10 * self.deployments + after.unsigned_abs();
            let deployment = DeploymentSeen {
                id: self.deployments,
                sha: sha.clone(),
                reference: sha.to_string(),
                environment: environment.into(),
                production: Some(environment == "production"),
                created_at: at,
                creator: Some(ann()),
                run: None,
                from_fork: None,
                transient: false,
                source: None,
                status: step.map(|(_, state)| DeployStatus { at: when, id, state }),
            };
            let kind = if step.is_some() { "deployment status" } else { "deployment" };
            all.push((kind, event(when, Seen::Deployment(deployment))));
        }
    }
}

fn ann() -> Actor {
    Actor { id: Some(AccountId(2)), login: "ann".into(), bot: false }
}

fn event(at: Timestamp, seen: Seen) -> Event {
    Event { name: "replayed".into(), connection: Some(1), repo: Some(repo()), sender: Some(ann()), at, seen }
}

fn item(number: u64, is_pull: bool, at: Timestamp, change: ItemChange) -> ItemSeen {
    ItemSeen {
        number,
        is_pull,
        title: format!("Change {number}"),
        body: if is_pull { format!("Closes #{}", number - 1) } else { String::new() },
        author: Some(ann()),
        association: Association::Owner,
        created_at: at,
        updated_at: at,
        open: true,
        closed_at: None,
        close_reason: None,
        labels: Some(BTreeSet::new()),
        locked: false,
        change,
    }
}

fn push(name: RefName, before: &Sha, after: &Sha, commits: Vec<Sha>) -> Seen {
    let commits = commits.into_iter().map(|sha| CommitSeen { sha, message: "A change".into(), parents: None });
    Seen::Push(Box::new(PushSeen {
        name,
        before: before.clone(),
        after: after.clone(),
        forced: false,
        commits: commits.collect(),
        paths: std::collections::BTreeMap::new(),
        new: NewCommits::default(),
        truncated: false,
        made_from: None,
        policy_file: Some(false),
        pusher: Some(ann()),
    }))
}

/// A commit, from what it is and its number. Real ones are spread over all names.
fn sha(what: u64, n: u64) -> Sha {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(format!("{what} {n}"));
    hex::encode(&digest[..20]).parse().unwrap_or(Sha::FIRST)
}

fn zero() -> Sha {
    Sha::FIRST
}
