//! Keeps the look-up tables of [`RepoFacts`] in step with the facts.
//!
//! Entries are only added: a table may name a candidate that no longer applies. Readers check the
//! fact itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::{
    event::RefName,
    fact::{
        commit::{PushId, RefFacts},
        repo::{DocumentKey, RepoFacts},
    },
    few::Few,
    id::{ItemId, Sha},
    needs::{Answer, Closer, Need},
    version,
};

/// Look-up tables derived from the facts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Index {
    /// Pull requests by an issue that their text or linked issues name.
    pub pulls_naming: BTreeMap<ItemId, Few<ItemId>>,
    /// Commits by an issue that they close, according to their messages or to the forge.
    pub commits_closing: BTreeMap<ItemId, Few<Sha>>,
    /// Issues that the forge closed for this pull request.
    pub closed_by_pull: BTreeMap<ItemId, Few<ItemId>>,
    /// Issues that the forge closed for this commit, and when.
    pub closed_by_commit: BTreeMap<Sha, Few<(Timestamp, ItemId)>>,
    /// Pull requests by source branch (of this repository).
    pub pulls_from: BTreeMap<String, Few<ItemId>>,
    /// Pull requests by target branch.
    pub pulls_into: BTreeMap<String, BTreeSet<ItemId>>,
    /// Pull requests by merge commit.
    pub merged_as: BTreeMap<Sha, Few<ItemId>>,
    /// Merged pull requests, by time.
    pub merges: BTreeSet<(Timestamp, ItemId)>,
    /// Pull requests that revert this one.
    pub reverting_pulls: BTreeMap<ItemId, Few<ItemId>>,
    /// Commits that were cherry-picked from this one.
    pub picks: BTreeMap<Sha, Few<Sha>>,
    /// Commits whose message says that they merge this pull request, by its number.
    pub merges_named: BTreeMap<ItemId, Few<Sha>>,
    /// Commits that revert this one.
    pub reverters: BTreeMap<Sha, Few<Sha>>,
    /// Pushes whose lists contain this commit.
    pub brought_by: BTreeMap<Sha, Few<PushId>>,
    /// Pushes that brought this commit although their own lists don't contain it, each with the
    /// older end of the comparison that shows so.
    pub also_brought_by: BTreeMap<Sha, Few<(PushId, Sha)>>,
    /// Pushes that ended at this commit.
    pub ended_at: BTreeMap<Sha, Few<PushId>>,
    /// Pushes that began at this commit. An exact push that ends at one of these commits was
    /// received late: it joins two parts of the record.
    pub began_at: BTreeMap<Sha, Few<PushId>>,
    /// Pushes of branches, by time, whose own lists don't prove which commits were added or
    /// removed.
    pub unproven: BTreeSet<(Timestamp, PushId)>,
    /// Pushes that rewrote a branch, by branch: time, commit before, commit after.
    pub rewrites: BTreeMap<String, BTreeSet<(Timestamp, Sha, Sha)>>,
    /// Tags by each commit that they ever named.
    pub tags_at: BTreeMap<Sha, Few<String>>,
    /// Moves of tags in order of time.
    pub tag_moves: BTreeSet<(Timestamp, String)>,
    /// Version tags by package: version, tag.
    pub versions: BTreeMap<String, BTreeSet<(semver::Version, String)>>,
    /// Branch pushes in order of time.
    pub by_time: BTreeSet<(Timestamp, Sha, String)>,
    /// Answered ancestry queries by newer end.
    pub compared: BTreeMap<Sha, Few<Need>>,
    /// Merge groups by pull request.
    pub groups_of: BTreeMap<ItemId, Few<Sha>>,
    /// Workflow runs that changed since their deployments were last linked to their requests.
    pub runs_to_link: BTreeSet<u64>,
    /// Labelled pull requests that changed, or wait for room or permission for their environments.
    pub previews_to_make: BTreeSet<ItemId>,
    /// Version of the policy under which all labelled pull requests were last looked at.
    pub previews_seen_under: Option<String>,
    /// Version of the policy under which the notes of draft releases were last compared with what
    /// these carry; `None` if something on which their contents rest has changed since.
    pub notes_compared: Option<String>,
    /// Pull requests by each commit that was ever their head.
    pub pulls_by_head: BTreeMap<Sha, Few<ItemId>>,
    /// Merges whose push was not seen, by time.
    pub unpushed_merges: BTreeSet<(Timestamp, ItemId)>,
    /// Items on which a person ever set a phase: by command, or by a label that was a phase label
    /// when it was added.
    pub marked: BTreeSet<ItemId>,
    /// Items on which a person added or removed this label, by the label in lower case.
    pub labelled_by_people: BTreeMap<String, BTreeSet<ItemId>>,
    /// Branches and times of the pushes that changed the policy file.
    pub policy_pushes: BTreeSet<(String, Timestamp)>,
    /// Branches to which a change of the policy file was pushed.
    pub policy_branches: BTreeSet<String>,
    /// Incidents or storms by the issues that show them.
    pub shown_in: BTreeMap<ItemId, DocumentKey>,
    /// Incidents by the start of each of their alerts, by its source's clock.
    pub alert_starts: BTreeSet<(Timestamp, String)>,
    /// Issues by the time at which their state or labels were last seen.
    pub issue_changes: BTreeSet<(Timestamp, ItemId)>,
    /// The time under which `issue_changes` lists each issue.
    issue_changed_at: BTreeMap<ItemId, Timestamp>,
    /// Jobs that may still wait for our answer, by run and lower-case environment.
    pub jobs_to_answer: BTreeSet<(u64, String)>,
    /// Branches whose names refer to an issue, or that the forge links to it.
    pub branches_for: BTreeMap<ItemId, Few<String>>,
}

