//! The life of one repository as GitHub's webhooks tell it: an issue, its pull
//! request, the merge, two checks; each tenth change is tagged and deployed to
//! two environments.

use hmac::Mac;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    body::{self, SECRET},
    load::Delivery,
};

/// The repository's number.
const REPOSITORY: u64 = 700_000_001;
/// Time from one change to the next.
const PACE: SignedDuration = SignedDuration::from_mins(4);
/// Changes in one release.
pub const RELEASE: u64 = 10;

/// The policy of the bench: gates and environments that phasebot knows, for each of so many services,
/// or for none.
pub fn policy(services: u64) -> String {
    let each = |service: u64| (service, prefix(services, service));
    let claims = |(service, prefix): (u64, String)| {
        let globs = format!("paths: ['s{service}/**'], tags: ['{prefix}v*'], environments: ['{prefix}*']");
        format!("  s{service}: {{ {globs} }}\n")
    };
    let environments = |(_, prefix): (u64, String)| {
        format!(
            "  {prefix}staging: {{ deploy: {{ via: deployment }} }}
  {prefix}production:
    production: true
    after: [{prefix}staging]
    deploy: {{ via: deployment }}
    require:
      - deployed: {{ environment: {prefix}staging, soak: 10m }}
"
        )
    };
    let claims: String = (0..services).map(each).map(claims).collect();
    let named = if services == 0 { String::new() } else { format!("services:\n{claims}") };
    let environments: String = (0..services.max(1)).map(each).map(environments).collect();
    format!("version: 1\nmode: act\n{named}environments:\n{environments}")
}

/// What tags and environments of a service begin with.
pub fn prefix(services: u64, service: u64) -> String {
    if services == 0 { String::new() } else { format!("s{service}-") }
}

/// The deliveries of one repository, in the order in which GitHub sends them.
pub struct Life {
    /// When the first change begins.
    start: Timestamp,
    /// Changes so far.
    changes: u64,
    /// Where `main` stands.
    main: String,
    /// Deployments so far.
    deployments: u64,
    /// Services, each of which gets every so many changes and releases; 0: the repository has none.
    services: u64,
}

impl Life {
    /// A repository of so many services whose `changes` end at `end`.
    pub fn new(changes: u64, services: u64, end: Timestamp) -> Self {
        let whole = PACE * i32::try_from(changes).unwrap_or(i32::MAX);
        Self { start: end - whole, changes: 0, main: sha("root", 0), deployments: 0, services }
    }

    /// The same repository, whose first change has the number `first`.
    pub fn starting_at(first: u64, end: Timestamp) -> Self {
        Self {
            changes: first,
            deployments: first,
            start: end - PACE * i32::try_from(first).unwrap_or(i32::MAX),
            ..Self::new(0, 0, end)
        }
    }

    /// Every delivery of the next change, its release included.
    pub fn change(&mut self) -> Vec<Delivery> {
        let n = self.changes;
        self.changes += 1;
        let begin = self.start + PACE * i32::try_from(n).unwrap_or(i32::MAX);
        let at = |seconds: i64| begin + SignedDuration::from_secs(seconds);
        let (issue, pull) = (2 * n + 1, 2 * n + 2);
        let (head, merge) = (sha("head", n), sha("merge", n));
        let branch = format!("change-{n}");
        let file =
            if self.services == 0 { "src/main.rs".to_owned() } else { format!("s{}/main.rs", n % self.services) };
        let mut all = vec![
            event("issues", json!({ "action": "opened", "issue": item(issue, "", at(0), at(0), None) })),
            push(&format!("refs/heads/{branch}"), &zero(), &head, &[(&head, "A change")], &file, at(10)),
            event(
                "pull_request",
                json!({
                    "action": "opened",
                    "pull_request": pull_request(pull, issue, &branch, &head, &self.main, at(20), at(20), None),
                }),
            ),
            event(
                "pull_request",
                json!({
                    "action": "closed",
                    "pull_request": pull_request(pull, issue, &branch, &head, &self.main, at(20), at(60), Some(&merge)),
                }),
            ),
            push(
                "refs/heads/main",
                &self.main,
                &merge,
                &[(&head, "A change"), (&merge, &format!("Merge pull request #{pull}"))],
                &file,
                at(61),
            ),
            event("issues", json!({ "action": "closed", "issue": item(issue, "", at(0), at(62), Some(at(62))) })),
        ];
        for (index, name) in (0_i64..).zip(["build", "test"]) {
            all.push(event(
                "check_run",
                json!({
                    "action": "completed",
                    "check_run": {
                        "id": 10 * n + index.unsigned_abs() + 1,
                        "head_sha": merge,
                        "name": name,
                        "status": "completed",
                        "conclusion": "success",
                        "started_at": at(70),
                        "completed_at": at(100 + index),
                        "app": { "id": 15_368 },
                        "check_suite": { "id": n + 1 },
                    },
                }),
            ));
        }
        self.main = merge;
        if self.changes.is_multiple_of(RELEASE) {
            let release = self.changes / RELEASE;
            let prefix = prefix(self.services, release % self.services.max(1));
            let tag = format!("{prefix}v1.{release}.0");
            all.push(push(&format!("refs/tags/{tag}"), &zero(), &self.main, &[], &file, at(110)));
            for (index, environment) in (0_i64..).zip(["staging", "production"]) {
                all.extend(self.deploy(&format!("{prefix}{environment}"), at(120 + 30 * index)));
            }
        }
        all
    }

