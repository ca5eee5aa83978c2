//! Converts the steps of a scenario to the events that a forge would deliver.
//!
//! The world stores what a forge stores (titles, labels, branch tips, parents), so every event
//! shows the state of its time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use phasebot_core::domain::{
    alert::*,
    event::*,
    fact::deploy_request::RunFacts,
    id::*,
    needs::{Closer, RequiredCheck},
};

use super::accounts::Accounts;

/// One line of a scenario.
pub enum Act {
    Event(Box<Event>),
    Tick(Timestamp),
}

/// A parsed scenario.
pub struct Acts {
    pub lines: Vec<(String, Act)>,
    pub events: Vec<Event>,
    pub end: Timestamp,
    pub world: World,
    pub policy: Option<String>,
}

/// State of the forge.
#[derive(Default)]
pub struct World {
    pub items: BTreeMap<u64, ItemSeen>,
    pub pulls: BTreeMap<u64, PullSeen>,
    pub tips: BTreeMap<RefName, Sha>,
    pub parents: BTreeMap<Sha, Vec<Sha>>,
    pub messages: BTreeMap<Sha, String>,
    pub names: BTreeMap<String, String>,
    /// Accounts without write access.
    pub readers: BTreeSet<AccountId>,
    pub accounts: Accounts,
    pub linked: BTreeMap<u64, BTreeSet<u64>>,
    pub linked_branches: BTreeMap<u64, BTreeSet<String>>,
    /// Changes that closed issues.
    pub closers: BTreeMap<u64, Closer>,
    pub required: BTreeSet<RequiredCheck>,
    pub offline: bool,
    /// Kinds of queries that the forge refuses with 403.
    pub denied: BTreeSet<String>,
    /// Issues of a milestone, by the milestone's title.
    pub milestones: BTreeMap<String, BTreeSet<u64>>,
    /// Authors by commit; the others are by `dev`.
    pub authors: BTreeMap<Sha, BTreeSet<Account>>,
    /// Commits with an address that belongs to no account.
    pub anonymous: BTreeSet<Sha>,
    /// Accounts that started workflow runs.
    pub starters: BTreeMap<u64, BTreeSet<Account>>,
    pub signed: BTreeSet<String>,
    runs: BTreeMap<String, CheckSeen>,
    groups: BTreeMap<Sha, MergeGroupSeen>,
    deployments: BTreeMap<u64, DeploymentSeen>,
    /// Positions of branches and tags over time.
    tips_over_time: Vec<(Timestamp, RefName, Sha)>,
    /// Time of the query; `None`: the end.
    pub now: Option<Timestamp>,
    /// Creation times of workflow runs.
    workflows: BTreeMap<u64, Timestamp>,
    releases: BTreeMap<u64, ReleaseSeen>,
    /// Workflow runs without events.
    pub unheard: BTreeMap<u64, RunFacts>,
    /// Start time of each connection's alerts by group, and whether they are resolved.
    alerts: BTreeMap<(String, String, String), (Timestamp, bool)>,
    next_id: u64,
    /// Present default branch; `None`: `main`.
    default_branch: Option<String>,
}

pub fn start() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

pub fn repo() -> RepoSeen {
    RepoSeen {
        key: RepoKey { forge: ForgeName::github(), id: 7 },
        full_name: "acme/shop".into(),
        default_branch: Some("main".into()),
        owner: Accounts::default().account("acme"),
        web_host: Some("github.com".into()),
    }
}

/// Splits at spaces; keeps `"quoted words"` together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (word, tail) = if let Some(quoted) = rest.strip_prefix('"') {
            let (word, tail) = quoted.split_once('"').expect("a closing quote");
            (word.replace("\\n", "\n"), tail)
        } else {
            let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
            (word.to_owned(), tail)
        };
        words.push(word);
        rest = tail.trim_start();
    }
    words
}

