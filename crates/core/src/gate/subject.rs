//! Subjects that are gated now: draft releases, tags, the default branch's head where the policy
//! wants its check, and commits that wait to be deployed.

use crate::{
    context::EvalContext,
    domain::{
        decision::GateName,
        effect::RefGuard,
        event::RefName,
        fact::{
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind, RequestState},
            deployment::DeploymentFacts,
        },
        id::Sha,
        needs::{Answer, Need},
        rule::{ConditionName, GateRule},
    },
    gate::{Policy, RepoFacts, Subject},
};
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Period for which a tag's gate is evaluated after the tag moved: a check that passed may fail
/// later.
const WATCHED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Longest wait of a job for its environment: 30 days (GitHub Docs, "Reviewing deployments").
const WAITS: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Limit on the subjects that a gate gets from each source; of tags the newest count.
const MOST: usize = 50;

impl EvalContext<'_> {
    /// Returns everything that is gated now: one subject for each gate and commit.
    pub(crate) fn subjects(&self) -> Vec<Subject> {
        let mut found: BTreeMap<(GateName, Sha), Subject> = BTreeMap::new();
        for (name, rule) in &self.policy.gates {
            let gate = GateName::Release(name.clone());
            let mut add = |sha: Sha, tag: Option<&str>, since: Timestamp| {
                let subject =
                    found.entry((gate.clone(), sha.clone())).or_insert_with(|| Subject::new(gate.clone(), sha, since));
                subject.since = subject.since.min(since);
                if let Some(tag) = tag.filter(|tag| !subject.tags.iter().any(|known| known == tag)) {
                    subject.tags.push(tag.to_owned());
                    subject.tags.sort();
                }
            };
            for (sha, tag, since) in self.tags_before(rule).into_iter().chain(self.drafts_before(rule)) {
                add(sha, Some(tag), since);
            }
            if rule.report_branch
                && let Some((sha, since)) = self.branch_head(self.facts.default_branch())
            {
                add(sha, None, since);
            }
        }
        // A deploy request's subject carries its requester, which the gate has to know.
        for (id, request) in self.facts.open_requests().filter(|(_, request)| !request.dry_run) {
            let subject = of_request(self.facts, self.policy, id, request);
            found.extend(subject.map(|subject| ((subject.gate.clone(), subject.sha.clone()), subject)));
        }
        for (gate, sha, since, made) in self.waiting_deployments() {
            let subject = found.entry((gate.clone(), sha.clone())).or_insert_with(|| Subject::new(gate, sha, since));
            subject.runs.extend(made.run);
            subject.starters.extend(made.creator.iter().filter(|creator| creator.id.is_some()).cloned());
        }
        found.into_values().collect()
    }

    /// Returns the automatic deploys that were refused at this very moment. A deploy that was
    /// refused as soon as it was recorded never was a subject.
    pub(super) fn over_at_once(&self) -> Vec<Subject> {
        let ended = self.facts.requests.index().ended.range((self.now, String::new())..);
        let ended = ended.take_while(|(at, _)| *at == self.now);
        let ended = ended.filter_map(|(_, id)| self.facts.requests.get_key_value(id));
        let refused = ended.filter(|(_, request)| {
            let refused = matches!(request.state, RequestState::Ended { how: RequestEnd::Refused, .. });
            refused && !matches!(request.origin, Origin::Command(_))
        });
        refused.filter_map(|(id, request)| of_request(self.facts, self.policy, id, request)).collect()
    }

    /// Returns the tags that a gate guards, with their commits and the time of their last move.
    fn tags_before(&self, rule: &GateRule) -> Vec<(Sha, &str, Timestamp)> {
        let Some(pattern) = &rule.tag else { return Vec::new() };
        let newest = self.facts.index.tag_moves.iter().rev();
        let recent = newest.take_while(|(at, _)| self.now.duration_since(*at) < WATCHED);
        let mut tags: Vec<(Sha, &str, Timestamp)> = Vec::new();
        for (_, tag) in recent.filter(|(_, tag)| pattern.matches(tag)) {
            let moves = self.facts.refs.get(&RefName::Tag(tag.clone())).and_then(|facts| facts.moves().last());
            if let Some((at, Some(sha))) = moves
                && !tags.iter().any(|(_, known, _)| known == tag)
                && tags.len() < MOST
            {
                tags.push((sha.clone(), tag, *at));
            }
        }
        tags
    }

    /// Returns the draft releases that a gate guards, with the commits that their tags name, or
    /// will name.
    fn drafts_before(&self, rule: &GateRule) -> Vec<(Sha, &str, Timestamp)> {
        if !rule.draft {
            return Vec::new();
        }
        let drafts = self.facts.draft_releases().map(|(_, release)| &release.state);
        let matching = drafts.filter(|state| rule.tag.as_ref().is_none_or(|tag| tag.matches(&state.value.tag)));
        let found = matching.filter_map(|state| {
            let sha = self.draft_commit(&state.value.tag, &state.value.target)?;
            Some((sha, state.value.tag.as_str(), state.at))
        });
        found.take(MOST).collect()
    }

    /// Returns the commit that publishing a draft would release: its tag's if the tag exists,
    /// otherwise its target's.
    pub(crate) fn draft_commit(&self, tag: &str, target: &str) -> Option<Sha> {
        let place = self.facts.refs.get(&RefName::Tag(tag.to_owned())).and_then(|facts| facts.moves().last());
        let place = match place {
            Some((_, place)) => place.as_ref(),
            None => self.facts.tags.listed.as_ref().and_then(|tags| tags.get(tag)),
        };
        if let Some(sha) = place {
            return Some(sha.clone());
        }
        if let Ok(sha) = target.parse() {
            return Some(sha);
        }
        let branch = if target.is_empty() { self.facts.default_branch() } else { target };
        self.branch_head(branch).map(|(sha, _)| sha)
    }

    /// Returns a branch's head and since when, from its pushes or else from the forge.
    pub(crate) fn branch_head(&self, branch: &str) -> Option<(Sha, Timestamp)> {
        let facts = self.facts.refs.get(&RefName::Branch(branch.to_owned()));
        if let Some((at, place)) = facts.and_then(|facts| facts.moves().last()) {
            return place.clone().map(|sha| (sha, *at));
        }
        let need = Need::BranchHead { branch: branch.to_owned() };
        let Answer::BranchHead(sha) = self.lasting(&need)? else { return None };
        Some((sha.clone(), self.facts.answers.get(&need)?.at))
    }

    /// Returns the commits that wait to be deployed to environments of the policy.
    fn waiting_deployments(&self) -> Vec<(GateName, Sha, Timestamp, &DeploymentFacts)> {
        let mut waiting = Vec::new();
        for environment in self.policy.environments.keys() {
            let waits =
                self.history(environment).waiting().filter(|waiting| self.now.duration_since(waiting.begun) < WAITS);
            let gate = GateName::Deploy(environment.clone());
            let known =
                waits.filter_map(|waiting| Some((gate.clone(), waiting.commit?.clone(), waiting.begun, waiting.facts)));
            waiting.extend(known.take(MOST));
        }
        waiting
    }
}