    /// A comment with a command on the newest issue.
    pub fn comment(&self, line: &str, at: Timestamp) -> Delivery {
        let issue = (2 * self.changes).saturating_sub(1);
        event(
            "issue_comment",
            json!({
                "action": "created",
                "issue": item(issue, "", at, at, None),
                "comment": {
                    "id": 900_000_000 + self.changes,
                    "user": user(),
                    "body": line,
                    "created_at": at,
                    "updated_at": at,
                },
            }),
        )
    }

    fn deploy(&mut self, environment: &str, at: Timestamp) -> Vec<Delivery> {
        self.deployments += 1;
        let deployment = |seconds: i64| {
            json!({
                "id": self.deployments,
                "sha": self.main,
                "ref": self.main,
                "environment": environment,
                "production_environment": environment.ends_with("production"),
                "created_at": at,
                "updated_at": at + SignedDuration::from_secs(seconds),
                "creator": user(),
            })
        };
        let status = |seconds: i64, state: &str| {
            let at = at + SignedDuration::from_secs(seconds);
            event(
                "deployment_status",
                json!({
                    "action": "created",
                    "deployment": deployment(seconds),
                    "deployment_status": {
                        "id": 10 * self.deployments + seconds.unsigned_abs(),
                        "state": state,
                        "environment": environment,
                        "created_at": at,
                        "updated_at": at,
                    },
                }),
            )
        };
        vec![
            event("deployment", json!({ "action": "created", "deployment": deployment(0) })),
            status(1, "in_progress"),
            status(9, "success"),
        ]
    }
}

/// A commit's name, from what it is and its number.
fn sha(what: &str, n: u64) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(format!("{what} {n}"));
    hex::encode(&digest[..20])
}

fn zero() -> String {
    "0".repeat(40)
}

fn user() -> Value {
    json!({ "login": "ann", "id": 9_000_002, "type": "User" })
}

fn item(number: u64, body: &str, created: Timestamp, updated: Timestamp, closed: Option<Timestamp>) -> Value {
    json!({
        "id": 3_000_000_000 + number,
        "number": number,
        "title": format!("Change {number}"),
        "body": body,
        "user": user(),
        "author_association": "OWNER",
        "created_at": created,
        "updated_at": updated,
        "closed_at": closed,
        "state": if closed.is_some() { "closed" } else { "open" },
        "state_reason": closed.map(|_| "completed"),
        "labels": [],
        "locked": false,
    })
}

#[expect(clippy::too_many_arguments, reason = "a payload has that many parts")]
fn pull_request(
    number: u64,
    issue: u64,
    branch: &str,
    head: &str,
    base: &str,
    created: Timestamp,
    updated: Timestamp,
    merge: Option<&str>,
) -> Value {
    let closed = merge.map(|_| updated);
    let mut pull = item(number, &format!("Closes #{issue}"), created, updated, closed);
    let repository = json!({ "id": REPOSITORY, "full_name": "ann/shop" });
    let more = json!({
        "draft": false,
        "head": { "ref": branch, "sha": head, "repo": repository },
        "base": { "ref": "main", "sha": base, "repo": repository },
        "merged": merge.is_some(),
        "merged_at": closed,
        "merge_commit_sha": merge,
        "merged_by": merge.map(|_| user()),
    });
    if let (Value::Object(pull), Value::Object(more)) = (&mut pull, more) {
        pull.extend(more);
    }
    pull
}

fn push(reference: &str, before: &str, after: &str, commits: &[(&str, &str)], file: &str, at: Timestamp) -> Delivery {
    let commit = |(id, message): &(&str, &str)| json!({ "id": id, "message": message, "timestamp": at, "added": [], "modified": [file], "removed": [] });
    let mut body = json!({
        "ref": reference,
        "before": before,
        "after": after,
        "created": before == zero(),
        "deleted": false,
        "forced": false,
        "commits": commits.iter().map(commit).collect::<Vec<_>>(),
        "head_commit": commit(&(after, "")),
    });
    body["pushed_at"] = json!(at.as_second());
    event("push", body)
}

/// A signed delivery.
fn event(name: &'static str, mut body: Value) -> Delivery {
    let pushed_at = body.get("pushed_at").cloned();
    body["repository"] = json!({
        "id": REPOSITORY,
        "name": "shop",
        "full_name": "ann/shop",
        "owner": { "login": "ann", "id": 9_000_002, "type": "User" },
        "default_branch": "main",
    });
    if let Some(at) = pushed_at {
        body["repository"]["pushed_at"] = at;
    }
    body["sender"] = user();
    body["installation"] = json!({ "id": 1000 });
    let body = body.to_string().into_bytes();
    let mut signed = body::key(SECRET);
    signed.update(&body);
    Delivery { event: name, body, signature: hex::encode(signed.finalize().into_bytes()) }
}
