//! Evidence from after a merge: spans in which a landing was in a tag, in a release, in an
//! environment.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    commits::landing::Landing,
    context::EvalContext,
    domain::{
        event::{DeployState, RefName},
        fact::{commit::RefFacts, deployment::DeploymentFacts, item::PhaseOverride},
        id::Sha,
        needs::{Answer, Need},
        policy::{EnvironmentFilter, EvidenceKind, Pattern},
        service::Scope,
        version,
        when::{Span, earlier},
    },
    text::message,
};

impl EvalContext<'_> {
    /// Returns the spans in which a version tag contained the landing.
    pub(crate) fn tagged(&self, landing: &Landing, also: &[Pattern], scope: Scope<'_>) -> Vec<Span> {
        let mut spans = Vec::new();
        let moved = self.facts.index.tag_moves.range((landing.born, String::new())..);
        let tags: BTreeSet<&String> = moved.map(|(_, tag)| tag).collect();
        for tag in tags {
            let counts = version::is_final(tag) || also.iter().any(|p| p.matches(tag));
            if !counts || !self.policy.scope_takes_tag(scope, tag) {
                continue;
            }
            let Some(facts) = self.facts.refs.get(&RefName::Tag(tag.clone())) else { continue };
            for (from, until, sha) in places(facts) {
                if from >= landing.born
                    && until.is_none_or(|end| end > landing.from)
                    && self.contains(sha, &landing.sha)
                {
                    let because = format!("tag {} contains {}", message::quoted(tag), landing.sha.code());
                    spans.extend(Span::between(from, until, because));
                }
            }
        }
        within(spans, landing)
    }

    /// Returns the spans in which a published release contained the landing.
    pub(crate) fn released(&self, landing: &Landing, prereleases: bool, scope: Scope<'_>) -> Vec<Span> {
        let mut spans = Vec::new();
        for (published, state) in self.facts.releases_since(landing.born) {
            if state.withdrawn || (state.prerelease && !prereleases) || version::is_floating(&state.tag) {
                continue;
            }
            if (!prereleases && version::is_prerelease(&state.tag)) || !self.policy.scope_takes_tag(scope, &state.tag) {
                continue;
            }
            if self.tag_commit(&state.tag).is_some_and(|sha| self.contains(sha, &landing.sha)) {
                let tag = message::quoted(&state.tag);
                spans.push(Span::open(published, format!("release {tag} contains {}", landing.sha.code())));
            }
        }
        within(spans, landing)
    }

    /// Returns the commit that a tag names now, from pushes or else from the forge.
    pub(crate) fn tag_commit(&self, tag: &str) -> Option<&Sha> {
        let facts = self.facts.refs.get(&RefName::Tag(tag.to_owned()));
        if let Some((_, place)) = facts.and_then(|f| f.moves().last()) {
            return place.as_ref();
        }
        match self.lasting(&Need::TagCommit { tag: tag.to_owned() }) {
            Some(Answer::TagCommit(sha)) => Some(sha),
            _ => None,
        }
    }

    /// Returns the spans in which a deployment that contains the landing was under way, or ran.
    /// Without a filter: in production, or elsewhere while `released`.
    pub(crate) fn deploying(
        &self,
        landing: &Landing,
        filter: &EnvironmentFilter,
        released: &[Span],
        scope: Scope<'_>,
    ) -> Vec<Span> {
        let mut spans = Vec::new();
        let fallen = self.production_losses(landing, scope);
        for environment in self.environments() {
            if !names_environment(filter, environment.name)
                || !self.policy.scope_takes_environment(scope, environment.name)
            {
                continue;
            }
            let runs = self.runs_of(environment, landing);
            let history = self.history(environment.name);
            for (id, deployment) in history.made_since(landing.born) {
                let production = self.is_production(deployment);
                if filter.production.is_some_and(|p| p != production) {
                    continue;
                }
                let Some(from) =
                    first(deployment, DeployState::InProgress).or_else(|| first(deployment, DeployState::Success))
                else {
                    continue;
                };
                let mut until =
                    earlier(first(deployment, DeployState::Failure), first(deployment, DeployState::Inactive));
                if let Some(success) = first(deployment, DeployState::Success) {
                    // After its success, it counts for as long as it runs there.
                    let ran = runs.iter().find(|run| run.covers(success.max(landing.from)));
                    until = ran.map_or(Some(success), |run| run.until);
                }
                let Some(commit) = history.commit_of(id).filter(|_| until.is_none_or(|end| end > landing.from)) else {
                    continue;
                };
                if !self.contains(commit, &landing.sha) {
                    continue;
                }
                let because =
                    format!("deployment of {} to {} began", commit.short(), message::quoted(&deployment.environment));
                let named = !filter.names.is_empty() || filter.production.is_some();
                if production || named {
                    spans.extend(Span::between(from, until, because));
                } else {
                    // A commit that failed in production is no longer on its way.
                    let until = earlier(until, fallen.range(from..).next().copied());
                    spans.extend(
                        released
                            .iter()
                            .filter_map(|r| Span::between(from.max(r.from), earlier(until, r.until), because.clone())),
                    );
                }
            }
        }
        within(spans, landing)
    }

    /// Returns the environments that match the filter, with the spans in which each ran the
    /// landing.
    pub(crate) fn deployed(
        &self,
        landing: &Landing,
        filter: &EnvironmentFilter,
        scope: Scope<'_>,
    ) -> Vec<(String, Vec<Span>)> {
        let production = filter.production.or_else(|| filter.names.is_empty().then_some(true));
        let wanted = self.environments().iter().filter(|environment| {
            names_environment(filter, environment.name)
                && self.policy.scope_takes_environment(scope, environment.name)
                && production.is_none_or(|p| p == environment.production)
        });
        let runs = wanted.map(|environment| (environment.name.to_owned(), self.runs_of(environment, landing)));
        runs.filter(|(_, spans)| !spans.is_empty()).collect()
    }

    /// Returns the spans in which the landing had run without an incident for `quiet`.
    pub(crate) fn soaked(
        &self,
        landing: &Landing,
        filter: &EnvironmentFilter,
        quiet: SignedDuration,
        scope: Scope<'_>,
    ) -> Vec<Span> {
        let mut spans = Vec::new();
        for (environment, runs) in self.deployed(landing, filter, scope) {
            for run in runs {
                let mut begin = run.from;
                for (from, until) in self.disturbances().get(&environment).into_iter().flatten() {
                    let ripe = begin.checked_add(quiet).unwrap_or(Timestamp::MAX);
                    if until.is_some_and(|u| u <= begin) {
                        continue;
                    }
                    spans.extend(soaked_span(ripe, earlier(run.until, Some(*from)), quiet, &environment));
                    match *until {
                        Some(until) => begin = begin.max(until),
                        None => begin = Timestamp::MAX,
                    }
                }
                let ripe = begin.checked_add(quiet).unwrap_or(Timestamp::MAX);
                if ripe < Timestamp::MAX {
                    spans.extend(soaked_span(ripe, run.until, quiet, &environment));
                }
            }
        }
        within(spans, landing)
    }
}

