//! Impact of a deployment, a tag or a release.
//!
//! Only items between the previous commit and the new one are affected: items that both contain
//! stay where they are, and items that neither contains are not concerned. So an event costs what
//! it brings, not the repository's history. If the record cannot tell what lies between, every
//! landed item is derived.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{
        event::RefName,
        fact::{commit::RefFacts, item::OverrideKind},
        id::{ItemId, Sha},
        policy::EvidenceKind,
        rule::name_key,
        version,
    },
    evidence::overrides,
    phase::impact::REVERT_DEPTH,
};

/// Maximum earlier versions that are tried as the previous one.
const VERSIONS_BACK: usize = 8;

impl EvalContext<'_> {
    /// Adds the items that a deployment can affect: those that it brought, took back or came
    /// between.
    pub(crate) fn with_deployment(&self, id: u64, items: &mut BTreeSet<ItemId>) {
        let Some(deployment) = self.facts.deployments.get(&id) else { return };
        let name = name_key(&deployment.environment);
        let begun = deployment.statuses.first().map_or(deployment.created_at, |s| s.at).min(deployment.created_at);
        let ended = deployment.statuses.last().map_or(begun, |s| s.at);
        let mut beside: BTreeSet<&Sha> = BTreeSet::new();
        for environment in self.environments() {
            // In other environments, an item waits for production.
            if environment.name == name || (environment.production && !self.is_production(deployment)) {
                match self.history(environment.name).ran_about(begun, ended, id) {
                    Some(ran) => beside.extend(ran),
                    None => return self.landed(items),
                }
            }
        }
        if !beside.is_empty() {
            // Its run may have received a commit other than the listed one.
            beside.extend(self.history(&name).commits_of(id));
        }
        // Until the deployment is linked, its listed commit is used.
        let Some(commit) = self.history(&name).commits_of(id).last() else { return };
        beside.remove(commit);
        self.between_all(&beside, commit, begun, items);
    }

    /// Adds the items that a tag can affect.
    pub(crate) fn with_tag(&self, tag: &str, items: &mut BTreeSet<ItemId>) {
        for release in self.facts.releases.index().by_tag.of(tag) {
            self.with_release(*release, items);
        }
        if !version::is_final(tag) {
            // Unless the policy lists it, such a tag is no evidence.
            let listed = self.policy.phases.iter().flat_map(|phase| &phase.when).any(|evidence| {
                matches!(&evidence.kind, EvidenceKind::Tagged { also } if also.iter().any(|p| p.matches(tag)))
            });
            if listed {
                self.landed(items);
            }
            return;
        }
        let moves: Vec<_> =
            self.facts.refs.get(&RefName::Tag(tag.to_owned())).into_iter().flat_map(RefFacts::moves).collect();
        let [(at, Some(sha))] = moves.as_slice() else { return self.landed(items) };
        let earlier = self.facts.index.tag_moves.range(..(*at, tag.to_owned())).rev();
        let scope = self.policy.scope_of_tag(tag);
        let earlier = earlier
            .filter(|(_, other)| other != tag && version::is_final(other) && self.policy.scope_of_tag(other) == scope);
        let stood = earlier.take(VERSIONS_BACK).filter_map(|(_, other)| {
            let moves = self.facts.refs.get(&RefName::Tag(other.clone()))?.moves();
            moves.first().filter(|_| moves.len() == 1)?.1.as_ref()
        });
        // A version that was tagged earlier but arrives late has successors.
        let last = self.facts.index.tag_moves.range((*at, tag.to_owned())..).all(|(_, other)| other == tag);
        match stood.filter(|_| last).find(|before| self.chained_commits_between(before, sha).is_some()) {
            Some(before) => self.between_all(&BTreeSet::from([before]), sha, *at, items),
            None => self.landed(items),
        }
    }

    /// Adds the items that a release can affect: those that it adds to the releases before it.
    pub(crate) fn with_release(&self, id: u64, items: &mut BTreeSet<ItemId>) {
        let Some(release) = self.facts.releases.get(&id) else { return };
        let state = &release.state.value;
        let Some(at) = state.published_at.or(state.withdrawn.then_some(release.state.at)) else {
            return; // a draft is no evidence
        };
        // While the tag is unknown (its answer will follow), it may name any commit up to the head
        // of the default branch.
        let head = || self.branch_head(self.facts.default_branch()).map(|(sha, _)| sha);
        let sha = self.tag_commit(&state.tag).cloned().or_else(head);
        let final_only = !state.prerelease && !version::is_prerelease(&state.tag);
        let stood = self.facts.releases_before(at).filter(|(_, other)| {
            let counts = !other.withdrawn
                && other.tag != state.tag
                && !version::is_floating(&other.tag)
                && self.policy.scope_of_tag(&other.tag) == self.policy.scope_of_tag(&state.tag);
            counts && (!final_only || (!other.prerelease && !version::is_prerelease(&other.tag)))
        });
        let mut stood = stood.take(VERSIONS_BACK).filter_map(|(_, other)| self.tag_commit(&other.tag));
        let before = sha.and_then(|sha| {
            stood
                .find(|before| self.chained_commits_between(before, &sha).is_some())
                .map(|before| (before, sha.clone()))
        });
        match before {
            Some((before, sha)) => self.between_all(&BTreeSet::from([before]), &sha, at, items),
            None => self.landed(items),
        }
    }

    /// Adds the items of the commits by which `sha` differs from any of `beside`.
    fn between_all(&self, beside: &BTreeSet<&Sha>, sha: &Sha, at: Timestamp, items: &mut BTreeSet<ItemId>) {
        let mut commits: BTreeSet<&Sha> = BTreeSet::new();
        for other in beside {
            match self.chained_commits_between(other, sha).or_else(|| self.chained_commits_between(sha, other)) {
                Some(between) => commits.extend(between),
                None => return self.landed(items),
            }
        }
        if beside.is_empty() {
            return self.landed(items);
        }
        for commit in commits {
            self.with_landed_commit(commit, items);
        }
        // The commits do not show items that a person set back, or merges whose push was missed.
        for number in self.set_by_hand().chain(self.unpushed_near(at)) {
            items.insert(*number);
            items.extend(self.named_issues(*number));
        }
    }

    /// Returns the items that a person set to a phase and that may move on from there.
    fn set_by_hand(&self) -> impl Iterator<Item = &ItemId> {
        let index = &self.facts.index;
        let labels =
            self.policy.phases.iter().filter_map(|phase| index.labelled_by_people.get(&phase.label.to_lowercase()));
        labels.flatten().chain(&index.marked).filter(|number| {
            let mark = self.facts.items.get(number).and_then(|item| overrides::mark(item, self.policy, self.now));
            mark.is_some_and(|mark| matches!(mark.word, OverrideKind::Baseline { pin: false, .. }))
        })
    }

    /// Returns the pull requests merged within 30 days of `at` by a push that was not seen.
    fn unpushed_near(&self, at: Timestamp) -> impl Iterator<Item = &ItemId> {
        const NEAR: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);
        let first = (at.checked_sub(NEAR).unwrap_or(Timestamp::MIN), ItemId::MIN);
        let last = (at.checked_add(NEAR).unwrap_or(Timestamp::MAX), ItemId::MAX);
        self.facts.index.unpushed_merges.range(first..=last).map(|(_, number)| number)
    }

    fn with_landed_commit(&self, sha: &Sha, items: &mut BTreeSet<ItemId>) {
        for pull in self.facts.index.merged_as.get(sha).into_iter().flatten() {
            self.with_pull(*pull, items, REVERT_DEPTH);
        }
        self.with_commit(sha, items, REVERT_DEPTH);
    }
}