impl Index {
    /// Records the issue that a branch names.
    fn branch(&mut self, branch: &str) {
        if let Some(named) = crate::domain::branch::named_issue(branch) {
            self.branches_for.entry(named.issue).or_default().insert(branch.to_owned());
        }
    }

    /// Records that a tag names or named a commit.
    fn tag(&mut self, tag: &str, sha: Option<&Sha>) {
        if let Some(sha) = sha {
            self.tags_at.entry(sha.clone()).or_default().insert(tag.to_owned());
        }
        if let Some(version) = version::parse(tag) {
            let versions = self.versions.entry(version.name.to_owned()).or_default();
            versions.insert((version.semver, tag.to_owned()));
        }
    }
}

impl RepoFacts {
    /// Rebuilds every table.
    pub(super) fn rebuild_index(&mut self) {
        self.refs.values_mut().for_each(RefFacts::restore);
        // In order of time, each push finds the one before it.
        let mut pushes: Vec<_> = self.pushes.iter().map(|(id, push)| (push.at, id)).collect();
        pushes.sort_unstable();
        let keys: Vec<DocumentKey> = (self.items.keys().map(|n| DocumentKey::Item(*n)))
            .chain(self.commits.keys().cloned().map(DocumentKey::Commit))
            .chain(pushes.into_iter().map(|(_, (n, b, a))| DocumentKey::Push(n.clone(), b.clone(), a.clone())))
            .chain(self.refs.keys().cloned().map(DocumentKey::Ref))
            .chain(self.checks.keys().cloned().map(DocumentKey::Checks))
            .chain(self.groups.keys().cloned().map(DocumentKey::Group))
            .chain(self.deployments.keys().map(|id| DocumentKey::Deployment(*id)))
            .chain(self.answers.keys().cloned().map(DocumentKey::Answer))
            .chain(self.incidents.keys().cloned().map(DocumentKey::Incident))
            .chain(self.storms.keys().cloned().map(DocumentKey::Storm))
            .chain(self.waiting_jobs.keys().map(|(run, name)| DocumentKey::WaitingJob(*run, name.clone())))
            .chain([DocumentKey::Tags])
            .collect();
        for key in keys {
            self.reindex(&key);
        }
    }