/// Parses `10:00`, `10:00:30` or `2d10:00` (two days later).
fn time(word: &str) -> Option<Timestamp> {
    let (days, clock) = word.split_once('d').map_or((0, word), |(d, c)| (d.parse().unwrap_or(0), c));
    let parts: Vec<i64> = clock.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [h, m, s] = match parts[..] {
        [h, m] => [h, m, 0],
        [h, m, s] => [h, m, s],
        _ => return None,
    };
    Some(start() + SignedDuration::from_secs(((days * 24 + h) * 60 + m) * 60 + s))
}

/// Returns the word after `key`, if `key` is present.
fn after<'a>(words: &'a [String], key: &str) -> Option<&'a str> {
    words.iter().position(|w| w == key).and_then(|i| words.get(i + 1)).map(String::as_str)
}

pub fn read(steps: &str) -> Acts {
    let mut world = World { next_id: 100, ..World::default() };
    let (mut lines, mut events, mut policy) = (Vec::new(), Vec::new(), None);
    let mut end = start();
    for line in steps.lines() {
        let text = line.trim();
        if let Some(yaml) = line.strip_prefix("| ") {
            policy.get_or_insert_with(String::new).extend([yaml, "\n"]);
            continue;
        }
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let w = words(text);
        let Some(at) = time(&w[0]) else {
            world.set(&w);
            continue;
        };
        end = end.max(at);
        if w[1] == "tick" {
            lines.push((text.to_owned(), Act::Tick(at)));
            continue;
        }
        // `… unseen`: it happens, but no event is delivered.
        if w.last().is_some_and(|word| word == "unseen") {
            world.happen(at, &w[1..w.len() - 1]).unwrap_or_else(|| panic!("can't read {text:?}"));
            continue;
        }
        let (name, sender, seen) = world.happen(at, &w[1..]).unwrap_or_else(|| panic!("can't read {text:?}"));
        if let Some(branch) = after(&w, "default") {
            world.default_branch = Some(branch.to_owned());
        }
        let mut repo = repo();
        repo.default_branch = world.default_branch.clone().or(repo.default_branch);
        let event = Event {
            name,
            installation: Some(1),
            repo: Some(repo),
            sender: sender.map(|s| world.accounts.actor(&s)),
            at,
            seen,
        };
        events.push(event.clone());
        lines.push((text.to_owned(), Act::Event(Box::new(event))));
    }
    Acts { lines, events, end, world, policy }
}

impl World {
    pub fn sha(&mut self, name: &str) -> Sha {
        let hex = hex::encode(name);
        let sha = format!("{hex:0<40}");
        self.names.insert(sha[..7].to_owned(), name.to_owned());
        Sha(sha[..40].to_owned())
    }

    fn set(&mut self, w: &[String]) {
        match w[0].as_str() {
            "readers" => self.readers.extend(w[1..].iter().map(|login| self.accounts.id(login))),
            // `renamed ada bob`: the account `ada` is called `bob` from now on.
            "renamed" => self.rename(&w[1], &w[2]),
            // `anonymous c1`: its address belongs to no account.
            "anonymous" => {
                let sha = self.sha(&w[1]);
                self.anonymous.insert(sha);
            }
            // `required ci e2e@9`: `e2e` has to come from the App 9.
            "required" => self.required.extend(w[1..].iter().map(|word| {
                let (name, app) = word.split_once('@').map_or((word.as_str(), None), |(name, app)| (name, Some(app)));
                RequiredCheck { name: name.to_owned(), app: app.map(|app| app.parse().unwrap()) }
            })),
            "offline" => self.offline = true,
            "denied" => self.denied.extend(w[1..].iter().cloned()),
            "milestone" => {
                let issues = w[2..].iter().map(|n| n.parse().unwrap()).collect();
                self.milestones.insert(w[1].clone(), issues);
            }
            "author" => {
                let sha = self.sha(&w[1]);
                let people = w[2..].iter().map(|login| self.accounts.account(login)).collect::<Vec<_>>();
                self.authors.entry(sha).or_default().extend(people);
            }
            // `unheard deployment on c1 run 850 at 08:12 ends success`
            "unheard" => {
                let at = after(w, "at").and_then(time).unwrap();
                let run = RunFacts {
                    sha: self.sha(after(w, "on").unwrap()),
                    trigger: w[1].clone(),
                    outcome: after(w, "ends").and_then(outcome).unwrap_or(RunOutcome::Running),
                    title: String::new(),
                    workflow: "deploy.yml".into(),
                    created_at: at,
                    at,
                    attempt: 1,
                    url: String::new(),
                    started_by: BTreeSet::new(),
                };
                self.unheard.insert(after(w, "run").unwrap().parse().unwrap(), run);
            }
            "signed" => self.signed.extend(w[1..].iter().cloned()),
            "linked" => {
                let issues = w[2..].iter().map(|n| n.parse().unwrap()).collect();
                self.linked.insert(w[1].parse().unwrap(), issues);
            }
            // `closer 1 pull 2`, `closer 1 commit c1`
            "closer" => {
                let closer = match w[2].as_str() {
                    "pull" => Closer::Pull(w[3].parse().unwrap()),
                    _ => Closer::Commit(self.sha(&w[3])),
                };
                self.closers.insert(w[1].parse().unwrap(), closer);
            }
            "linked-branch" => {
                self.linked_branches.entry(w[1].parse().unwrap()).or_default().insert(w[2].clone());
            }
            other => panic!("unknown setting {other:?}"),
        }
    }

