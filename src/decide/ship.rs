//! When a carrier was in a tag, in a release, in an environment.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{carry::Carrier, look::Look, message};
use crate::domain::{
    event::{DeployState, RefName},
    fact::{commit::RefFacts, ship::DeploymentFacts},
    id::Sha,
    needs::{Answer, Need},
    policy::{EnvironmentFilter, Pattern},
    when::{Span, earlier},
};

/// One stretch of time in which an environment ran one commit.
struct Running<'a> {
    from: Timestamp,
    until: Option<Timestamp>,
    id: u64,
    deployment: &'a DeploymentFacts,
}

impl<'f> Look<'f> {
    /// When a version tag contained the carrier.
    pub(super) fn tagged(&self, carrier: &Carrier, also: &[Pattern]) -> Vec<Span> {
        let mut spans = Vec::new();
        for (name, facts) in &self.facts.refs {
            let RefName::Tag(tag) = name else { continue };
            if !is_final_version(tag) && !also.iter().any(|p| p.matches(tag)) {
                continue;
            }
            for (from, until, sha) in places(facts) {
                if from >= carrier.born
                    && until.is_none_or(|end| end > carrier.from)
                    && self.contains(sha, &carrier.sha)
                {
                    let because = format!("tag {} contains {}", message::quoted(tag), carrier.sha.short());
                    spans.extend(Span::between(from, until, because));
                }
            }
        }
        within(spans, carrier)
    }

    /// When a published release contained the carrier.
    pub(super) fn released(&self, carrier: &Carrier, prereleases: bool) -> Vec<Span> {
        let mut spans = Vec::new();
        for release in self.facts.releases.values() {
            let state = &release.state.value;
            let Some(published) = state.published_at else { continue };
            if published < carrier.born
                || state.withdrawn
                || (state.prerelease && !prereleases)
                || is_floating(&state.tag)
            {
                continue;
            }
            if !prereleases && is_prerelease(&state.tag) {
                continue;
            }
            if self.tag_commit(&state.tag).is_some_and(|sha| self.contains(sha, &carrier.sha)) {
                let tag = message::quoted(&state.tag);
                spans.push(Span::open(published, format!("release {tag} contains {}", carrier.sha.short())));
            }
        }
        within(spans, carrier)
    }

