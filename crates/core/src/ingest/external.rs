//! Ingests deployments that other systems than the forge report.
//!
//! They become deployments like the forge's own, so that phases, gates and history treat them
//! alike. Messages may come late, twice or out of order: the result is the same.

use jiff::Timestamp;

use crate::{
    domain::{
        event::{DeploymentSeen, ExternalDeployment, ExternalState, RefName, removed_at},
        fact::{
            DocumentKey, RepoFacts,
            commit::RefFacts,
            environment::{DeploymentChange, DeploymentChangeKind},
        },
        id::Sha,
        rule::name_key,
    },
    ingest::event::Notes,
};

/// Maximum length of a tag, in bytes.
const LONGEST_TAG: usize = 255;
/// Maximum successes before a removal that are marked as taken down.
const MOST_TAKEN_DOWN: usize = 100;

impl RepoFacts {
    /// Returns the commit that a message of another system names: by its full hash, or by a tag of
    /// this repository at the time of the message. A tag that was first pushed after that time counts
    /// for its first commit, because clocks differ. Where it pointed before it was moved is unknown
    /// unless it was seen there.
    pub fn commit_named(&self, name: &str, at: Timestamp) -> Option<Sha> {
        if let Ok(sha) = name.parse() {
            return Some(sha);
        }
        let tag = RefName::Tag(name.to_owned());
        let moves = self.refs.get(&tag).map(RefFacts::moves);
        let by_then = moves.into_iter().flatten().rev().find(|(moved, _)| *moved <= at);
        if let Some((_, place)) = by_then {
            return place.clone();
        }
        let Some((first, place)) = moves.and_then(|moves| moves.first()) else {
            return self.tags.listed.as_ref()?.get(name).cloned();
        };
        let was_elsewhere = self.pushes_of(&tag).any(|(_, push)| push.at == *first && push.moves());
        place.clone().filter(|_| !was_elsewhere)
    }
}

impl Notes<'_> {
    /// Records what another system reports of a deployment. A deployment of an unknown tag waits for
    /// the tag.
    pub(super) fn external(&mut self, seen: &ExternalDeployment) {
        if seen.state == ExternalState::Removed {
            self.removal(seen);
            return;
        }
        let Some(name) = &seen.commit else { return };
        let Some(sha) = self.facts.commit_named(name, seen.at) else {
            if name.len() <= LONGEST_TAG && self.facts.about.keep_until_tagged(seen) {
                self.changed.insert(DocumentKey::About);
            }
            return;
        };
        let id = seen.id();
        let is_tag = name.parse::<Sha>().is_err();
        self.deployment(&DeploymentSeen {
            id,
            sha,
            reference: if is_tag { name.clone() } else { String::new() },
            environment: seen.environment.clone(),
            production: None,
            created_at: seen.at,
            creator: None,
            run: None,
            from_fork: None,
            transient: false,
            source: Some(seen.connection.clone()),
            status: Some(seen.status()),
        });
        if is_tag {
            self.resolve_tag(id);
        }
        if seen.mirrored {
            self.facts.deployments.update(&id, |known| {
                known.mirror.get_or_insert_default();
            });
        }
        if seen.state == ExternalState::Success
            && let Some(end) = self.facts.about.removed_after(&name_key(&seen.environment), &seen.connection, seen.at)
        {
            self.take_down(id, end);
        }
    }

    /// Records the external deployments of tags that are known now, and lists the others under the
    /// commits that their tags turn out to have named.
    pub(super) fn place_external(&mut self) {
        let facts = &*self.facts;
        let moved = self.changed.iter().filter_map(|key| {
            let DocumentKey::Ref(name @ RefName::Tag(tag)) = key else { return None };
            Some((tag, facts.refs.get(name)?))
        });
        let of_tags = moved.flat_map(|(tag, place)| {
            let commits = place.moves().iter().filter_map(|(_, sha)| sha.as_ref());
            let found = commits.flat_map(|sha| facts.deployments.index().by_commit.of(sha)).copied();
            found.filter(move |id| {
                let known = facts.deployments.get(id);
                known.is_some_and(|known| known.source.is_some() && known.reference == *tag)
            })
        });
        for id in of_tags.collect::<Vec<u64>>() {
            self.resolve_tag(id);
        }
        let waiting = &self.facts.about.of_unknown_tags;
        let is_known = |kept: &&ExternalDeployment| {
            kept.commit.as_ref().is_some_and(|name| self.facts.commit_named(name, kept.at).is_some())
        };
        let known: Vec<ExternalDeployment> = waiting.iter().filter(is_known).cloned().collect();
        for deployment in known {
            self.facts.about.of_unknown_tags.remove(&deployment);
            self.changed.insert(DocumentKey::About);
            self.external(&deployment);
        }
    }

    /// Lists an external deployment under the commit that its tag named when it began, as far as that
    /// is known now.
    fn resolve_tag(&mut self, id: u64) {
        let Some(known) = self.facts.deployments.get(&id) else { return };
        let Some(commit) = self.facts.commit_named(&known.reference, known.created_at) else { return };
        if self.facts.deployments.update(&id, |deployment| deployment.list_under(commit)) == Some(true) {
            self.changed.insert(DocumentKey::Deployment(id));
        }
    }

    /// Records that what a connection deployed to an environment was taken down.
    fn removal(&mut self, seen: &ExternalDeployment) {
        let environment = name_key(&seen.environment);
        if !self.facts.about.remove_environment(&environment, &seen.connection, seen.at) {
            return;
        }
        self.changed.insert(DocumentKey::About);
        let Some(index) = self.facts.deployments.index().environments.get(&environment) else { return };
        let until = DeploymentChange { at: seen.at, kind: DeploymentChangeKind::Failed, deployment: u64::MAX };
        let ran = index.turns.range(..=until).rev().filter(|turn| turn.kind == DeploymentChangeKind::Succeeded);
        let of_connection = |id: &u64| {
            let source = self.facts.deployments.get(id).and_then(|deployment| deployment.source.as_ref());
            source == Some(&seen.connection)
        };
        let ran: Vec<u64> = ran.map(|turn| turn.deployment).filter(of_connection).take(MOST_TAKEN_DOWN).collect();
        for id in ran {
            self.take_down(id, seen.at);
        }
    }

    fn take_down(&mut self, deployment: u64, at: Timestamp) {
        self.facts.deployments.update(&deployment, |known| known.statuses.insert(removed_at(at)));
        self.changed.insert(DocumentKey::Deployment(deployment));
    }
}