/// Returns the places of a ref: from, until, commit.
fn places(facts: &RefFacts) -> Vec<(Timestamp, Option<Timestamp>, &Sha)> {
    let moves: Vec<_> = facts.moves().iter().collect();
    let ends = moves.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
    moves.iter().zip(ends).filter_map(|((at, sha), end)| Some((*at, end, sha.as_ref()?))).collect()
}

pub(crate) fn first(deployment: &DeploymentFacts, state: DeployState) -> Option<Timestamp> {
    deployment.statuses.iter().find(|s| s.state == state).map(|s| s.at)
}

/// Returns whether a filter names an environment.
pub(crate) fn names_environment(filter: &EnvironmentFilter, environment: &str) -> bool {
    filter.names.is_empty()
        || filter.names.iter().any(|p| p.matches(environment) || p.as_str().eq_ignore_ascii_case(environment))
}

pub(crate) fn within(spans: Vec<Span>, landing: &Landing) -> Vec<Span> {
    spans.into_iter().filter_map(|span| span.clip(landing.from, landing.until)).collect()
}

/// Drops spans that add nothing to another span of the same evidence: of several deployments that
/// ran a change one after the other only the first counts, unless a person's override in between
/// asks for something newer.
pub(crate) fn thinned(mut spans: Vec<Span>, marks: &[PhaseOverride]) -> Vec<Span> {
    spans.sort_by(|a, b| (a.from, &a.because).cmp(&(b.from, &b.because)));
    let mut kept: Vec<Span> = Vec::new();
    for span in spans {
        let says_so = |known: &Span| {
            let covers = known.until.is_none_or(|end| span.until.is_some_and(|until| until <= end));
            covers && !marks.iter().any(|m| known.from <= m.at && m.at < span.from)
        };
        if !kept.last().is_some_and(says_so) {
            kept.push(span);
        }
    }
    kept
}

/// Returns the spans in which the landing was in a release, by the policy's release evidence.
pub(crate) fn release_spans(eval: &EvalContext<'_>, landing: &Landing, scope: Scope<'_>) -> Vec<Span> {
    let mut asked = false;
    let mut spans = Vec::new();
    for evidence in eval.policy.phases.iter().flat_map(|p| &p.when) {
        match &evidence.kind {
            EvidenceKind::Tagged { also } => spans.extend(eval.tagged(landing, also, scope)),
            EvidenceKind::ReleasePublished { prereleases } => spans.extend(eval.released(landing, *prereleases, scope)),
            EvidenceKind::IssueOpen
            | EvidenceKind::PullRequestOpen
            | EvidenceKind::BranchLinked { .. }
            | EvidenceKind::PullRequestApproved
            | EvidenceKind::Merged
            | EvidenceKind::ChecksPassed { .. }
            | EvidenceKind::DeploymentStarted(_)
            | EvidenceKind::DeploymentSucceeded(_)
            | EvidenceKind::Soaked { .. } => continue,
        }
        asked = true;
    }
    if !asked {
        // A policy without release evidence has nothing to wait for.
        spans.extend(Span::between(landing.from, landing.until, ""));
    }
    spans
}

fn soaked_span(ripe: Timestamp, until: Option<Timestamp>, quiet: SignedDuration, environment: &str) -> Option<Span> {
    let because = format!("ran {} in {} without an incident", message::duration(quiet), message::quoted(environment));
    Span::between(ripe, until, because)
}