    /// Adds a changed document to the tables.
    pub fn reindex(&mut self, key: &DocumentKey) {
        if self.changes_contents(key) {
            self.index.notes_compared = None;
        }
        match key {
            DocumentKey::Item(number) => self.index_item(*number),
            DocumentKey::Commit(sha) => {
                let Some(commit) = self.commits.get(sha) else { return };
                for issue in &commit.closes {
                    self.index.commits_closing.entry(*issue).or_default().insert(sha.clone());
                }
                if let Some(number) = commit.merges {
                    self.index.merges_named.entry(number).or_default().insert(sha.clone());
                }
                for origin in &commit.picked_from {
                    self.index.picks.entry(origin.clone()).or_default().insert(sha.clone());
                }
                for target in &commit.reverts {
                    self.index.reverters.entry(target.clone()).or_default().insert(sha.clone());
                }
            }
            DocumentKey::Push(name, before, after) => {
                let id = (name.clone(), before.clone(), after.clone());
                let Some(push) = self.pushes.get(&id) else { return };
                if let RefName::Branch(branch) = name {
                    let to = (!after.is_zero()).then(|| after.clone());
                    self.refs.entry(name.clone()).or_default().pushed(push.at, to);
                    self.index.branch(branch);
                }
                if after.is_zero() {
                    return;
                }
                for sha in push.commits.iter().chain([after]) {
                    self.index.brought_by.entry(sha.clone()).or_default().insert(id.clone());
                    for pull in self.index.merged_as.get(sha).into_iter().flatten() {
                        let merge = self.items.get(pull).and_then(|item| item.pull.as_ref()?.merged.as_ref());
                        if let Some(merge) = merge {
                            self.index.unpushed_merges.remove(&(merge.at, *pull));
                        }
                    }
                }
                if let RefName::Branch(branch) = name {
                    let known = self.index.ended_at.get(before).into_iter().flatten().any(|(n, _, _)| n == name);
                    if !push.is_exact() || !known {
                        self.index.unproven.insert((push.at, id.clone()));
                    }
                    if push.forced && push.moves() {
                        let rewrite = (push.at, before.clone(), after.clone());
                        self.index.rewrites.entry(branch.clone()).or_default().insert(rewrite);
                    }
                    if push.policy_file == Some(true) {
                        self.index.policy_branches.insert(branch.clone());
                        self.index.policy_pushes.insert((branch.clone(), push.at));
                    }
                    self.index.by_time.insert((push.at, after.clone(), branch.clone()));
                }
                self.index.ended_at.entry(after.clone()).or_default().insert(id.clone());
                self.index.began_at.entry(before.clone()).or_default().insert(id);
                let needs = [after, before].into_iter().filter_map(|end| self.index.compared.get(end)).flatten();
                for need in needs.cloned().collect::<Vec<_>>() {
                    self.index_comparison(&need);
                }
            }
            DocumentKey::Ref(RefName::Branch(branch)) => self.index.branch(branch),
            DocumentKey::Group(sha) => {
                if let Some(pull) = self.groups.get(sha).and_then(|g| g.pull) {
                    self.index.groups_of.entry(pull).or_default().insert(sha.clone());
                }
            }
            DocumentKey::Deployment(id) => {
                self.index.runs_to_link.extend(self.deployments.get(id).and_then(|deployment| deployment.run));
            }
            DocumentKey::Answer(need) => self.index_answer(need),
            DocumentKey::Tags => {
                for (tag, sha) in self.tags.listed.iter().flatten() {
                    self.index.tag(tag, Some(sha));
                }
            }
            DocumentKey::Ref(name @ RefName::Tag(tag)) => {
                for (at, sha) in self.refs.get(name).into_iter().flat_map(RefFacts::moves) {
                    self.index.tag_moves.insert((*at, tag.clone()));
                    self.index.tag(tag, sha.as_ref());
                }
            }
            DocumentKey::Run(id) => {
                self.index.runs_to_link.insert(*id);
                let jobs = self.waiting_jobs.range((*id, String::new())..).take_while(|((run, _), _)| run == id);
                self.index.jobs_to_answer.extend(jobs.map(|(job, _)| job.clone()));
            }
            DocumentKey::WaitingJob(run, name) => drop(self.index.jobs_to_answer.insert((*run, name.clone()))),
            DocumentKey::Incident(id) => self.index_incident(id),
            DocumentKey::Storm(id) => {
                let number = self.storms.get(id).and_then(|storm| storm.issue.number);
                self.index.shown_in.extend(number.map(|number| (number, key.clone())));
            }
            DocumentKey::About
            | DocumentKey::Release(_)
            | DocumentKey::Gate(..)
            | DocumentKey::Feedback(_)
            | DocumentKey::Heartbeat(_)
            | DocumentKey::Command(_)
            | DocumentKey::Checks(_)
            | DocumentKey::Verdicts(_)
            | DocumentKey::SchemaChange(..)
            | DocumentKey::Request(_)
            | DocumentKey::Publication(_)
            | DocumentKey::WaitingCommand(_)
            | DocumentKey::Policy => {}
        }
    }

    /// Returns whether the contents of a release may depend on a document.
    fn changes_contents(&self, key: &DocumentKey) -> bool {
        match key {
            DocumentKey::Item(number) => self.pull(*number).is_some_and(|pull| pull.merged.is_some()),
            DocumentKey::About
            | DocumentKey::Commit(_)
            | DocumentKey::Push(..)
            | DocumentKey::Ref(_)
            | DocumentKey::Tags
            | DocumentKey::Release(_)
            | DocumentKey::Answer(_) => true,
            DocumentKey::Checks(_)
            | DocumentKey::Verdicts(_)
            | DocumentKey::SchemaChange(..)
            | DocumentKey::Group(_)
            | DocumentKey::Deployment(_)
            | DocumentKey::Incident(_)
            | DocumentKey::Storm(_)
            | DocumentKey::Feedback(_)
            | DocumentKey::Heartbeat(_)
            | DocumentKey::Command(_)
            | DocumentKey::WaitingCommand(_)
            | DocumentKey::Request(_)
            | DocumentKey::Run(_)
            | DocumentKey::WaitingJob(..)
            | DocumentKey::Publication(_)
            | DocumentKey::Gate(..)
            | DocumentKey::Policy => false,
        }
    }

