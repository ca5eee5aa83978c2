//! Which items an event concerns.
//!
//! Naming too many costs time, naming too few loses a move; so each kind of
//! fact names what it can possibly turn, and the derivation decides.

use std::collections::BTreeSet;

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        event::RefName,
        fact::DocumentKey,
        id::{ItemNumber, Sha},
        needs::{Answer, Need},
        policy::EvidenceKind,
    },
    evidence::pre_merge::LATER_COMMITS,
};

/// Reverts of reverts are followed this far.
pub(crate) const REVERT_DEPTH: usize = 4;

impl EvalContext<'_> {
    /// The items that a changed document can turn.
    pub(crate) fn concerned(&self, key: &DocumentKey, items: &mut BTreeSet<ItemNumber>) {
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
            // Which workflow ran says whether a job's deployment counts.
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
            // Other answers are learnt while the items that asked are derived, and
            // a changed policy derives items by itself.
            DocumentKey::Answer(_)
            | DocumentKey::Policy
            // Deploys move items by the deployments that they bring about.
            | DocumentKey::Request(_)
            | DocumentKey::Publication(_)
            | DocumentKey::Gate(..)
            | DocumentKey::WaitingCommand(_)
            | DocumentKey::WaitingJob(..)
            // What they disturb is looked after with them: most say nothing new.
            | DocumentKey::Incident(_)
            | DocumentKey::Storm(_)
            | DocumentKey::Feedback(_)
            | DocumentKey::Heartbeat(_)
            | DocumentKey::Tags => {}
        }
    }

    /// The items that a push can turn; `late` if it joins two parts of the
    /// record, so that it may settle any open question.
    pub(crate) fn concerned_by_push(&self, key: &DocumentKey, late: bool, items: &mut BTreeSet<ItemNumber>) {
        let DocumentKey::Push(name, before, after) = key else { return };
        let Some(push) = self.facts.pushes.get(&(name.clone(), before.clone(), after.clone())) else { return };
        if let RefName::Branch(branch) = name {
            self.with_branch(branch, items);
        }
        if late {
            self.landed(items);
        }
        // Of what already speaks of its end, more is known now.
        if push.is_exact() {
            for tag in self.facts.index.tags_at.get(after).into_iter().flatten() {
                self.with_tag(tag, items);
            }
            for deployment in self.facts.deployments.index().by_commit.of(after) {
                self.with_deployment(*deployment, items);
            }
        }
        // Its checks now speak for what the branch held before, proven or to be asked.
        if self.facts.checks.contains_key(after) {
            self.with_checks(after, items);
        }
        for sha in push.commits.iter().chain([after]) {
            self.with_commit(sha, items, REVERT_DEPTH);
        }
        if push.forced && self.listed_ref(name) {
            for sha in self.known_between(after, before).into_iter().flatten() {
                self.with_commit(sha, items, REVERT_DEPTH);
            }
        }
    }

    /// What a comparison tells of pushes beyond their own lists.
    fn with_comparison(&self, base: &Sha, head: &Sha, items: &mut BTreeSet<ItemNumber>) {
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

    /// What commits close that name an item as the pull request whose merge they
    /// are, once it shows that they are not.
    fn with_named_merges(&self, number: ItemNumber, items: &mut BTreeSet<ItemNumber>) {
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

    /// A pull request, the issues it closes, what is stacked on it, what it reverts.
    pub(crate) fn with_pull(&self, number: ItemNumber, items: &mut BTreeSet<ItemNumber>, depth: usize) {
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

    /// What a commit carries, picks or reverts.
    pub(crate) fn with_commit(&self, sha: &Sha, items: &mut BTreeSet<ItemNumber>, depth: usize) {
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

    fn with_branch(&self, branch: &str, items: &mut BTreeSet<ItemNumber>) {
        let named = crate::domain::branch::named_issue(branch).map(|n| n.issue);
        items.extend(named.filter(|n| self.facts.items.contains_key(n)));
        for pull in self.facts.index.pulls_from.get(branch).into_iter().flatten() {
            self.with_pull(*pull, items, 0);
        }
    }

    /// What a check on `sha` can speak for: a merge group's pull request, and
    /// whatever landed up to some pushes before it on the same branch.
    fn with_checks(&self, sha: &Sha, items: &mut BTreeSet<ItemNumber>) {
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
                // What had landed by a commit that passed for good stands on that one.
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
            // Pull requests whose push we never saw landed all the same.
            self.landed_near(push.at, items);
        }
    }

    /// Whether a commit stands as tested by every measure of the policy.
    fn stands_tested(&self, sha: &Sha, branch: &str) -> bool {
        let mut measures = self.policy.phases.iter().flat_map(|p| &p.when).filter_map(|e| match &e.kind {
            EvidenceKind::ChecksPassed { named } => Some(named),
            _ => None,
        });
        measures.all(|named| self.passed(sha, branch, named).iter().any(|s| s.until.is_none() && s.from <= self.now))
    }

    /// Pull requests merged shortly before `at`.
    fn landed_near(&self, at: jiff::Timestamp, items: &mut BTreeSet<ItemNumber>) {
        let first = at.checked_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(jiff::Timestamp::MIN);
        let near = self.facts.index.unpushed_merges.range((first, ItemNumber::MIN)..=(at, ItemNumber::MAX));
        for (_, pull) in near {
            self.with_pull(*pull, items, 1);
        }
    }

    /// Everything that has landed.
    pub(crate) fn landed(&self, items: &mut BTreeSet<ItemNumber>) {
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