    /// Renames an account; later events show the new name.
    fn rename(&mut self, from: &str, to: &str) {
        let id = self.accounts.id(from);
        self.accounts.rename(from, to);
        let items = self.items.values_mut().chain(self.pulls.values_mut().map(|pull| &mut pull.item));
        for author in items.filter_map(|item| item.author.as_mut()).filter(|author| author.id == Some(id)) {
            to.clone_into(&mut author.login);
        }
    }

    /// `actor ada triggering cyd`: the accounts that started a run and that re-ran it.
    fn starters(&mut self, run: u64, w: &[String]) -> Vec<Actor> {
        let named = ["actor", "triggering"].into_iter().filter_map(|key| after(w, key));
        let found: Vec<Actor> = named.map(|login| self.accounts.actor(login)).collect();
        self.starters.entry(run).or_default().extend(found.iter().map(Actor::account));
        found
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn happen(&mut self, at: Timestamp, w: &[String]) -> Option<(String, Option<String>, Seen)> {
        let by = after(w, "by").map(str::to_owned);
        let (name, seen) = match w[0].as_str() {
            "issue" => (format!("issues.{}", w[2]), Seen::Issue(Box::new(self.item(at, w, false)?))),
            "pull" => (format!("pull_request.{}", w[2]), Seen::Pull(Box::new(self.pull(at, w)?))),
            "comment" => {
                let number: u64 = w[2].parse().ok()?;
                if !self.items.contains_key(&number) {
                    // An issue that phasebot itself opened.
                    let words = ["issue", &w[2], "edited", "by", "phasebot[bot]"].map(str::to_owned);
                    self.item(at, &words, false)?;
                }
                let item = self.items.get_mut(&number)?;
                item.updated_at = at;
                item.change = ItemChange::Other;
                let author = by.as_deref().map(|login| self.accounts.actor(login));
                let comment = CommentSeen {
                    item: item.clone(),
                    // `via codebot`: that App wrote it on behalf of its author.
                    via: after(w, "via").map(|slug| App { slug: slug.to_owned() }),
                    id: self.id(),
                    author,
                    body: w[3].clone(),
                    created_at: at,
                    created: true,
                };
                ("issue_comment.created".into(), Seen::Comment(Box::new(comment)))
            }
            // `unseen 9`: events only said that number 9 is a pull request.
            "unseen" => {
                let words = ["pull", &w[1], "edited", "by", "ann"].map(str::to_owned);
                ("issues.edited".into(), Seen::Issue(Box::new(self.item(at, &words, true)?)))
            }
            "review" => ("pull_request_review.submitted".into(), Seen::Review(Box::new(self.review(at, w)?))),
            "push" | "force-push" => ("push".into(), Seen::Push(Box::new(self.moved(at, |world| world.push(w))?))),
            "branch" => {
                let name = RefName::Branch(w[1].clone());
                let exists = w[2] == "created";
                ((if exists { "create" } else { "delete" }).into(), Seen::Ref(RefSeen { name, exists }))
            }
            "tag" => ("push".into(), Seen::Push(Box::new(self.moved(at, |world| world.tag(w))?))),
            "release" => (format!("release.{}", w[2]), Seen::Release(self.release(at, w)?)),
            "check" => (format!("check_run.{}", w[2]), Seen::Check(self.check(at, w)?)),
            // `checks rerequested on c1`: someone requests all of our checks again.
            "checks" => {
                let sha = self.sha(after(w, "on")?);
                ("check_suite.rerequested".into(), Seen::ChecksRerequested { sha })
            }
            "status" => {
                let outcome = outcome(&w[2])?;
                let sha = self.sha(after(w, "on")?);
                (
                    "status".into(),
                    Seen::Status(StatusSeen {
                        id: self.id(),
                        sha,
                        context: w[1].clone(),
                        outcome,
                        at,
                        url: String::new(),
                    }),
                )
            }
            "workflow" => {
                let sha = self.sha(after(w, "on")?);
                let suite = after(w, "suite").and_then(|s| s.parse().ok());
                // `workflow deployment on c1 run 801 [attempt 2] [titled T] [ends failure]`
                let id = after(w, "run").and_then(|n| n.parse().ok()).unwrap_or_else(|| self.id());
                let created_at = *self.workflows.entry(id).or_insert(at);
                let seen = WorkflowSeen {
                    id,
                    sha,
                    suite,
                    trigger: w[1].clone(),
                    outcome: after(w, "ends").and_then(outcome).unwrap_or(RunOutcome::Running),
                    attempt: after(w, "attempt").and_then(|n| n.parse().ok()).unwrap_or(1),
                    title: after(w, "titled").unwrap_or_default().to_owned(),
                    workflow: after(w, "file").unwrap_or("deploy.yml").to_owned(),
                    created_at: Some(created_at),
                    url: format!("https://github.com/acme/shop/actions/runs/{id}"),
                    started_by: self.starters(id, w),
                };
                ("workflow_run.requested".into(), Seen::Workflow(seen))
            }
            // `group g1 on b0 pull 2`; later `group g1 destroyed merged | invalidated | dequeued`.
            "group" => {
                let head = self.sha(&w[1]);
                let base = after(w, "on").map(str::to_owned).map(|name| self.sha(&name));
                let group = self.groups.entry(head.clone()).or_insert_with(|| MergeGroupSeen {
                    head_sha: head,
                    base_sha: base.expect("a group is built on something"),
                    base_ref: "main".into(),
                    pull: after(w, "pull").and_then(|n| n.parse().ok()),
                    end: None,
                });
                group.end = after(w, "destroyed").map(|reason| match reason {
                    "merged" => GroupEnd::Merged,
                    _ => GroupEnd::Dissolved,
                });
                let action = if group.end.is_some() { "destroyed" } else { "checks_requested" };
                (format!("merge_group.{action}"), Seen::MergeGroup(group.clone()))
            }
            "deploy" => ("deployment_status.created".into(), Seen::Deployment(self.deploy(at, w)?)),
            "protect" => {
                // `protect production run 700 [of c1] [deployment 40] [event push]`: a job waits
                // for our answer.
                let seen = ProtectionSeen {
                    of_pull: after(w, "event").is_some_and(|event| event.starts_with("pull_request")),
                    run: after(w, "run").and_then(|n| n.parse().ok()),
                    environment: w[1].clone(),
                    sha: after(w, "of").map(str::to_owned).map(|name| self.sha(&name)),
                    deployment: after(w, "deployment").and_then(|n| n.parse().ok()),
                    creator: None,
                };
                ("deployment_protection_rule.requested".into(), Seen::Protection(seen))
            }
            "alert" => ("alert".into(), self.alert(at, w)?),
            "heard" => {
                let message = Message { connection: w[1].clone(), at, says: Says::Heartbeat };
                ("alert".into(), Seen::Alert(Box::new(message)))
            }
            "feedback" => {
                let feedback = Feedback {
                    key: w[2].clone(),
                    title: w[3].clone(),
                    text: w.get(4).cloned().unwrap_or_default(),
                    url: None,
                    labels: BTreeMap::new(),
                };
                let message = Message { connection: w[1].clone(), at, says: Says::Feedback(feedback) };
                ("alert".into(), Seen::Alert(Box::new(message)))
            }
            "repository" => {
                let change = if w[1] == "deleted" { RepositoryChange::Deleted } else { RepositoryChange::Described };
                (format!("repository.{}", w[1]), Seen::Repository(change))
            }
            _ => return None,
        };
        Some((name, by, seen))
    }

    /// `alert prod cart a=firing b=over [labels env=production,…] [left 3] [title T] [endless]
    /// [sent 10:00]`: a message of connection `prod` about its group `cart`. The alert
    /// `a=firing@09:58` began at 09:58.
    fn alert(&mut self, at: Timestamp, w: &[String]) -> Option<Seen> {
        let labels = |text: &str| -> BTreeMap<String, String> {
            let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let sent = after(w, "sent").and_then(time).unwrap_or(at);
        let mut group = Group {
            key: w[2].clone(),
            title: after(w, "title").map(str::to_owned),
            text: None,
            url: None,
            labels: after(w, "labels").map(labels).unwrap_or_default(),
            alerts: Vec::new(),
            left_out: after(w, "left").and_then(|n| n.parse().ok()).unwrap_or(0),
            tells_end: !w.iter().any(|word| word == "endless"),
        };
        let stop = w.iter().position(|word| ["labels", "left", "title", "endless", "sent"].contains(&word.as_str()));
        for word in &w[3..stop.unwrap_or(w.len())] {
            let (fingerprint, state) = word.split_once('=')?;
            let (state, when) = state.split_once('@').map_or((state, None), |(state, when)| (state, time(when)));
            let key = (w[1].clone(), w[2].clone(), fingerprint.to_owned());
            let (since, over) = self.alerts.get(&key).copied().unwrap_or((sent, true));
            let firing = state == "firing";
            let since = if firing { when.unwrap_or(if over { sent } else { since }) } else { since };
            self.alerts.insert(key, (since, !firing));
            group.alerts.push(Alert {
                fingerprint: fingerprint.to_owned(),
                firing,
                started_at: since,
                ended_at: (!firing).then(|| when.unwrap_or(sent)),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
                url: None,
                silence_url: None,
            });
        }
        Some(Seen::Alert(Box::new(Message { connection: w[1].clone(), at: sent, says: Says::Group(group) })))
    }

    fn item(&mut self, at: Timestamp, w: &[String], is_pull: bool) -> Option<ItemSeen> {
        let number: u64 = w[1].parse().ok()?;
        let author = after(w, "by").map(|login| self.accounts.actor(login));
        let association = match author.as_ref().map(|a| a.login.as_str()) {
            Some("acme") => Association::Owner,
            _ if w.iter().any(|word| word == "member") => Association::Member,
            _ => Association::Other,
        };
        let item = self.items.entry(number).or_insert_with(|| ItemSeen {
            number,
            is_pull,
            title: format!("Item {number}"),
            body: String::new(),
            author,
            association,
            created_at: at,
            updated_at: at,
            open: true,
            closed_at: None,
            close_reason: None,
            labels: Some(BTreeSet::new()),
            locked: false,
            change: ItemChange::Opened,
        });
        item.updated_at = at;
        if let Some(body) = after(w, "body") {
            body.clone_into(&mut item.body);
        }
        if let Some(title) = after(w, "title") {
            title.clone_into(&mut item.title);
        }
        if let Some(since) = after(w, "since") {
            item.created_at = time(since)?;
        }
        let labels = item.labels.get_or_insert_default();
        labels.extend(after(w, "labels").into_iter().flat_map(|names| names.split(',')).map(str::to_owned));
        item.change = match w[2].as_str() {
            "opened" => ItemChange::Opened,
            "closed" | "merged" => {
                item.open = false;
                item.closed_at = Some(at);
                item.close_reason = Some(match after(w, "as") {
                    Some("not_planned") => CloseReason::NotPlanned,
                    Some("duplicate") => CloseReason::Duplicate,
                    _ => CloseReason::Completed,
                });
                ItemChange::Closed
            }
            "reopened" => {
                item.open = true;
                item.closed_at = None;
                item.close_reason = None;
                ItemChange::Reopened
            }
            "labeled" => {
                labels.insert(w[3].clone());
                ItemChange::Labeled(w[3].clone())
            }
            "unlabeled" => {
                labels.remove(&w[3]);
                ItemChange::Unlabeled(w[3].clone())
            }
            "deleted" | "transferred" => ItemChange::Gone,
            _ => ItemChange::Other,
        };
        if w[2] == "locked" {
            item.locked = true;
        }
        Some(item.clone())
    }

    fn pull(&mut self, at: Timestamp, w: &[String]) -> Option<PullSeen> {
        let item = self.item(at, w, true)?;
        let number = item.number;
        // `at c1`: its head is an existing commit.
        let head = after(w, "at").map_or_else(|| format!("h{number}"), str::to_owned);
        let head = self.sha(&head);
        let merge = after(w, "as").map(str::to_owned).map(|name| self.sha(&name));
        let pull = self.pulls.entry(number).or_insert_with(|| PullSeen {
            item: item.clone(),
            draft: w.iter().any(|x| x == "draft"),
            head_ref: after(w, "head").unwrap_or("topic").to_owned(),
            head_sha: head,
            from_fork: w.iter().any(|x| x == "fork"),
            base_ref: after(w, "base").unwrap_or("main").to_owned(),
            merged_at: None,
            merge_sha: None,
            merged_by: None,
            pusher: None,
        });
        // Account that pushed a new head: `synchronize … by bob`.
        pull.pusher = after(w, "by").filter(|_| w[2] == "synchronize").map(|login| self.accounts.actor(login));
        if pull.from_fork {
            // Forges find a fork's commits under every repository's name.
            let base = self.tips.get(&RefName::Branch(pull.base_ref.clone())).cloned();
            self.parents.entry(pull.head_sha.clone()).or_insert_with(|| base.into_iter().collect());
        }
        pull.item = item;
        match w[2].as_str() {
            "merged" => {
                pull.merged_at = Some(at);
                pull.merge_sha = merge;
                pull.merged_by = after(w, "by").map(|login| self.accounts.actor(login));
            }
            "ready_for_review" => pull.draft = false,
            "synchronize" => pull.head_sha = merge.unwrap_or_else(|| pull.head_sha.clone()),
            _ => {}
        }
        Some(pull.clone())
    }

    fn review(&mut self, at: Timestamp, w: &[String]) -> Option<ReviewSeen> {
        let number: u64 = w[1].parse().ok()?;
        let id = self.id();
        let pull = self.pulls.get_mut(&number)?;
        pull.item.updated_at = at;
        pull.item.change = ItemChange::Other;
        let verdict = match w[2].as_str() {
            "approved" => Verdict::Approved,
            "rejected" => Verdict::ChangesRequested,
            _ => Verdict::Commented,
        };
        Some(ReviewSeen {
            pull: PullSeen { pusher: None, ..pull.clone() },
            id,
            reviewer: after(w, "by").map(|login| self.accounts.actor(login)),
            association: if w.iter().any(|word| word == "member") { Association::Member } else { Association::Other },
            verdict,
            commit: Some(pull.head_sha.clone()),
            submitted_at: at,
            body: String::new(),
            node: Some(format!("node-{id}")),
            submitted: true,
        })
    }

    /// `push main c1 "message" m1 [policy]`: commits in order, each on top of the previous one;
    /// `policy`: one of them changes the policy file.
    fn push(&mut self, w: &[String]) -> Option<PushSeen> {
        let name = RefName::Branch(w[1].clone());
        let zero = Sha("0".repeat(40));
        let before = self.tips.get(&name).cloned().unwrap_or_else(|| zero.clone());
        let mut tip = match after(w, "from") {
            Some(from) => self.sha(from),
            None => before.clone(),
        };
        let mut commits: Vec<CommitSeen> = Vec::new();
        let stop = w.iter().position(|x| ["from", "by", "policy", "cut"].contains(&x.as_str())).unwrap_or(w.len());
        let mut merges: Option<Sha> = None;
        for word in &w[2..stop] {
            if word.contains(' ') || word.contains('#') {
                let mut text = word.clone();
                for part in word.split(|c: char| !c.is_ascii_alphanumeric()) {
                    // `commit c1` in a message is replaced with the commit's object name.
                    if let Some(name) = part.strip_prefix("SHA") {
                        text = text.replace(part, &self.sha(name).0);
                    }
                }
                commits.last_mut()?.message = text;
                continue;
            }
            if let Some(other) = word.strip_prefix("merge:") {
                merges = Some(self.sha(other));
                continue;
            }
            let sha = self.sha(word);
            let mut parents: Vec<Sha> = if tip.is_zero() { Vec::new() } else { vec![tip.clone()] };
            parents.extend(merges.take());
            self.parents.insert(sha.clone(), parents);
            tip = sha.clone();
            commits.push(CommitSeen { sha, message: format!("commit {word}"), parents: None });
        }
        for commit in &commits {
            self.messages.insert(commit.sha.clone(), commit.message.clone());
        }
        self.tips.insert(name.clone(), tip.clone());
        let forced = w[0] == "force-push";
        // Commits of a push: all that the new head has and the old one has not.
        let (old, mut all) = (self.ancestors(&before), Vec::new());
        for sha in self.ancestors(&tip).difference(&old) {
            let message = self.messages.get(sha).cloned().unwrap_or_default();
            all.push(CommitSeen { sha: sha.clone(), message, parents: None });
        }
        if before.is_zero() {
            all = commits;
        }
        // `cut`: the list contains only the last commit.
        let truncated = w.iter().any(|x| x == "cut");
        if truncated {
            all.retain(|commit| commit.sha == tip);
        }
        // `from c1 of develop`: a new branch without a commit of its own.
        let made_from = after(w, "of").map(str::to_owned);
        Some(PushSeen {
            name,
            before,
            after: tip,
            forced,
            commits: all,
            truncated,
            made_from,
            policy_file: Some(w.iter().any(|x| x == "policy")),
            pusher: Some(self.accounts.actor(after(w, "by").unwrap_or("dev"))),
        })
    }

    fn moved(&mut self, at: Timestamp, how: impl FnOnce(&mut Self) -> Option<PushSeen>) -> Option<PushSeen> {
        let push = how(self)?;
        self.tips_over_time.push((at, push.name.clone(), push.after.clone()));
        Some(push)
    }

    /// Returns the position of a branch or tag at the time of the query.
    pub fn tip(&self, place: &RefName) -> Option<&Sha> {
        let then = |(at, name, _): &&(Timestamp, RefName, Sha)| name == place && self.now.is_none_or(|now| *at <= now);
        let last = self.tips_over_time.iter().rfind(then).map(|(_, _, sha)| sha);
        last.filter(|sha| !sha.is_zero())
    }

    pub fn ancestors(&self, sha: &Sha) -> BTreeSet<Sha> {
        let mut seen = BTreeSet::new();
        let mut open = vec![sha.clone()];
        while let Some(sha) = open.pop() {
            if !sha.is_zero() && seen.insert(sha.clone()) {
                open.extend(self.parents.get(&sha).into_iter().flatten().cloned());
            }
        }
        seen
    }

    fn tag(&mut self, w: &[String]) -> Option<PushSeen> {
        let name = RefName::Tag(w[1].clone());
        let zero = Sha("0".repeat(40));
        let before = self.tips.get(&name).cloned().unwrap_or_else(|| zero.clone());
        let to = match w[2].as_str() {
            "deleted" => zero,
            _ => self.sha(after(w, "at")?),
        };
        self.tips.insert(name.clone(), to.clone());
        let forced = !before.is_zero() && !to.is_zero();
        Some(PushSeen {
            name,
            before,
            after: to,
            forced,
            commits: Vec::new(),
            truncated: false,
            made_from: None,
            policy_file: Some(false),
            pusher: None,
        })
    }

    fn release(&mut self, at: Timestamp, w: &[String]) -> Option<ReleaseSeen> {
        let id: u64 = w[1].parse().ok()?;
        // `release 5 created v1.0.0 [of c1]`: from `main`, or from that commit.
        let target = after(w, "of").map_or_else(|| "main".to_owned(), |name| self.sha(name).0);
        let release = self.releases.entry(id).or_insert_with(|| ReleaseSeen {
            id,
            tag: w.get(3).cloned().unwrap_or_default(),
            target,
            draft: true,
            prerelease: w.iter().any(|x| x == "prerelease"),
            published_at: None,
            withdrawn: false,
        });
        match w[2].as_str() {
            "published" => {
                release.draft = false;
                release.published_at = Some(at);
            }
            "deleted" => release.withdrawn = true,
            _ => {}
        }
        Some(release.clone())
    }

    /// `check ci running on m1` starts a run; a later `check ci success on m1` ends it.
    fn check(&mut self, at: Timestamp, w: &[String]) -> Option<CheckSeen> {
        let sha = self.sha(after(w, "on")?);
        let key = format!("{} {sha} {} {}", w[1], after(w, "app").unwrap_or(""), after(w, "suite").unwrap_or(""));
        let how = outcome(&w[2])?;
        let begins = how == RunOutcome::Running || !self.runs.contains_key(&key);
        if begins {
            let fresh = CheckSeen {
                app_slug: after(w, "slug").unwrap_or_default().to_owned(),
                id: self.id(),
                sha,
                name: w[1].clone(),
                app: after(w, "app").and_then(|a| a.parse().ok()).unwrap_or(15368),
                suite: after(w, "suite").and_then(|s| s.parse().ok()),
                started_at: at,
                completed: None,
                ours: w.iter().any(|x| x == "ours"),
                asked_again: false,
                url: format!("https://ci.example.com/{}", w[1].replace(' ', "-")),
            };
            self.runs.insert(key.clone(), fresh);
        }
        let run = self.runs.get_mut(&key)?;
        if how != RunOutcome::Running {
            run.completed = Some((at, how));
        }
        Some(run.clone())
    }

    /// `deploy 9 production of m1 in_progress [flagged] [run 801] [ref refs/pull/3/merge] [of-repo
    /// fork]`: a deployment status.
    fn deploy(&mut self, at: Timestamp, w: &[String]) -> Option<DeploymentSeen> {
        let id: u64 = w[1].parse().ok()?;
        let sha = after(w, "of").map(str::to_owned).map(|name| self.sha(&name));
        let status_id = self.id();
        let deployment = self.deployments.entry(id).or_insert_with(|| DeploymentSeen {
            from_fork: after(w, "of-repo").map(|whose| whose == "fork"),
            id,
            sha: sha.clone().unwrap_or_else(|| panic!("deployment {id} of what?")),
            // `ref refs/pull/3/merge`: a pull request's job created it.
            reference: after(w, "ref").unwrap_or("main").to_owned(),
            environment: w[2].clone(),
            production: Some(w[2].eq_ignore_ascii_case("production") || w.iter().any(|x| x == "flagged")),
            created_at: at,
            creator: after(w, "creator").map(|login| self.accounts.actor(login)),
            run: after(w, "run").and_then(|n| n.parse().ok()),
            status: None,
        });
        let state = w.iter().find_map(|x| match x.as_str() {
            "waiting" => Some(DeployState::Waiting),
            "in_progress" => Some(DeployState::InProgress),
            "success" => Some(DeployState::Success),
            "failure" => Some(DeployState::Failure),
            "inactive" => Some(DeployState::Inactive),
            _ => None,
        });
        deployment.status = state.map(|state| DeployStatus { at, id: status_id, state });
        Some(deployment.clone())
    }
}

fn outcome(word: &str) -> Option<RunOutcome> {
    Some(match word {
        "running" | "pending" => RunOutcome::Running,
        "success" => RunOutcome::Success,
        "failure" => RunOutcome::Failure,
        "cancelled" => RunOutcome::Cancelled,
        "skipped" => RunOutcome::Skipped,
        _ => return None,
    })
}