    fn index_item(&mut self, number: ItemId) {
        let Some(item) = self.items.get(&number) else { return };
        let index = &mut self.index;
        let by_people = || item.label_events.iter().filter(|event| !event.bot);
        for event in by_people() {
            index.labelled_by_people.entry(event.label.to_lowercase()).or_default().insert(number);
        }
        if !item.marks.is_empty() || by_people().any(|event| event.meant.is_some()) {
            index.marked.insert(number);
        }
        if !item.is_pull {
            let seen = item.labels.as_ref().map(|labels| labels.at).max(item.open.as_ref().map(|open| open.at));
            if let Some(at) = seen.max(item.gone) {
                let before = index.issue_changed_at.insert(number, at);
                before.map(|before| index.issue_changes.remove(&(before, number)));
                index.issue_changes.insert((at, number));
            }
        }
        let Some(pull) = &item.pull else { return };
        index.previews_to_make.extend(self.about.labelled_pulls.get(&number));
        for head in pull.heads.keys() {
            index.pulls_by_head.entry(head.clone()).or_default().insert(number);
        }
        if let Some(refs) = &pull.refs {
            for issue in &refs.value.closes {
                index.pulls_naming.entry(*issue).or_default().insert(number);
            }
            for target in &refs.value.reverts {
                index.reverting_pulls.entry(*target).or_default().insert(number);
            }
        }
        if let Some(shape) = &pull.shape {
            if !shape.value.from_fork {
                index.pulls_from.entry(shape.value.head_ref.clone()).or_default().insert(number);
            }
            index.pulls_into.entry(shape.value.base_ref.clone()).or_default().insert(number);
        }
        if let Some(merge) = &pull.merged {
            index.merged_as.entry(merge.sha.clone()).or_default().insert(number);
            index.merges.insert((merge.at, number));
            if !index.brought_by.contains_key(&merge.sha) {
                index.unpushed_merges.insert((merge.at, number));
            }
        }
    }

    fn index_answer(&mut self, need: &Need) {
        let Some(answered) = self.answers.get(need) else { return };
        match (need, &answered.answer) {
            (Need::Commits { head, .. }, Answer::Commits { .. }) => {
                self.index.compared.entry(head.clone()).or_default().insert(need.clone());
                self.index_comparison(need);
            }
            (Need::Closer { issue, .. }, Answer::Closer(Some(Closer::Pull(pull)))) => {
                self.index.pulls_naming.entry(*issue).or_default().insert(*pull);
                self.index.closed_by_pull.entry(*pull).or_default().insert(*issue);
            }
            (Need::Closer { issue, at }, Answer::Closer(Some(Closer::Commit(sha)))) => {
                self.index.commits_closing.entry(*issue).or_default().insert(sha.clone());
                self.index.closed_by_commit.entry(sha.clone()).or_default().insert((*at, *issue));
            }
            (Need::RunsAt { .. }, Answer::Runs(runs)) => self.index.runs_to_link.extend(runs.keys()),
            (Need::LinkedIssues { pull }, Answer::LinkedIssues(issues)) => {
                for issue in issues {
                    self.index.pulls_naming.entry(*issue).or_default().insert(*pull);
                }
            }
            (Need::LinkedBranches { issue }, Answer::LinkedBranches(branches)) => {
                for branch in branches {
                    self.index.branches_for.entry(*issue).or_default().insert(branch.clone());
                }
            }
            _ => {}
        }
    }

    /// Records what a comparison shows about pushes beyond their own lists: commits of a push whose
    /// list is cut, of a push that created a branch, and commits that arrived between two pushes in
    /// a push that was never seen.
    fn index_comparison(&mut self, need: &Need) {
        let (Need::Commits { base: Some(base), head }, Some(Answer::Commits { commits, .. })) =
            (need, self.answers.get(need).map(|known| &known.answer))
        else {
            return;
        };
        let ended = self.index.ended_at.get(head).into_iter().flatten().filter(|id| {
            let inexact = self.pushes.get(id).is_some_and(|push| !push.is_exact());
            inexact && matches!(id.0, RefName::Branch(_)) && (id.1 == *base || id.1.is_zero())
        });
        let ends_there =
            |name: &RefName| self.index.ended_at.get(base).into_iter().flatten().any(|(other, _, _)| other == name);
        let began = self.index.began_at.get(head).into_iter().flatten().filter(|id| ends_there(&id.0));
        let pushes: Vec<_> = ended.chain(began).cloned().collect();
        for push in pushes {
            for commit in commits {
                let found = self.index.also_brought_by.entry(commit.sha.clone()).or_default();
                found.insert((push.clone(), base.clone()));
            }
        }
    }
}