    /// The commit that a tag names now, from pushes or else from the forge.
    fn tag_commit(&self, tag: &str) -> Option<&'f Sha> {
        let facts = self.facts.refs.get(&RefName::Tag(tag.to_owned()));
        if let Some((_, place)) = facts.and_then(|f| f.moves.last()) {
            return place.as_ref();
        }
        match self.lasting(&Need::TagCommit { tag: tag.to_owned() }) {
            Some(Answer::TagCommit(sha)) => Some(sha),
            _ => None,
        }
    }

    /// When a deployment that contains the carrier was under way, or ran.
    /// Without a filter: in production, or elsewhere once `released`.
    pub(super) fn deploying(&self, carrier: &Carrier, filter: &EnvironmentFilter, released: &[Span]) -> Vec<Span> {
        let mut spans = Vec::new();
        let fallen: BTreeSet<Timestamp> = self.production_falls(carrier);
        for (environment, ids) in &self.facts.index.deployments_to {
            let runs = self.runs_of(environment, carrier);
            for id in ids {
                let Some(deployment) = self.facts.deployments.get(id) else { continue };
                let production = self.is_production(deployment);
                if !names_environment(filter, environment) || filter.production.is_some_and(|p| p != production) {
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
                    // From then on it stands for as long as it runs there.
                    let ran = runs.iter().find(|run| run.covers(success.max(carrier.from)));
                    until = ran.map_or(Some(success), |run| run.until);
                }
                let too_old = deployment.created_at < carrier.born || until.is_some_and(|end| end <= carrier.from);
                if too_old || !self.contains(&deployment.sha, &carrier.sha) {
                    continue;
                }
                let because = format!(
                    "deployment of {} to {} began",
                    deployment.sha.short(),
                    message::quoted(&deployment.environment)
                );
                let named = !filter.names.is_empty() || filter.production.is_some();
                if production || named {
                    spans.extend(Span::between(from, until, because));
                } else {
                    // What failed in production is no longer on its way.
                    let until = earlier(until, fallen.range(from..).next().copied());
                    spans.extend(
                        released
                            .iter()
                            .filter_map(|r| Span::between(from.max(r.from), earlier(until, r.until), because.clone())),
                    );
                }
            }
        }
        within(spans, carrier)
    }

    /// When environments that match the filter ran the carrier.
    pub(super) fn deployed(&self, carrier: &Carrier, filter: &EnvironmentFilter) -> Vec<(String, Vec<Span>)> {
        let production = filter.production.or_else(|| filter.names.is_empty().then_some(true));
        let mut found = Vec::new();
        for environment in self.facts.index.deployments_to.keys() {
            let wanted = names_environment(filter, environment)
                && production.is_none_or(|p| p == self.environment_is_production(environment));
            if wanted {
                let spans = self.runs_of(environment, carrier);
                if !spans.is_empty() {
                    found.push((environment.clone(), spans));
                }
            }
        }
        found
    }

    /// When the carrier had run undisturbed for `quiet`.
    pub(super) fn soaked(&self, carrier: &Carrier, filter: &EnvironmentFilter, quiet: SignedDuration) -> Vec<Span> {
        let mut spans = Vec::new();
        for (environment, runs) in self.deployed(carrier, filter) {
            for run in runs {
                let mut begin = run.from;
                let mut incidents: Vec<_> =
                    self.facts.incidents.values().filter(|i| i.environment == environment).collect();
                incidents.sort();
                for incident in incidents {
                    let ripe = begin.checked_add(quiet).unwrap_or(Timestamp::MAX);
                    if incident.until.is_some_and(|u| u <= begin) {
                        continue;
                    }
                    spans.extend(soaked_span(ripe, earlier(run.until, Some(incident.from)), quiet, &environment));
                    match incident.until {
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
        within(spans, carrier)
    }

    /// When an environment ran a commit that contains the carrier.
    fn runs_of(&self, environment: &str, carrier: &Carrier) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        // Each success is a fact of its own, and what it put there runs on for
        // as long as the next one still has it.
        let mut going_on = 0;
        for running in self.running(environment) {
            let too_old = running.deployment.created_at < carrier.born;
            if too_old
                || running.until.is_some_and(|end| end <= carrier.from)
                || !self.contains(&running.deployment.sha, &carrier.sha)
            {
                continue;
            }
            if spans.last().is_some_and(|last| last.until != Some(running.from)) {
                going_on = spans.len();
            }
            for span in &mut spans[going_on..] {
                span.until = running.until;
            }
            let deployment = running.deployment;
            let name = message::quoted(&deployment.environment);
            let because = format!("deployed to {name} as {} (deployment {})", deployment.sha.short(), running.id);
            spans.push(Span { from: running.from, until: running.until, because });
        }
        within(spans, carrier)
    }

    /// What an environment ran, in order of time. A deployment runs from its
    /// success until the next success, or until it is said to have failed
    /// after all: then what ran before runs again.
    fn running(&self, environment: &str) -> Vec<Running<'f>> {
        let ids = self.facts.index.deployments_to.get(environment).into_iter().flatten();
        let known: Vec<(u64, &'f DeploymentFacts)> =
            ids.filter_map(|id| self.facts.deployments.get(id).map(|d| (*id, d))).collect();
        let mut stretches: Vec<(Timestamp, Option<Timestamp>, u64, &'f DeploymentFacts)> = Vec::new();
        let mut moments: BTreeSet<Timestamp> = BTreeSet::new();
        for (id, deployment) in known {
            if let Some(success) = first(deployment, DeployState::Success) {
                let failed = deployment
                    .statuses
                    .iter()
                    .find(|s| s.state == DeployState::Failure && s.at > success)
                    .map(|s| s.at);
                stretches.push((success, failed, id, deployment));
                moments.insert(success);
                moments.extend(failed);
            }
        }
        let mut running: Vec<Running<'f>> = Vec::new();
        for at in moments {
            let now_runs = stretches
                .iter()
                .filter(|(from, failed, _, _)| *from <= at && failed.is_none_or(|f| f > at))
                .max_by_key(|(from, _, id, _)| (*from, *id));
            let current = running.last_mut().filter(|r| r.until.is_none());
            if current.as_ref().map(|r| r.id) == now_runs.map(|(_, _, id, _)| *id) {
                continue;
            }
            if let Some(current) = current {
                current.until = Some(at);
            }
            running.extend(now_runs.map(|(_, _, id, deployment)| Running {
                from: at,
                until: None,
                id: *id,
                deployment,
            }));
        }
        running
    }

    /// When production deployments of the carrier failed or were rolled back.
    fn production_falls(&self, carrier: &Carrier) -> BTreeSet<Timestamp> {
        let mut falls = BTreeSet::new();
        for (environment, ids) in &self.facts.index.deployments_to {
            if !self.environment_is_production(environment) {
                continue;
            }
            falls.extend(self.runs_of(environment, carrier).iter().filter_map(|run| run.until));
            for deployment in ids.iter().filter_map(|id| self.facts.deployments.get(id)) {
                let failed = deployment.statuses.iter().filter(|s| s.state == DeployState::Failure).map(|s| s.at);
                let failed: Vec<_> = failed.collect();
                if !failed.is_empty()
                    && deployment.created_at >= carrier.born
                    && self.contains(&deployment.sha, &carrier.sha)
                {
                    falls.extend(failed);
                }
            }
        }
        falls
    }

    /// Whether a deployment is to production: the policy says so, else the forge.
    pub(super) fn is_production(&self, deployment: &DeploymentFacts) -> bool {
        self.policy
            .production(&deployment.environment)
            .or(deployment.production)
            .unwrap_or_else(|| deployment.environment.eq_ignore_ascii_case("production"))
    }

    fn environment_is_production(&self, environment: &str) -> bool {
        let ids = self.facts.index.deployments_to.get(environment).into_iter().flatten();
        ids.filter_map(|id| self.facts.deployments.get(id)).any(|d| self.is_production(d))
    }
}

/// Where a ref was: from, until, commit.
fn places(facts: &RefFacts) -> Vec<(Timestamp, Option<Timestamp>, &Sha)> {
    let moves: Vec<_> = facts.moves.iter().collect();
    let ends = moves.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
    moves.iter().zip(ends).filter_map(|((at, sha), end)| Some((*at, end, sha.as_ref()?))).collect()
}

fn first(deployment: &DeploymentFacts, state: DeployState) -> Option<Timestamp> {
    deployment.statuses.iter().find(|s| s.state == state).map(|s| s.at)
}

fn names_environment(filter: &EnvironmentFilter, environment: &str) -> bool {
    filter.names.is_empty()
        || filter.names.iter().any(|p| p.matches(environment) || p.as_str().eq_ignore_ascii_case(environment))
}

fn within(spans: Vec<Span>, carrier: &Carrier) -> Vec<Span> {
    spans.into_iter().filter_map(|span| span.clip(carrier.from, carrier.until)).collect()
}

fn soaked_span(ripe: Timestamp, until: Option<Timestamp>, quiet: SignedDuration, environment: &str) -> Option<Span> {
    let because = format!("ran {} in {} without an incident", message::duration(quiet), message::quoted(environment));
    Span::between(ripe, until, because)
}

/// The version in a tag: `v1.2.3`, `1.2.3`, `api/v1.2.3`, `pkg@1.2.3`.
fn version(tag: &str) -> Option<semver::Version> {
    let name = tag.rsplit(['/', '@']).next().unwrap_or(tag);
    semver::Version::parse(name.strip_prefix(['v', 'V']).unwrap_or(name)).ok()
}

/// Whether a tag names a final version.
pub(super) fn is_final_version(tag: &str) -> bool {
    version(tag).is_some_and(|v| v.pre.is_empty())
}

fn is_prerelease(tag: &str) -> bool {
    version(tag).is_some_and(|v| !v.pre.is_empty())
}

/// A tag that moves with every release, such as `v1` or `latest`.
fn is_floating(tag: &str) -> bool {
    let number = tag.strip_prefix(['v', 'V']).unwrap_or(tag);
    tag.eq_ignore_ascii_case("latest")
        || (!number.is_empty()
            && version(tag).is_none()
            && number.split('.').count() < 3
            && number.split('.').all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_tags_are_final_versions() {
        for tag in ["v1.2.3", "1.2.3", "api/v1.2.3", "pkg@1.2.3", "@acme/shop@10.0.0", "v1.2.3+build.5"] {
            assert!(is_final_version(tag), "{tag}");
        }
        for tag in ["v1", "latest", "v1.2", "v1.2.3-rc.1", "nightly", "v01.2.3", "", "release"] {
            assert!(!is_final_version(tag), "{tag}");
        }
        assert!(is_floating("v1") && is_floating("latest") && is_floating("1.2") && !is_floating("2024-spring"));
    }
}
