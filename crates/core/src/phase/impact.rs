//! Impact: the items that an event concerns.
//!
//! Too many items cost time, too few lose a phase change. So each kind of fact names every item
//! that it can possibly affect, and the derivation decides.

use std::collections::BTreeSet;

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        event::RefName,
        fact::DocumentKey,
        id::{ItemId, Sha},
        needs::{Answer, Need},
        policy::EvidenceKind,
    },
    evidence::pre_merge::LATER_COMMITS,
};

/// Maximum depth to which reverts of reverts are followed.
pub(crate) const REVERT_DEPTH: usize = 4;

impl EvalContext<'_> {
    /// Adds the items that a changed document can affect.
    pub(crate) fn concerned(&self, key: &DocumentKey, items: &mut BTreeSet<ItemId>) {
        match key {
            DocumentKey::Item(number) => {
                items.insert(*number);
                self.with_pull(*number, items, REVERT_DEPTH);
                self.with_named_merges(*number, items);
            }
            DocumentKey::Commit(sha) => self.with_commit(sha, items, REVERT_DEPTH),
            DocumentKey::Push(..) => self.concerned_by_push(key, false, items),
            DocumentKey::Ref(RefName::Branch(branch)) => self.with_branch(branch, items),
            DocumentKey::Ref(RefName::Tag(tag)) => self.with_tag(tag, items),
            DocumentKey::Deployment(id) => self.with_deployment(*id, items),
            // The workflow of a run decides whether the deployment of its job counts.
            DocumentKey::Run(run) => {
                for id in self.facts.deployments.index().by_run.of(run) {
                    self.with_deployment(*id, items);
                }
            }
            DocumentKey::Release(id) => self.with_release(*id, items),
            DocumentKey::About => self.landed(items),
            DocumentKey::Checks(sha) => self.with_checks(sha, items),
            DocumentKey::Group(sha) => {
                if let Some(pull) = self.facts.groups.get(sha).and_then(|g| g.pull) {
                    self.with_pull(pull, items, 0);
                }
            }
            DocumentKey::Command(id) => drop(items.insert(id.item)),
            DocumentKey::Answer(Need::Commits { base: Some(base), head }) => self.with_comparison(base, head, items),
            DocumentKey::Answer(Need::TagCommit { tag }) => {
                for release in self.facts.releases.index().by_tag.of(tag) {
                    self.with_release(*release, items);
                }
            }
            DocumentKey::Answer(Need::FilesOfPull { pull }) => self.with_pull(*pull, items, 0),
            DocumentKey::Answer(Need::FilesOfCommit { sha }) => self.with_commit(sha, items, 0),
            // Other answers are learnt while the items that asked are derived, and a changed policy
            // derives items on its own.
            DocumentKey::Answer(_)
            | DocumentKey::Policy
            // Deploys affect items through the deployments that they create.
            | DocumentKey::Request(_)
            | DocumentKey::Publication(_)
            | DocumentKey::Gate(..)
            // Verdicts concern gates alone.
            | DocumentKey::Verdicts(_)
            | DocumentKey::SchemaChange(..)
            | DocumentKey::WaitingCommand(_)
            | DocumentKey::WaitingJob(..)
            // The incident reconciler derives the disturbed items: most messages change nothing.
            | DocumentKey::Incident(_)
            | DocumentKey::Storm(_)
            | DocumentKey::Feedback(_)
            | DocumentKey::Heartbeat(_)
            | DocumentKey::Tags => {}
        }
    }

    /// Adds the items that a push can affect. `late` means that it joins two parts of the record,
    /// so that it may settle any open question.
    pub(crate) fn concerned_by_push(&self, key: &DocumentKey, late: bool, items: &mut BTreeSet<ItemId>) {
        let DocumentKey::Push(name, before, after) = key else { return };
        let Some(push) = self.facts.pushes.get(&(name.clone(), before.clone(), after.clone())) else { return };
        if let RefName::Branch(branch) = name {
            self.with_branch(branch, items);
        }
        if late {
            self.landed(items);
        }
        // More is now known about tags and deployments that point to the head of the push.
        if push.is_exact() {
            for tag in self.facts.index.tags_at.get(after).into_iter().flatten() {
                self.with_tag(tag, items);
            }
            for deployment in self.facts.deployments.index().by_commit.of(after) {
                self.with_deployment(*deployment, items);
            }
        }
        // The checks on its head now count for what the branch held before, proven or to be asked.
        if self.facts.checks.contains_key(after) {
            self.with_checks(after, items);
        }
        for sha in push.commits.iter().chain([after]) {
            self.with_commit(sha, items, REVERT_DEPTH);
        }
        if push.forced && self.listed_ref(name) {
            for sha in self.known_commits_between(after, before).into_iter().flatten() {
                self.with_commit(sha, items, REVERT_DEPTH);
            }
        }
    }

    /// Adds the items of commits that a comparison adds to the lists of pushes.
    fn with_comparison(&self, base: &Sha, head: &Sha, items: &mut BTreeSet<ItemId>) {
        let index = &self.facts.index;
        let pushes = [&index.ended_at, &index.began_at].into_iter().filter_map(|table| table.get(head)).flatten();
        if !pushes.into_iter().any(|(name, _, _)| self.listed_ref(name)) {
            return;
        }
        let need = Need::Commits { base: Some(base.clone()), head: head.clone() };
        let Some(Answer::Commits { commits, .. }) = self.facts.answers.get(&need).map(|known| &known.answer) else {
            return;
        };
        let rewritten = index.began_at.get(head).into_iter().flatten().any(|(_, _, after)| after == base);
        for sha in commits.iter().map(|commit| &commit.sha) {
            if rewritten || index.also_brought_by.contains_key(sha) {
                self.with_commit(sha, items, REVERT_DEPTH);
            }
        }
    }

    /// Adds the items closed by commits that name an item as the pull request they merge, once that
    /// item turns out not to be one.
    fn with_named_merges(&self, number: ItemId, items: &mut BTreeSet<ItemId>) {
        let Some(merges) = self.facts.index.merges_named.get(&number) else { return };
        if self.facts.pull(number).is_some_and(|pull| pull.merged.is_some()) {
            return;
        }
        for sha in merges {
            for id in self.facts.index.brought_by.get(sha).into_iter().flatten() {
                let push = self.facts.pushes.get(id);
                for commit in push.into_iter().flat_map(|push| &push.commits).chain([sha]) {
                    self.with_commit(commit, items, REVERT_DEPTH);
                }
            }
        }
    }

    /// Adds a pull request, the issues that it closes, and the items stacked on it or reverted by
    /// it.
    pub(crate) fn with_pull(&self, number: ItemId, items: &mut BTreeSet<ItemId>, depth: usize) {
        let Some(pull) = self.facts.pull(number) else { return };
        items.insert(number);
        items.extend(self.named_issues(number));
        let Some(depth) = depth.checked_sub(1) else { return };
        if let Some(shape) = pull.shape.as_ref().map(|s| &s.value).filter(|s| !s.from_fork) {
            for above in self.facts.index.pulls_into.get(&shape.head_ref).into_iter().flatten() {
                if !items.contains(above) {
                    self.with_pull(*above, items, depth);
                }
            }
        }
        for target in pull.refs.iter().flat_map(|r| &r.value.reverts) {
            self.with_pull(*target, items, depth);
        }
        if let Some(commit) = pull.merged.as_ref().and_then(|m| self.facts.commits.get(&m.sha)) {
            for target in &commit.reverts {
                self.with_commit(target, items, depth);
            }
        }
    }

    /// Adds the items that a commit merges, picks or reverts.
    pub(crate) fn with_commit(&self, sha: &Sha, items: &mut BTreeSet<ItemId>, depth: usize) {
        for pull in self.facts.index.merged_as.get(sha).into_iter().flatten() {
            self.with_pull(*pull, items, depth.min(1));
        }
        items.extend(self.closed_by(sha));
        let Some(commit) = self.facts.commits.get(sha) else { return };
        let Some(depth) = depth.checked_sub(1) else { return };
        for other in commit.picked_from.iter().chain(&commit.reverts) {
            self.with_commit(other, items, depth);
            for (name, _, _) in self.facts.index.brought_by.get(other).into_iter().flatten() {
                for pull in self.facts.index.pulls_from.get(name.name()).into_iter().flatten() {
                    self.with_pull(*pull, items, 0);
                }
            }
            for pull in self.facts.pulls_with_head(other) {
                self.with_pull(pull, items, 0);
            }
        }
    }

    fn with_branch(&self, branch: &str, items: &mut BTreeSet<ItemId>) {
        let named = crate::domain::branch::named_issue(branch).map(|n| n.issue);
        items.extend(named.filter(|n| self.facts.items.contains_key(n)));
        for pull in self.facts.index.pulls_from.get(branch).into_iter().flatten() {
            self.with_pull(*pull, items, 0);
        }
    }

    /// Adds the items that a check on `sha` can count for: the pull request of a merge group, and
    /// what landed up to some pushes before it on the same branch.
    fn with_checks(&self, sha: &Sha, items: &mut BTreeSet<ItemId>) {
        if let Some(pull) = self.facts.groups.get(sha).and_then(|g| g.pull) {
            self.with_pull(pull, items, 0);
        }
        for pull in self.facts.index.merged_as.get(sha).into_iter().flatten() {
            self.with_pull(*pull, items, 1);
        }
        let ended = self.facts.index.ended_at.get(sha).into_iter().flatten();
        for push in ended.filter(|(name, _, _)| self.listed_ref(name)).filter_map(|id| self.facts.pushes.get(id)) {
            let last = (push.at, push.after.clone(), push.name.name().to_owned());
            let before = self.facts.index.by_time.range(..=last.clone()).rev();
            for (_, after, branch) in before.filter(|(_, _, b)| self.same_line(b, &last.2)).take(LATER_COMMITS) {
                // Changes that landed by a commit which passed for good rely on that commit.
                if after != sha && self.stands_tested(after, branch) {
                    break;
                }
                for id in
                    self.facts.index.ended_at.get(after).into_iter().flatten().filter(|(n, _, _)| n.name() == branch)
                {
                    let commits = self.facts.pushes.get(id).into_iter().flat_map(|p| &p.commits);
                    for commit in commits.chain([after]) {
                        self.with_commit(commit, items, 1);
                    }
                }
            }
            // Pull requests whose push we never saw have landed all the same.
            self.landed_near(push.at, items);
        }
    }

    /// Returns whether a commit counts as tested by every checks rule of the policy.
    fn stands_tested(&self, sha: &Sha, branch: &str) -> bool {
        let mut measures = self.policy.phases.iter().flat_map(|p| &p.when).filter_map(|e| match &e.kind {
            EvidenceKind::ChecksPassed { named } => Some(named),
            EvidenceKind::IssueOpen
            | EvidenceKind::PullRequestOpen
            | EvidenceKind::BranchLinked { .. }
            | EvidenceKind::PullRequestApproved
            | EvidenceKind::Merged
            | EvidenceKind::Tagged { .. }
            | EvidenceKind::ReleasePublished { .. }
            | EvidenceKind::DeploymentStarted(_)
            | EvidenceKind::DeploymentSucceeded(_)
            | EvidenceKind::Soaked { .. } => None,
        });
        measures.all(|named| self.passed(sha, branch, named).iter().any(|s| s.until.is_none() && s.from <= self.now))
    }

    /// Adds the pull requests merged within the 24 hours before `at`, and the issues they close.
    fn landed_near(&self, at: jiff::Timestamp, items: &mut BTreeSet<ItemId>) {
        let first = at.checked_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(jiff::Timestamp::MIN);
        let near = self.facts.index.unpushed_merges.range((first, ItemId::MIN)..=(at, ItemId::MAX));
        for (_, pull) in near {
            self.with_pull(*pull, items, 1);
        }
    }

    /// Adds every landed item.
    pub(crate) fn landed(&self, items: &mut BTreeSet<ItemId>) {
        for pull in self.facts.index.merged_as.values().flatten() {
            items.insert(*pull);
            items.extend(self.named_issues(*pull));
        }
        for (issue, commits) in &self.facts.index.commits_closing {
            if commits.iter().any(|sha| !self.landings(&Work::Commit(sha.clone())).is_empty()) {
                items.insert(*issue);
            }
        }
    }
}