/// Returns the subject of a deploy request; `None` while its commit is unknown.
pub(crate) fn of_request(facts: &RepoFacts, policy: &Policy, id: &str, request: &DeployRequest) -> Option<Subject> {
    let gate = GateName::Deploy(request.environment.clone());
    let mut subject = Subject::new(gate, request.sha.clone()?, request.at);
    subject.request = Some(id.to_owned());
    subject.compared_with = request.deployed_at.map(|_| request.from.iter().cloned().collect());
    if let Origin::Command(command) = &request.origin {
        subject.requester = Some(request.by.clone());
        subject.item = Some(command.item);
        // In an incident, nobody has to confirm a replacement.
        subject.replaces = request.replace || request.kind == RequestKind::Rollback;
    }
    if let Origin::Label(pull) = request.origin {
        subject.requester = Some(request.by.clone());
        subject.item = Some(pull);
    }
    if let RefGuard::Tag(tag) = &request.watched {
        subject.tags.push(tag.clone());
    }
    let by_person = matches!(request.origin, Origin::Command(_));
    if by_person && request.kind == RequestKind::Rollback && facts.rollback_lock(&request.environment).is_some() {
        subject.waived.push((ConditionName::Lock, "because an earlier rollback took the lock".to_owned()));
    }
    if request.kind == RequestKind::Rollback
        && let Some(rule) = policy.environment(&request.environment)
    {
        let word = "by `rollback: waive` in the policy".to_owned();
        subject.waived.extend(rule.rollback.waive.iter().map(|name| (*name, word.clone())));
    }
    Some(subject)
}
